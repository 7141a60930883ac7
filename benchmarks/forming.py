"""What is drawn from sentences as a statement about the person: precision and recall.

    python benchmarks/forming.py [--embedder minilm] [--requests FILE] [--json]

The sentences are `statement_items/*.jsonl`: 90 a language, half of them statements, by other hands
and of other topics than those that the classifier has learned from. Each is taken as a message of
its own. Three ways are compared: the rules alone, the classifier alone, and both as the product
uses them; for each what is taken at once ("sure") and with what waits for approval ("with
pending"). `--requests` is a file of requests that hold no fact (`memory_items/plain.jsonl`): the
share of them from which something is drawn all the same. Intervals are Wilson's, 95 %.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ondevice.home import Home
from ondevice.memory.embedders.choose import open_embedder
from ondevice.memory.facts import facts_in
from ondevice.memory.forming.classifier import LazyClassifier
from ondevice.memory.forming.form import Former, Text
from ondevice.memory.forming.sentences import Kind
from ondevice.settings import RecallSettings

ITEMS = Path(__file__).parent / "statement_items"
LANGUAGES = ("en", "de", "es", "fr", "it")
Z = 1.96
# Of each text the state of what is drawn from it: "active", "pending", or None.
Way = Callable[[Sequence[str]], list[str | None]]


@dataclass(frozen=True)
class Share:
    """A share of a whole, with its interval."""

    hits: int
    whole: int

    def told(self) -> dict[str, Any]:
        """Return it as numbers."""
        low, high = interval(self.hits, self.whole)
        share = self.hits / self.whole if self.whole else 0.0
        return {
            "share": round(share, 3),
            "interval": [round(low, 3), round(high, 3)],
            "hits": self.hits,
            "of": self.whole,
        }

    def __str__(self) -> str:
        """Return it in per cent."""
        told = self.told()
        low, high = told["interval"]
        return f"{told['share']:6.1%} [{low:.1%}–{high:.1%}]"


def interval(hits: int, whole: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share."""
    if not whole:
        return 0.0, 1.0
    share, extra = hits / whole, Z * Z / whole
    middle = share + extra / 2
    spread = Z * math.sqrt(share * (1 - share) / whole + extra / (4 * whole))
    return (middle - spread) / (1 + extra), (middle + spread) / (1 + extra)


def by_rules(texts: Sequence[str]) -> list[str | None]:
    """Return what the rules draw."""
    return ["active" if facts_in(text) else None for text in texts]


def by_classifier(embed: Callable[[Sequence[str]], Any], classifier: LazyClassifier) -> Way:
    """Return the way of the classifier alone, on each whole text."""

    def judge(texts: Sequence[str]) -> list[str | None]:
        held = classifier.get()
        states: list[str | None] = []
        for one in held.judge(texts, embed(texts)):
            pending = one.told >= held.unsure
            states.append(
                "active" if one.statement >= held.sure else "pending" if pending else None
            )
        return states

    return judge


def by_both(former: Former) -> Way:
    """Return the way of the product."""

    def form(texts: Sequence[str]) -> list[str | None]:
        states: list[str | None] = []
        for formed in former.form([Text(text, Kind.TURN) for text in texts]):
            found = {one.state for one in formed if not one.ending}
            states.append("active" if "active" in found else "pending" if found else None)
        return states

    return form


def measured(way: Way, rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Share]]:
    """Return precision and recall of what is sure, and with what waits."""
    states = way([row["text"] for row in rows])
    result: dict[str, dict[str, Share]] = {}
    for name, counted in (("sure", {"active"}), ("with pending", {"active", "pending"})):
        drawn = [state in counted for state in states]
        # A request that tells a fact may form a pending one: it counts neither way there.
        judged = [
            (taken, row["label"] == "statement")
            for taken, row in zip(drawn, rows, strict=True)
            if name == "sure" or not row.get("also")
        ]
        right = sum(taken and true for taken, true in judged)
        result[name] = {
            "precision": Share(right, sum(taken for taken, _ in judged)),
            "recall": Share(right, sum(true for _, true in judged)),
        }
    telling = [state for state, row in zip(states, rows, strict=True) if row.get("also")]
    result["requests that tell a fact"] = {
        "pending": Share(telling.count("pending"), len(telling)),
        "active": Share(telling.count("active"), len(telling)),
    }
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--embedder", default=RecallSettings().embedder)
    parser.add_argument("--requests", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    home = Home.default()
    embedder = open_embedder(options.embedder, home)
    classifier = LazyClassifier(embedder, home)
    ways: dict[str, Way] = {
        "rules": by_rules,
        "classifier": by_classifier(embedder.embed, classifier),
        "both": by_both(Former(classifier.get, embedder.embed)),
    }
    rows = {language: _rows(ITEMS / f"{language}.jsonl") for language in LANGUAGES}
    everything = [row for some in rows.values() for row in some]
    results = {
        name: {
            "all": measured(way, everything),
            **{language: measured(way, some) for language, some in rows.items()},
        }
        for name, way in ways.items()
    }
    drawn: dict[str, dict[str, Share]] = {}
    if options.requests is not None:
        texts = [row["text"] for row in _rows(options.requests)]
        for name, way in ways.items():
            states = way(texts)
            drawn[name] = {
                state: Share(states.count(state), len(texts)) for state in ("active", "pending")
            }
    if options.json:
        print(json.dumps(_plain({"embedder": embedder.name, **results, "requests": drawn})))
        return
    print(f"{len(everything)} sentences; embedder {embedder.name}")
    for name, languages in results.items():
        for language, groups in languages.items():
            for group, shares in groups.items():
                told = "  ".join(f"{what} {share}" for what, share in shares.items())
                print(f"{name:>10} {language:>4} {group:>26}: {told}")
    for name, shares in drawn.items():
        told = "  ".join(f"{what} {share}" for what, share in shares.items())
        print(f"{name:>10} requests that hold no fact: {told}")


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _plain(value: Any) -> Any:
    if isinstance(value, Share):
        return value.told()
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value


if __name__ == "__main__":
    main()
