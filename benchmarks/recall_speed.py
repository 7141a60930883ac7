"""How fast is recall over 100,000 memories?

Builds an encrypted profile in a temporary folder with synthetic notes and
vectors, then measures the cold open (profile and index), 200 mixed questions
including their embedding, brute-force MiniLM over a plain array as the peer,
and the import of short records with real embeddings. Prints a table and writes
`results/recall_speed.json`.

    python benchmarks/recall_speed.py [--memories N]
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ondevice.home import Home
from ondevice.importers import ImportedChunk, ImportedDocument
from ondevice.memory.embedders.choose import open_embedder
from ondevice.memory.ingest import ingest
from ondevice.memory.search import Recall
from ondevice.settings import RecallSettings
from ondevice.store.profile import Profile
from ondevice.store.records import NewPassage
from ondevice.store.vectors import Embedded

QUESTIONS = 200
IMPORTED = 3000
PASSPHRASE = "a benchmark's own"
STARTS = ["where is the", "what did I say about", "when did we buy the", "who knows about", "why"]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memories", type=int, default=100_000)
    count = parser.parse_args().memories
    chance = random.Random(11)
    words = _vocabulary(chance)
    with tempfile.TemporaryDirectory() as folder:
        home = Home.below(Path(folder))
        _fill(home, count, words, chance)
        results = _measure(home, words, chance)
        results["import records/s"] = _import_rate(home, words, chance)
    for name, value in results.items():
        print(f"{name:<44}{value:>10.1f}")
    path = Path(__file__).parent / "results" / "recall_speed.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"memories": count, **results}, indent=1) + "\n")


def _vocabulary(chance: random.Random) -> list[str]:
    syllables = ["ba", "ke", "li", "mo", "nu", "ra", "so", "ti", "ver", "dan", "gel", "por"]
    return ["".join(chance.choices(syllables, k=chance.randint(2, 4))) for _ in range(20_000)]


def _sentence(words: list[str], chance: random.Random) -> str:
    # Squaring makes some words common: the first occurs in every tenth text.
    chosen = [words[int(len(words) * chance.random() ** 2)] for _ in range(chance.randint(6, 24))]
    return "I saw the " + " ".join(chosen) + "."


def _fill(home: Home, count: int, words: list[str], chance: random.Random) -> None:
    numbers = np.random.default_rng(11)
    embedder = open_embedder(RecallSettings().embedder, Home.default())
    with Profile.create(home, "default", passphrase=PASSPHRASE) as profile:
        for start in range(0, count, 2000):
            size = min(2000, count - start)
            vectors = numbers.standard_normal((size, embedder.dimensions)).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            source = profile.sources.add("import", f"notes {start}")
            passages = [NewPassage(text=_sentence(words, chance)) for _ in range(size)]
            made = Embedded(embedder.sha256, embedder.name, vectors)
            profile.passages.add(source.id, passages, made)


def _measure(home: Home, words: list[str], chance: random.Random) -> dict[str, float]:
    embedder = open_embedder(RecallSettings().embedder, Home.default())
    embedder.embed(["warm"])
    started = time.perf_counter()
    profile = Profile.open(home, "default", ask_passphrase=lambda: PASSPHRASE)
    unlocked = time.perf_counter()
    recall = Recall(profile, embedder)
    recall.search("warm")  # reads the index
    opened = time.perf_counter()
    questions = [
        f"{chance.choice(STARTS)} {_sentence(words, chance)[10:60]}?" for _ in range(QUESTIONS)
    ]
    ours = _milliseconds(lambda query: recall.search(query, k=6), questions)
    matrix = profile.vectors.all(embedder.sha256)[1].astype(np.float32)

    def brute_force(query: str) -> np.ndarray:
        return np.argpartition(-(matrix @ embedder.embed_queries([query])[0]), 6)[:6]

    peer = _milliseconds(brute_force, questions)
    profile.close()
    return {
        "cold open s: key (Argon2id) and database": unlocked - started,
        "cold open s: index": opened - unlocked,
        "search ms, median": float(np.median(ours)),
        "search ms, p95": float(np.percentile(ours, 95)),
        "brute force ms, median": float(np.median(peer)),
        "brute force ms, p95": float(np.percentile(peer, 95)),
    }


def _milliseconds(search: Callable[[str], Any], questions: list[str]) -> list[float]:
    spent = []
    for question in questions:
        started = time.perf_counter()
        search(question)
        spent.append(1000 * (time.perf_counter() - started))
    return spent


def _import_rate(home: Home, words: list[str], chance: random.Random) -> float:
    def chunks() -> Iterator[ImportedChunk]:
        for _ in range(IMPORTED):
            yield ImportedChunk(_short(chance), role="user")

    document = ImportedDocument("chat.jsonl", "0" * 64, chunks())
    with Profile.create(home, "import", passphrase=PASSPHRASE) as profile:
        embedder = open_embedder(RecallSettings().embedder, Home.default())
        started = time.perf_counter()
        report = ingest(profile, embedder, [document])
        return report.passages / (time.perf_counter() - started)


def _short(chance: random.Random) -> str:
    things = ["bicycle", "garden", "meeting", "soup", "train", "neighbour", "holiday", "piano"]
    return (
        f"We talked about the {chance.choice(things)} and the {chance.choice(things)}, "
        f"and I said that number {chance.randint(1, 9999)} is fine with me."
    )


if __name__ == "__main__":
    main()
