"""Does what a memory knows reach the prompt, and from there the answer?

Items of `memory_items/` (see its README), told to a profile of their own among fillers, 300
statements in all, so that they do not all fit; then asked in a new conversation that leaves no
trace, through the code that a chat goes through, with the default settings: 600 tokens of notes
before the conversation and 600 beside the request. Answers are greedy. Shares come with 95 %
intervals (Wilson). The graders are patterns (`answering/grading.py`); there is no judge.

    indirect    requests that a fact matters for without sharing a word, the fact one of 300 told
                in the same way (`memory add`; said in an earlier conversation; in an imported
                note; on an imported diary page): the fact is in the prompt; the answer respects it
    plain       requests that need no memory: no note stands beside them (those before the
                conversation may); as many answers are right with memory as without
    direct      25 facts among 300: in the prompt; the answer is right; it falsely says "not told"
    same_talk   told in turn 3, asked in turn 35 of the same conversation; the answers to the small
                talk between are ready ones ("Sure."), put in through the session to save time
    when        said in a chat on a day, asked on a later one, absolute and relative times: the day
                of asking is the day of the memory's clock
    newer       both values said in chats, in order, in different words: the newer one is in the
                prompt; the older one is not, or with a word that it holds no longer; the answer
                has the newer value and not the older one
    never       nothing that was told answers it: the answer says so, or asks
    others      a friend wrote it about themselves in an imported chat (WhatsApp, `--as`): the
                answer does not have the friend's value
    third       a fact about somebody else: the answer about them is right, and the same question
                about oneself is not answered with it
    claims      a note holds an opinion, the question is for a fact: as many right as without it
    first_token how long the first token of a later turn takes with 600 tokens of notes before the
                conversation, and without memory; no items; not with `--prompts-only`

A line of the prompt holds a fact if it has the statement as it is kept, or enough words (70 %) of
the fact or of the sentence that told it.

    python benchmarks/memory_to_answer.py [--model NAME|FILE] [--rows indirect,plain] [--items N]
        [--split test|tune] [--prompts-only] [--json PATH]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from answering import reaching, times, whose
from answering.grading import Share
from answering.items import items_of, some_of
from answering.person import People
from answering.reaching import Outcome, Row
from answering.waiting import first_token
from throwaway import throwaway_home

from ondevice.engine.llama import LlamaEngine
from ondevice.home import Home
from ondevice.memory.embedders.choose import open_embedder
from ondevice.models.base_model import resolve
from ondevice.settings import ModelSettings, Settings

WAITING = "first_token"
Rows = dict[str, Callable[[Row], Iterator[Outcome]]]


def rows_of(split: str) -> Rows:
    """Return what measures each row."""
    return {
        "indirect": reaching.indirect,
        "plain": lambda row: reaching.plain(row, items_of("indirect", split)),
        "direct": reaching.direct,
        "same_talk": lambda row: times.same_talk(row, split),
        "when": times.when,
        "newer": times.newer,
        "never": lambda row: whose.never(row, items_of("direct", split)),
        "others": whose.others,
        "third": whose.third,
        "claims": whose.claims,
    }


class Progress:
    """Says on the error stream how far a row is, and how long it may take yet."""

    def __init__(self, row: str, total: int) -> None:
        """Begin a row of so many items."""
        self._row, self._total, self._began, self._told = row, total, time.monotonic(), 0.0
        self._seen: dict[str, set[str]] = defaultdict(set)

    def saw(self, outcome: Outcome) -> None:
        """Count an item by the measure that has come least far."""
        self._seen[outcome.measure].add(outcome.item)
        now = time.monotonic()
        if now - self._told < (2 if sys.stderr.isatty() else 60):
            return
        self._told = now
        done = min(map(len, self._seen.values()))
        left = (now - self._began) / max(done, 1) * (self._total - done)
        text = f"{self._row}: {done} of {self._total}, about {left / 60:.0f} min left"
        if sys.stderr.isatty():
            print(f"\r{text:60}", end="", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)

    def end(self) -> None:
        """Clear the line."""
        if sys.stderr.isatty():
            print(f"\r{'':60}\r", end="", file=sys.stderr, flush=True)


def measured(name: str, measure: Callable[[Row], Iterator[Outcome]], row: Row) -> list[Outcome]:
    """Return the outcomes of a row, and tell how far it is meanwhile."""
    progress, found = Progress(name, len(row.asked)), []
    for outcome in measure(row):
        progress.saw(outcome)
        found.append(outcome)
    progress.end()
    return found


def table_of(outcomes: list[Outcome]) -> dict[str, Share]:
    """Return the share of each measure, in the order in which they came."""
    by_measure: dict[str, list[bool]] = defaultdict(list)
    for one in outcomes:
        by_measure[one.measure].append(one.good)
    return {measure: Share(sum(good), len(good)) for measure, good in by_measure.items()}


def print_row(name: str, outcomes: list[Outcome]) -> None:
    """Print the shares of a row."""
    for measure, share in table_of(outcomes).items():
        print(f"{name:10} {measure:36} {share.of:4}  {share}", flush=True)
    if used := [one.note_tokens for one in outcomes if one.note_tokens]:
        mean, most = sum(used) / len(used), max(used)
        print(f"{name:10} tokens of notes: {mean:.0f} on average, {most} at most", flush=True)


def waited(people: People) -> dict[str, object]:
    """Measure and print the wait for the first token; return it for a file."""
    waiting = first_token(people)
    print(
        f"{WAITING} with {waiting.prefix_tokens} tokens of notes {waiting.with_memory:.3f} s,"
        f" without {waiting.without:.3f} s, ratio {waiting.with_memory / waiting.without:.2f};"
        f" {waiting.evaluated:.0f} tokens evaluated, {100 * waiting.cached:.0f} % from the cache",
        flush=True,
    )
    return {"row": WAITING, **vars(waiting)}


def as_json(name: str, outcomes: list[Outcome]) -> dict[str, object]:
    """Return a row for a file: the shares, and every item."""
    shares = {
        measure: {"count": share.count, "n": share.of, "interval": share.interval()}
        for measure, share in table_of(outcomes).items()
    }
    return {"row": name, "shares": shares, "items": [vars(one) for one in outcomes]}


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="default", help="a name or a GGUF file")
    parser.add_argument("--rows", default="", help="comma-separated; all if not given")
    parser.add_argument("--items", type=int, help="so many of each row, the same every time")
    parser.add_argument("--split", choices=("test", "tune"), default="test")
    parser.add_argument("--prompts-only", action="store_true", help="generate nothing")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write shares and answers to this file")
    return parser.parse_args()


def rows_measured(
    people: People, names: Sequence[str], options: argparse.Namespace
) -> Iterator[dict[str, object]]:
    """Measure and print the rows, one after another, and yield each for a file."""
    rows = rows_of(options.split)
    for name in names:
        if name == WAITING:
            if not options.prompts_only:
                yield waited(people)
            continue
        items = items_of(name, options.split)
        asked = some_of(items, options.items, name)
        row = Row(people, asked, items, generate=not options.prompts_only)
        outcomes = measured(name, rows[name], row)
        print_row(name, outcomes)
        yield as_json(name, outcomes)


def main() -> None:
    """Run the benchmark."""
    options = parsed()
    there_are = [*rows_of(options.split), WAITING]
    names = options.rows.split(",") if options.rows else there_are
    if unknown := set(names) - set(there_are):
        sys.exit(f"There is no row {', '.join(sorted(unknown))}; there are {', '.join(there_are)}.")
    with throwaway_home() as home:
        base = resolve(options.model, home)
        embedder = open_embedder(Settings().recall.embedder, Home.default())
        told: dict[str, object] = {
            "model": base.name, "sha256": base.sha256, "embedder": embedder.name,
            "split": options.split, "day": time.strftime("%F"),
        }  # fmt: skip
        print(f"{base.name}, {embedder.name}, {options.split} items", flush=True)
        fillers = [item["text"] for item in items_of("fillers", options.split)]
        results: list[dict[str, object]] = []
        with (
            LlamaEngine(base, ModelSettings(n_threads=options.threads), home) as engine,
            People(home, engine, embedder, fillers) as people,
        ):
            for result in rows_measured(people, names, options):
                results.append(result)
                if options.json is not None:  # after each row: what was measured stays measured
                    text = json.dumps({**told, "rows": results}, indent=1)
                    options.json.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
