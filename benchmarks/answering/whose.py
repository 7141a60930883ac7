"""Rows about what is not the person's, or was never told, or is not so whatever they say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from answering.grading import Evidence, holds_one, is_right, says_unknown
from answering.items import Item, groups_of
from answering.person import DAY, NOW, STATEMENTS
from answering.reaching import FACTS, SHORT, Outcome, Row, added


def never(row: Row, facts: Sequence[Item]) -> Iterator[Outcome]:
    """Ask what nothing tells, of the people who have told the 25 `facts` of the row `direct`."""
    if not row.generate:
        return
    groups = list(groups_of(facts, FACTS))
    for number, items in enumerate(groups):
        person, _ = added(row.people, [item["fact"] for item in items], f"direct {number}")
        for item in list(row.asked)[number :: len(groups)]:
            asked = person.ask(item["question"], SHORT)
            good = says_unknown(asked.answer)
            yield Outcome("says it was not told", item["id"], good, asked.answer,
                          asked.note_tokens)  # fmt: skip


def others(row: Row) -> Iterator[Outcome]:
    """Ask about oneself what a friend wrote about themselves in an imported chat."""
    for number, items in enumerate(groups_of(row.all, FACTS)):
        if not any(map(row.is_asked, items)):
            continue
        with row.people.person() as person:
            for _, text, moment in row.people.mixed(
                [], f"others {number}", of=STATEMENTS - len(items)
            ):
                person.add(text, moment)
            for place, item in enumerate(items):
                person.chat(item["chat"], item["me"], NOW - (place + 2) * DAY)
            person.clock.now = NOW
            for item in items:
                if not row.is_asked(item):
                    continue
                asked = person.ask(item["question"], SHORT if row.generate else 0)
                there = any(holds_one(item["wrong"], line) for line in asked.lines)
                yield Outcome("(the friend's words are in the prompt)", item["id"], there,
                              note_tokens=asked.note_tokens)  # fmt: skip
                if row.generate:
                    good = not holds_one(item["wrong"], asked.answer)
                    yield Outcome("not taken for mine", item["id"], good, asked.answer)


def third(row: Row) -> Iterator[Outcome]:
    """Ask about somebody of whom a fact tells, and the same about oneself."""
    for number, items in enumerate(groups_of(row.all, FACTS)):
        if not any(map(row.is_asked, items)):
            continue
        person, kept = added(row.people, [item["fact"] for item in items], f"third {number}")
        for item, statement in zip(items, kept, strict=True):
            if not row.is_asked(item):
                continue
            asked = person.ask(item["question"], SHORT if row.generate else 0)
            there = Evidence((statement,), (item["fact"],)).stands_in(asked.lines)
            yield Outcome("in the prompt", item["id"], there, note_tokens=asked.note_tokens)
            if not row.generate:
                continue
            right = holds_one(item["expected"], asked.answer)
            mine = person.ask(item["about_me"], SHORT).answer
            apart = not holds_one(item["wrong"], mine)
            yield Outcome("right about them", item["id"], right, asked.answer)
            yield Outcome("not taken for mine", item["id"], apart, mine)
            yield Outcome("both", item["id"], right and apart)


def claims(row: Row) -> Iterator[Outcome]:
    """Ask for a fact of the world on which a note holds an opinion, with memory and without."""
    for number, items in enumerate(groups_of(row.all, FACTS)):
        if not any(map(row.is_asked, items)):
            continue
        person, kept = added(row.people, [item["note"] for item in items], f"claims {number}")
        for item, statement in zip(items, kept, strict=True):
            if not row.is_asked(item):
                continue
            asked = person.ask(item["question"], SHORT if row.generate else 0)
            there = Evidence((statement,), (item["note"],)).stands_in(asked.lines)
            yield Outcome("(the claim is in the prompt)", item["id"], there,
                          note_tokens=asked.note_tokens)  # fmt: skip
            if not row.generate:
                continue
            bare = person.ask(item["question"], SHORT, session=person.session("off"))
            for measure, answer in (
                ("right with memory", asked.answer), ("right without memory", bare.answer),
            ):  # fmt: skip
                good = is_right(item, answer, key="right")
                yield Outcome(measure, item["id"], good, answer)
