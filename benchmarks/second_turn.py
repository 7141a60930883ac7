"""What does a persona cost at the second turn? Time to first token, with and without one.

    python benchmarks/second_turn.py [--turns 8] [--json]

Both assistants use the real default model.  The first has a persona prefix of
about 600 tokens; its KV cache keeps the prefix warm, so a second turn should
evaluate only new tokens.  Retrieval beside the turn is off, because it adds
tokens that depend on the question.  The time is what a person waits: from the
question to the first piece of the answer.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import tempfile
import time
from pathlib import Path

from ondevice import Assistant, Home, Settings

TARGET_RATIO = 1.3
QUESTIONS = [
    "Tell me something about the sea.",
    "And about mountains?",
    "What about rivers?",
    "Name one animal of the desert.",
    "And one of the forest?",
    "What do bees eat?",
    "Why is the sky blue?",
    "What is rain?",
    "How high can birds fly?",
]


def settings() -> Settings:
    """Return the defaults with greedy, short answers and room for 600 tokens of persona."""
    defaults = Settings()
    return dataclasses.replace(
        defaults,
        generation=dataclasses.replace(defaults.generation, temperature=0.0, max_tokens=24),
        recall=dataclasses.replace(defaults.recall, prefix_tokens=600, memories=0),
    )


def first_token_seconds(folder: Path, facts: int, turns: int) -> tuple[list[float], int, int]:
    """Return the seconds to the first token of turns 2…, prefix tokens, and tokens evaluated."""
    home = Home.below(folder)
    with Assistant.open(home=home, settings=settings(), warn=lambda _: None) as me:
        for number in range(facts):
            me.remember(
                f"The user's favourite place number {number} is the town of Placename{number}, "
                "which they like for its quiet streets.",
                pinned=True,
            )
        me.ask(QUESTIONS[0])
        prefix = me.conversation.shown().prefix or ""
        prefix_tokens = me.engine.count_tokens(prefix) if prefix else 0
        seconds, evaluated = [], 0
        for question in QUESTIONS[1 : turns + 1]:
            started = time.perf_counter()
            pieces = iter(reply := me.chat(question))
            next(pieces)  # saving the turn, recall, prompt evaluation, first token
            seconds.append(time.perf_counter() - started)
            for _ in pieces:
                pass
            evaluated = max(evaluated, reply.usage.prompt_tokens - reply.usage.cached_tokens)
    return seconds, prefix_tokens, evaluated


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with_persona, without = [], []
    for _ in range(arguments.rounds):  # interleaved, so that a busy moment hits both
        with tempfile.TemporaryDirectory() as folder:
            seconds, prefix_tokens, evaluated = first_token_seconds(
                Path(folder), 60, arguments.turns
            )
            with_persona += seconds
        with tempfile.TemporaryDirectory() as folder:
            without += first_token_seconds(Path(folder), 0, arguments.turns)[0]
    ours, bare = statistics.median(with_persona), statistics.median(without)
    result = {
        "prefix_tokens": prefix_tokens,
        "tokens_evaluated_at_most": evaluated,
        "with_persona_seconds": ours,
        "without_seconds": bare,
        "ratio": ours / bare,
        "target": TARGET_RATIO,
    }
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"persona prefix            {prefix_tokens} tokens")
    print(f"evaluated at a later turn {evaluated} tokens at most")
    print(f"first token with persona  {ours * 1000:.1f} ms")
    print(f"first token without       {bare * 1000:.1f} ms")
    print(f"ratio                     {ours / bare:.2f}   (target ≤ {TARGET_RATIO})")


if __name__ == "__main__":
    main()
