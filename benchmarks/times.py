"""Are the times that a text names found, and are they the right days?

Labelled sentences in `time_items/*.jsonl` (half of them name no time, with words that tempt: "may",
versions, prices, phone numbers), tuned on one half and measured on the other. For each language:

    precision  of the phrases found, those that overlap a labelled one
    days       … and whose first and last day are the labelled ones
    recall     of the labelled phrases, those found with the right days
    quiet      of the sentences without a time, those in which nothing is found

with 95 % intervals (Wilson), and the time a sentence takes. `--peer` measures dateparser beside it,
if it is installed; it knows only points of time, so its days are right if the point lies within.

    python benchmarks/times.py [--split tune] [--language de] [--misses] [--peer] [--json PATH]
"""

from __future__ import annotations

import argparse
import datetime
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ondevice.memory.times import resolve

ITEMS = Path(__file__).parent / "time_items"
Found = tuple[str, datetime.date, datetime.date]  # phrase, first and last day
Reader = Callable[[str, datetime.date, str], list[Found]]


@dataclass
class Count:
    """So many of so many."""

    hits: int = 0
    of: int = 0

    def add(self, hit: bool) -> None:
        """Count one more."""
        self.hits += hit
        self.of += 1

    def interval(self) -> tuple[float, float]:
        """Return Wilson's 95 % interval."""
        n, z = max(self.of, 1), 1.959964
        p = self.hits / n
        middle, half = p + z * z / (2 * n), z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
        return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)

    def __str__(self) -> str:
        """Return the share and its interval in percent."""
        low, high = self.interval()
        return f"{100 * self.hits / max(self.of, 1):5.1f} ({100 * low:3.0f}–{100 * high:3.0f})"


@dataclass
class Score:
    """How one reader did in one language."""

    precision: Count = field(default_factory=Count)
    days: Count = field(default_factory=Count)
    recall: Count = field(default_factory=Count)
    quiet: Count = field(default_factory=Count)
    seconds: float = 0.0
    texts: int = 0


def ours(text: str, said: datetime.date, language: str) -> list[Found]:
    """Find times as the product does, the language not given."""
    return [(mention.phrase, mention.start, mention.end) for mention in resolve(text, said)]


def dateparser_search(text: str, said: datetime.date, language: str) -> list[Found]:
    """Find times with dateparser, the language given."""
    from dateparser.search import search_dates

    base = datetime.datetime.combine(said, datetime.time(12))
    found = search_dates(text, languages=[language], settings={"RELATIVE_BASE": base})
    return [(phrase, day.date(), day.date()) for phrase, day in found or []]


def overlaps(text: str, one: str, other: str) -> bool:
    """Say whether two phrases of a text share words."""
    a, b = text.find(one), text.find(other)
    return min(a, b) >= 0 and max(a, b) < min(a + len(one), b + len(other))


def same_days(found: Found, item: dict[str, str], points: bool) -> bool:
    """Say whether the days are the labelled ones."""
    start, end = (datetime.date.fromisoformat(item[name]) for name in ("start", "end"))
    return start <= found[1] <= end if points else (start, end) == (found[1], found[2])


def measure(items: list[dict[str, Any]], language: str, reader: Reader, misses: bool) -> Score:
    """Let a reader read all items of a language."""
    score, points = Score(), reader is dateparser_search
    for item in items:  # what is read once (words, patterns) is not timed
        reader(item["text"], datetime.date.fromisoformat(item["said"]), language)
    for item in items:
        began = time.perf_counter()
        found = reader(item["text"], datetime.date.fromisoformat(item["said"]), language)
        score.seconds += time.perf_counter() - began
        score.texts += 1
        right = 0
        for one in found:
            labels = [t for t in item["times"] if overlaps(item["text"], one[0], t["phrase"])]
            score.precision.add(bool(labels))
            hit = any(same_days(one, label, points) for label in labels)
            score.days.add(hit)
            right += hit
        for at in range(len(item["times"])):
            score.recall.add(at < right)
        if not item["times"]:
            score.quiet.add(not found)
        if misses and (right < len(item["times"]) or len(found) > right):
            print(f"  {item['text']}\n    labelled {item['times']}\n    found {found}")
    return score


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--split", default="test", choices=("tune", "test"))
    parser.add_argument("--language", help="one language only")
    parser.add_argument("--misses", action="store_true", help="print what went wrong")
    parser.add_argument("--peer", action="store_true", help="measure dateparser, too")
    parser.add_argument("--json", type=Path, metavar="PATH")
    arguments = parser.parse_args()
    readers: dict[str, Reader] = {"ours": ours}
    if arguments.peer:
        readers["dateparser"] = dateparser_search
    results: dict[str, dict[str, Any]] = {}
    for name, reader in readers.items():
        print(f"{name:10}  precision      days           recall         quiet           ms a text")
        for path in sorted(ITEMS.glob(f"{arguments.language or '*'}.jsonl")):
            lines = path.read_text("utf-8").splitlines()
            items = [item for item in map(json.loads, lines) if item["split"] == arguments.split]
            score = measure(items, path.stem, reader, arguments.misses)
            shares = (score.precision, score.days, score.recall, score.quiet)
            milliseconds = 1000 * score.seconds / max(score.texts, 1)
            print(f"{path.stem:10}", *(f"{share!s:14}" for share in shares), f"{milliseconds:.2f}")
            results.setdefault(name, {})[path.stem] = asdict(score)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
