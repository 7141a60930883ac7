"""Does a search find the right memory in ten languages, and across them?

44 memories a language and 34 questions about them, and 12 questions in another
language for each of 12 pairs (`multilingual_items/README.md`). A question is
answered when its memory is first, or among the first 5. Beside ours: BM25 (stop
words out, Porter stems), the English embedder and the multilingual one alone,
and plain reciprocal-rank fusion of BM25 and the latter. Whatever was chosen was
chosen by the `tune` questions; the table shows the `test` ones (`--split` shows
others). Prints two tables and writes `results/multilingual.json`.

    python benchmarks/multilingual.py [--split test|tune|all] [--embedder NAME]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from recall_quality import full_text, matches

from ondevice.home import Home
from ondevice.memory.embedders.choose import ENGLISH, MULTILINGUAL, open_embedder
from ondevice.memory.embedders.protocol import Embedder
from ondevice.memory.embedding import embedded
from ondevice.memory.search import Recall
from ondevice.settings import RecallSettings
from ondevice.store.profile import Profile
from ondevice.store.records import NewPassage

HERE = Path(__file__).parent
ITEMS = HERE / "multilingual_items"
LANGUAGES = ("en", "de", "es", "fr", "pt", "it", "nl", "pl", "ru", "tr")
FEW = 5


@dataclass(frozen=True)
class Question:
    """A question, and the memory that answers it."""

    text: str
    memory: str
    group: str  # a language, or a pair of them
    split: str


class Pool:
    """The memories of one language, searched in every way."""

    def __init__(
        self, language: str, home: Home, embedders: dict[str, Embedder], ours: str
    ) -> None:
        """Store the memories in a profile of their own and index them for the peers."""
        rows = read(f"{language}.memories.jsonl")
        self.ids = [row["id"] for row in rows]
        texts = [row["text"] for row in rows]
        self._words = full_text(texts)
        self._embedders = embedders
        self._vectors = {name: one.embed(texts) for name, one in embedders.items()}
        profile = Profile.create(home, language, passphrase="a benchmark's own")
        self._recall = Recall(profile, embedders[ours])
        self._of_record: dict[str, str] = {}
        self._store(profile, rows, embedders[ours])

    def _store(self, profile: Profile, rows: Sequence[dict[str, Any]], embedder: Embedder) -> None:
        """Store statements as facts and notes as imports of one line each: nothing is related."""
        for row in rows:
            vector = embedded(embedder, [row["text"]])
            if row["kind"] == "statement":
                record = profile.facts.add(row["text"], category="context", vector=vector)
                self._of_record[record.id] = row["id"]
            else:
                source = profile.sources.add("import", row["id"])
                (stored,) = profile.passages.add(source.id, [NewPassage(row["text"])], vector)
                self._of_record[stored.id] = row["id"]

    def ours(self, question: str) -> list[str]:
        """Search as a person does."""
        return [self._of_record[hit.id] for hit in self._recall.search(question, k=len(self.ids))]

    def words(self, question: str) -> list[str]:
        """Rank by BM25."""
        return [self.ids[row] for row in matches(self._words, question, len(self.ids))]

    def meaning(self, question: str, embedder: str) -> list[str]:
        """Rank by the cosine of an embedder."""
        vector = self._embedders[embedder].embed_queries([question])[0]
        order = np.argsort(-(self._vectors[embedder] @ vector), kind="stable")
        return [self.ids[row] for row in order]

    def fusion(self, question: str, embedder: str) -> list[str]:
        """Rank by the sum of 1 / (60 + rank) of BM25 and the embedder."""
        scores: dict[str, float] = {}
        for ranking in (self.words(question), self.meaning(question, embedder)):
            for rank, identity in enumerate(ranking, 1):
                scores[identity] = scores.get(identity, 0.0) + 1 / (60 + rank)
        return sorted(scores, key=lambda identity: -scores[identity])


def read(name: str) -> list[dict[str, Any]]:
    """Return the rows of a file of items."""
    return [json.loads(line) for line in (ITEMS / name).read_text("utf-8").splitlines() if line]


def questions(split: str) -> tuple[list[Question], list[Question]]:
    """Return the questions within a language, and those across languages."""

    def fitting(rows: Sequence[dict[str, Any]], group: str = "") -> list[Question]:
        return [
            Question(row["text"], row["memory"], group or row["pair"], row["split"])
            for row in rows
            if split in ("all", row["split"])
        ]

    within = [q for name in LANGUAGES for q in fitting(read(f"{name}.questions.jsonl"), name)]
    return within, fitting(read("across.jsonl"))


def ranked(pools: dict[str, Pool], asked: Sequence[Question], embedder: str) -> dict[str, Any]:
    """Return, for each way and group, the shares found first and among the first five."""
    ways = {
        "BM25": lambda pool, text: pool.words(text),
        "MiniLM": lambda pool, text: pool.meaning(text, ENGLISH),
        f"{embedder} alone": lambda pool, text: pool.meaning(text, embedder),
        "plain rank fusion": lambda pool, text: pool.fusion(text, embedder),
        "ours": lambda pool, text: pool.ours(text),
    }
    groups = list(dict.fromkeys(question.group for question in asked))
    results: dict[str, Any] = {}
    for way, search in ways.items():
        found: dict[str, list[tuple[bool, bool]]] = {group: [] for group in groups}
        for question in asked:
            ranking = search(pools[question.group[-2:]], question.text)
            first, few = ranking[:1], ranking[:FEW]
            found[question.group].append((question.memory in first, question.memory in few))
        results[way] = {
            group: [round(float(share), 3) for share in np.mean(hits, axis=0)]
            for group, hits in found.items()
        }
        everything = [hit for hits in found.values() for hit in hits]
        results[way]["all"] = [round(float(share), 3) for share in np.mean(everything, axis=0)]
    return results


def show(title: str, results: dict[str, Any], place: int) -> None:
    """Print one table."""
    groups = list(results["ours"])
    print(f"\n{title}")
    print(f"{'':<22}" + "".join(f"{group:>7}" for group in groups))
    for way, shares in results.items():
        print(f"{way:<22}" + "".join(f"{shares[group][place]:>7.2f}" for group in groups))


def main() -> None:
    """Store, ask, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--split", choices=("test", "tune", "all"), default="test")
    parser.add_argument("--embedder", default=RecallSettings().embedder)
    options = parser.parse_args()
    names = dict.fromkeys((ENGLISH, MULTILINGUAL, options.embedder))
    embedders = {name: open_embedder(name, Home.default()) for name in names}
    within, across = questions(options.split)
    with tempfile.TemporaryDirectory() as folder:
        home = Home.below(Path(folder))
        pools = {name: Pool(name, home, embedders, options.embedder) for name in LANGUAGES}
        results = {
            "within": ranked(pools, within, options.embedder),
            "across": ranked(pools, across, options.embedder),
        }
    print(f"{len(within)} questions in the language of the memories, {len(across)} in another")
    show("Among the first 5, same language", results["within"], 1)
    show("First, same language", results["within"], 0)
    show("First, question language > memory language", results["across"], 0)
    path = HERE / "results" / "multilingual.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"split": options.split, **results}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
