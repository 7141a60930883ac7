"""How often is the answer right in the prompt that a chat really sends?

`reader.py` lays held-out notes out by chance, so that it measures the reader
alone. Here the same statements are facts of an encrypted profile, recall chooses
what stands in the prefix and beside the question, and the base model answers
greedily without the reader and with it. Prints shares with 95 % intervals
(Wilson), and in how many prompts the value that was asked for stood beside the question.

    python benchmarks/reader_recall.py [--facts 25] [--n 200] [--reader FILE] [--threads N]
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

from reader import Arm, Share, reader_use
from reader_probes import Probe
from throwaway import throwaway_home

from ondevice.engine.llama import LlamaEngine
from ondevice.evaluation.arms import MemoryPrompts
from ondevice.home import Home
from ondevice.learning.reader.scene import Maker, Statement
from ondevice.memory.embedders.choose import open_embedder
from ondevice.memory.embedders.protocol import Embedder
from ondevice.memory.facts import FactCandidate, facts_in
from ondevice.memory.form import TAUGHT
from ondevice.memory.search import Recall
from ondevice.models.base_model import resolve
from ondevice.settings import ModelSettings, RecallSettings
from ondevice.store.profile import Profile

QUESTIONS_A_PERSON = 5


@dataclass(frozen=True)
class Person:
    """Made-up facts about one user, and questions for some of them."""

    facts: list[Statement]
    direct: list[tuple[str, Statement]]
    indirect: list[tuple[str, Statement]]


def person(number: int, n_facts: int) -> Person:
    """Return the person `number`, of the held-out half."""
    maker = Maker("test", random.Random(f"recall {n_facts} {number}"))
    facts = maker.world(n_facts)
    able = [s for s in facts if s.owner.is_user and s.attribute.hints]
    return Person(
        facts,
        [(maker.question(s), s) for s in maker.rng.sample(facts, min(QUESTIONS_A_PERSON, n_facts))],
        [
            (maker.rng.choice(s.attribute.hints), s)
            for s in maker.rng.sample(able, min(QUESTIONS_A_PERSON, len(able)))
        ],
    )


def probes_of(who: Person, prompts: MemoryPrompts) -> Iterator[Probe]:
    """Yield the person's questions as a chat would send them."""
    for kind in ("direct", "indirect"):
        for question, one in getattr(who, kind):
            yield Probe(kind, tuple(prompts.messages(question)), one.value)


def asked(
    home: Home, engine: LlamaEngine, embedder: Embedder, n_facts: int, n: int
) -> dict[str, list[Probe]]:
    """Return `n` questions of each kind, and make a profile for every five of them."""
    found: dict[str, list[Probe]] = {"direct": [], "indirect": []}
    number = 0
    while min(map(len, found.values())) < n:
        who = person(number, n_facts)
        profile = Profile.create(home, f"person-{number}")
        recall = Recall(profile, embedder)
        for one in who.facts:
            category = next((c.category for c in facts_in(one.speech)), "other")
            recall.add_fact(FactCandidate(one.note, category))
        for probe in probes_of(who, MemoryPrompts(profile, recall, engine, RecallSettings())):
            found[probe.kind].append(probe)
        profile.close()
        number += 1
    return {kind: probes[:n] for kind, probes in found.items()}


def beside(probes: list[Probe]) -> Share:
    """Return in how many prompts recall put what was asked for beside the question."""
    parts = (p.messages[-1].content.partition(TAUGHT.turn_head)[2] for p in probes)
    n = sum(p.right.lower() in part.lower() for p, part in zip(probes, parts, strict=True))
    return Share(n, len(probes))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--facts", type=int, default=25)
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--reader", type=Path, help="an adapter file instead of the shipped one")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    with throwaway_home() as home:
        base = resolve("default", home)
        with LlamaEngine(
            base, ModelSettings(n_ctx=2048, n_threads=options.threads), home
        ) as engine:
            embedder = open_embedder(RecallSettings().embedder, Home.default())
            sets = asked(home, engine, embedder, options.facts, options.n)
            arms = [Arm("base", engine, [])]
            arms.append(Arm("reader", engine, [reader_use(options.reader, base)]))
            print(f"{options.facts} facts{'base':>20}{'reader':>22}{'beside the question':>24}")
            for kind, probes in sets.items():
                for arm in arms:
                    arm.run(kind, probes)
                cells = [arm.results[kind] for arm in arms] + [beside(probes)]
                print(f"{kind:10}" + "".join(f"{cell!s:>22}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
