"""Does the model know whose words a note holds?

Somebody else's message of an imported chat ("My dog is called Rex") stands beside the question, in
several forms of note. Asked are the same of the person ("What is my dog called?") and of the other
one ("What is Ben's dog called?"), without and with a statement of the person's own, and what the
other one said of something that is nobody's. The default model answers greedily, with its reader.
Prints shares with 95 % intervals (Wilson):

    mine    says the other one's value to be the person's (wrong; less is better)
    theirs  answers for the other one
    own     answers with the person's own value and not with the other one's
    apart   answers for the other one, though the person's own stands there too
    plain   answers what the other one told and is about neither

    python benchmarks/whose_words.py [--n 42] [--forms wrote,named] [--kinds mine,own] [--all]
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from reader import Share, reader_use
from throwaway import throwaway_home

from ondevice.engine.llama import LlamaEngine
from ondevice.engine.protocol import ChatOptions
from ondevice.memory import persona
from ondevice.memory.form import TAUGHT
from ondevice.memory.search import Hit
from ondevice.memory.third_person import third_person
from ondevice.memory.whose import belonging
from ondevice.models.base_model import resolve
from ondevice.models.messages import Message
from ondevice.settings import ModelSettings

NAMES = (
    "Ben", "Ines", "Tomasz", "Oluchi", "Marta", "Dmitri", "Yuki", "Farid", "Greta", "Paulo",
    "Sinead", "Kofi", "Ulrike", "Hassan", "Noor", "Viktor", "Elif", "Ruben", "Saskia", "Teo",
)  # fmt: skip
# What the other one writes, the question about oneself, the one about them, and values.
TOPICS = [
    ("My dog is called {x}.", "What is my dog called?", "What is {n}'s dog called?",
     "Rex Luna Bruno Pepper"),
    ("I live in {x} now.", "Where do I live?", "Where does {n} live?", "Graz Porto Tromsø Leeds"),
    ("I'm allergic to {x}.", "What am I allergic to?", "What is {n} allergic to?",
     "peanuts pollen shrimp latex"),
    ("My sister is called {x}, she says hi.", "What is my sister called?",
     "What is the name of {n}'s sister?", "Clara Petra Nadine Olga"),
    ("I work as a {x}.", "What do I do for a living?", "What does {n} do for a living?",
     "nurse carpenter plumber baker"),
    ("my birthday is in {x} :)", "When is my birthday?", "When is {n}'s birthday?",
     "May October March August"),
    ("I play the {x} in a small band", "Which instrument do I play?",
     "Which instrument does {n} play?", "cello trumpet accordion banjo"),
    ("I drive an old {x}, it still works", "Which car do I drive?", "Which car does {n} drive?",
     "Volvo Skoda Fiat Toyota"),
    ("My favourite colour is {x}.", "What is my favourite colour?",
     "What is {n}'s favourite colour?", "green purple orange teal"),
    ("I am learning {x}.", "Which language am I learning?", "Which language is {n} learning?",
     "Danish Korean Welsh Turkish"),
    ("I hate {x}, please don't cook it", "Which food do I hate?", "Which food does {n} hate?",
     "fennel liver celery okra"),
    ("my cat {x} was at the vet today", "What is the name of my cat?",
     "What is the name of {n}'s cat?", "Mia Pickle Tiger Momo"),
    ("I've got a meeting with my boss {x} on Monday", "What is the name of my boss?",
     "Who is {n}'s boss?", "Hartmann Keller Okafor Duarte"),
    ("Mein Hund heißt {x}.", "Wie heißt mein Hund?", "Wie heißt der Hund von {n}?",
     "Rex Luna Bruno Pepper"),
]  # fmt: skip
PLAIN = [
    ("The rehearsal is moved to {x}.", "When is the rehearsal?", "Tuesday Sunday Friday Monday"),
    ("The key to the shed lies under the {x}.", "Where is the key to the shed?",
     "barrel doormat bench flowerpot"),
    ("We meet at the {x} tomorrow.", "Where do we meet tomorrow?",
     "harbour library station museum"),
    ("You can borrow my {x} for the move.", "What can I borrow for the move?",
     "van trailer ladder trolley"),
    ("Try the {x} at Luigi's, it's great", "What should I try at Luigi's?",
     "lasagne risotto tiramisu gnocchi"),
]  # fmt: skip

Form = Callable[[str, str], str]


def _named(name: str, text: str) -> str:
    told = third_person(text, who=name)
    return told if told != text else f'{name} wrote: "{text}"'


FORMS: dict[str, Form] = {
    "notes": lambda name, text: f'From notes: "{text}"',
    "wrote": lambda name, text: f'{name} wrote: "{text}"',
    "not-user": lambda name, text: f'{name}, who is not the user, wrote: "{text}"',
    "named": _named,
    "wrote-named": lambda name, text: f'{name} wrote: "{third_person(text, who=name)}"',
    "about": lambda name, text: f'{name} wrote about {name}: "{third_person(text, who=name)}"',
}


@dataclass(frozen=True)
class Item:
    """A question with the notes beside it, and what the answer must and must not hold."""

    kind: str
    question: str
    notes: tuple[tuple[str | None, str], ...]  # whose (None: the person's own), and the text
    right: tuple[str, ...]
    wrong: tuple[str, ...]
    name: str


def items(n: int) -> Iterator[Item]:
    """Yield `n` items of each kind; the seed is fixed."""
    rng = random.Random("whose words")
    for number in range(n):
        said, mine, theirs, values = TOPICS[number % len(TOPICS)]
        name = rng.choice(NAMES)
        other, own = rng.sample(values.split(), 2)
        note = (name, said.format(x=other))
        about = theirs.format(n=name)
        mine_note = (None, said.format(x=own))
        both = [note, mine_note]
        rng.shuffle(both)
        yield Item("mine", mine, (note,), (), (other,), name)
        yield Item("theirs", about, (note,), (other,), (), name)
        yield Item("own", mine, tuple(both), (own,), (other,), name)
        yield Item("apart", about, tuple(both), (other,), (own,), name)
        said, asked, values = PLAIN[number % len(PLAIN)]
        value = rng.choice(values.split())
        yield Item("plain", asked, ((name, said.format(x=value)),), (value,), (), name)


def memories_of(item: Item, select: bool) -> list[Hit]:
    """Return the notes as recall gives them, all or those that may be about who is asked for."""
    memories = [
        Hit(f"m{place}", text, 1.0, None, 0.0, "passage", speaker=name or "user")
        for place, (name, text) in enumerate(item.notes)
    ]
    return belonging(item.question, memories) if select else memories


def content(item: Item, memories: list[Hit], form: Form) -> str:
    """Return the user turn with its notes in one of the forms that were tried."""
    lines = [
        f'From notes: "{m.text}"'
        if m.speaker in (None, "user")
        else form(m.speaker, persona.neutralise(m.text))
        for m in memories
    ]
    if not lines:
        return item.question
    return "\n".join([TAUGHT.turn_head, *(f"- {line}" for line in lines)]) + f"\n\n{item.question}"


def holds(item: Item, answer: str) -> bool:
    """Whether an answer is what is counted: of the kind "mine" the mistake, else what is right."""
    low = answer.casefold()
    if item.kind == "mine":  # "Ben's dog is called Rex" is true
        return item.wrong[0].casefold() in low and item.name.casefold() not in low
    has = all(value.casefold() in low for value in item.right)
    wrong = any(value.casefold() in low for value in item.wrong)
    if item.kind in ("theirs", "apart"):
        wrong = wrong or low.startswith(("your ", "dein ", "you "))
    return has and not wrong


def main() -> None:
    """Ask everything in every form."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--n", type=int, default=42)
    parser.add_argument("--forms", default=",".join(["real", *FORMS]))
    parser.add_argument("--kinds", default="", help="only these, such as theirs,plain")
    parser.add_argument("--all", action="store_true", help="leave no note out")
    parser.add_argument("--show", action="store_true", help="print the answers")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    greedy = ChatOptions(temperature=0.0, repeat_penalty=1.0, max_tokens=24)
    with throwaway_home() as home:
        base = resolve("default", home)
        engine = LlamaEngine(base, ModelSettings(n_threads=options.threads), home)
        engine.set_adapters([reader_use(None, base)])
        for form in options.forms.split(","):
            counts: dict[str, list[bool]] = {}
            for item in items(options.n):
                if options.kinds and item.kind not in options.kinds.split(","):
                    continue
                memories = memories_of(item, not options.all)
                text = (
                    persona.build_turn(item.question, memories, engine.count_tokens, 1 << 20)[0]
                    if form == "real"
                    else content(item, memories, FORMS[form])
                )
                answer = engine.chat([Message("user", text)], greedy).read()
                counted = holds(item, answer)
                counts.setdefault(item.kind, []).append(counted)
                if options.show:
                    print(f"  {item.kind:6} {int(counted)} {text.splitlines()[1:]} -> {answer!r}")
            shares = [f"{kind} {Share(sum(c), len(c))}" for kind, c in counts.items()]
            print(f"{form:12}", *shares, flush=True)
        engine.close()


if __name__ == "__main__":
    main()
