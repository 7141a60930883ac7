"""Rows about time: when something was, which of two values is the newer one, one long talk."""

from __future__ import annotations

import datetime
import itertools
import random
from collections.abc import Iterator, Sequence

from answering.grading import Evidence, is_marked, is_right
from answering.items import Item, groups_of, items_of
from answering.person import DAY, NOW, STATEMENTS, People, Person
from answering.reaching import FACTS, SHORT, Outcome, Row, added

TOLD_IN, ASKED_IN = 3, 35  # turns of one talk
# Ready answers of the talk between: what is measured is whether the model goes back to what was
# told, and not what it makes of small talk.
READY = ("Sure.", "Happy to help.", "Alright.", "Of course.", "Good question!", "Here you are.")
MINUTE = 60.0


def moment_of(day: str, hour: int = 12) -> float:
    """Return an hour of a day, in seconds since 1970."""
    return datetime.datetime.fromisoformat(f"{day}T{hour:02}:00").timestamp()


def when(row: Row) -> Iterator[Outcome]:
    """Ask for the day of something, later, of what was said in a chat on a day of its own.

    A person's life goes by in order: when a question is asked, what is said later is not known.
    """
    ordered = sorted(row.all, key=lambda item: item["asked_on"])
    for number, items in enumerate(groups_of(ordered, FACTS)):
        if not any(map(row.is_asked, items)):
            continue
        with row.people.person() as person:
            yield from _lived(row, person, items, f"when {number}")


def _lived(row: Row, person: Person, items: Sequence[Item], seed: str) -> Iterator[Outcome]:
    first = min(moment_of(item["said_on"]) for item in items)
    last = max(moment_of(item["asked_on"]) for item in items)
    for text, moment in _fillers(row.people, STATEMENTS - len(items), seed, first, last):
        person.clock.now = moment
        person.memory.keep(text)
    events = [(moment_of(item["said_on"], 9), 0, item) for item in items]
    events += [(moment_of(item["asked_on"], 18), 1, item) for item in items if row.is_asked(item)]
    events.sort(key=lambda event: event[:2])
    kept: dict[str, list[str]] = {}
    for moment, asking, item in events:
        if not asking:
            kept[item["id"]] = person.say(item["said"], moment)
            continue
        person.clock.now = moment
        asked = person.ask(item["question"], SHORT if row.generate else 0)
        signs = Evidence(tuple(kept[item["id"]]), (item["said"],))
        there = signs.stands_in(asked.lines)
        yield Outcome("in the prompt", item["id"], there, note_tokens=asked.note_tokens)
        if row.generate:
            good = is_right(item, asked.answer)
            yield Outcome("right", item["id"], good, asked.answer)
            yield Outcome(f"right, {item['kind']}", item["id"], good, asked.answer)


def _fillers(
    people: People, n: int, seed: str, first: float, last: float
) -> list[tuple[str, float]]:
    """Return fillers and when they were told: over the months before `first` and until `last`."""
    texts, rng = people.fillers(n, seed), random.Random(f"days {seed}")
    moments = sorted(rng.uniform(first - 150 * DAY, last) for _ in texts)
    return list(zip(texts, moments, strict=True))


def newer(row: Row) -> Iterator[Outcome]:
    """Ask for what has changed, of somebody who said both values in chats, years apart or less."""
    for number, items in enumerate(groups_of(row.all, FACTS)):
        if not any(map(row.is_asked, items)):
            continue
        with row.people.person() as person:
            kept = _changed(row.people, person, items, f"newer {number}")
            for item in items:
                if row.is_asked(item):
                    yield from _newer(row, person, item, kept)


def _changed(
    people: People, person: Person, items: Sequence[Item], seed: str
) -> dict[tuple[str, str], list[str]]:
    events = [(moment_of(one[f"{key}_on"]), one["id"], key, one[key])
              for one in items for key in ("older", "newer")]  # fmt: skip
    first = min(event[0] for event in events)
    n = STATEMENTS - len(events)
    events += [(at, "", "filler", text) for text, at in _fillers(people, n, seed, first, NOW)]
    kept: dict[tuple[str, str], list[str]] = {}
    for moment, ident, key, text in sorted(events):
        if key == "filler":
            person.add(text, moment)
        else:
            kept[ident, key] = person.say(text, moment)
    person.clock.now = NOW
    return kept


def _newer(
    row: Row, person: Person, item: Item, kept: dict[tuple[str, str], list[str]]
) -> Iterator[Outcome]:
    asked = person.ask(item["question"], SHORT if row.generate else 0)
    new, old = (
        list(Evidence(tuple(kept[item["id"], key]), (item[key],)).lines_in(asked.lines))
        for key in ("newer", "older")
    )
    yield Outcome("the newer is in the prompt", item["id"], bool(new),
                  note_tokens=asked.note_tokens)  # fmt: skip
    stale = [line for line in old if line not in new and not is_marked(line)]
    yield Outcome("the older is out or marked", item["id"], not stale)
    if row.generate:
        yield Outcome("right", item["id"], is_right(item, asked.answer), asked.answer)


def same_talk(row: Row, split: str) -> Iterator[Outcome]:
    """Ask in turn 35 for what was told in turn 3 of the same talk, with small talk between.

    The answers between are ready ones; all turns go through the session, which keeps and recalls.
    """
    talk = [item["text"] for item in items_of("small_talk", split)]
    person, _ = added(row.people, [], "same talk")
    for item in row.asked:
        rng = random.Random(f"talk {item['id']}")
        between = iter(rng.sample(talk, min(ASKED_IN - 2, len(talk))))
        ready = itertools.cycle(rng.sample(READY, len(READY)))
        session = person.session("on")
        for turn in range(1, ASKED_IN):
            person.clock.now += MINUTE
            text = item["told"] if turn == TOLD_IN else next(between)
            person.pass_turn(session, text, next(ready))
        asked = person.ask(item["question"], SHORT if row.generate else 0, session=session)
        there = Evidence((item["told"],), (item["told"],)).stands_in(asked.lines)
        yield Outcome("in the prompt", item["id"], there, note_tokens=asked.note_tokens)
        if row.generate:
            yield Outcome("right", item["id"], is_right(item, asked.answer), asked.answer)
