"""Rows about finding: requests that need a fact, requests that need none, direct questions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from answering.grading import Evidence, holds_one, is_right, respects, says_unknown, sentence_of
from answering.items import Item, groups_of
from answering.person import NOW, PAGE, People, Person

WAYS = {"add": "memory add", "said": "said", "note": "imported note", "diary": "diary page"}
KEYS = {"add": "fact", "said": "said", "note": "note", "diary": "diary"}
FACTS = 25  # of the items of a file in one person's memory
SHORT, LONG = 64, 160  # tokens of an answer


@dataclass(frozen=True)
class Outcome:
    """What came of one item: whether it is as it should be by one measure."""

    measure: str
    item: str
    good: bool
    answer: str | None = None
    note_tokens: int = 0


@dataclass(frozen=True)
class Row:
    """The items of a row: those that are asked, and all that are told."""

    people: People
    asked: Sequence[Item]
    all: Sequence[Item]
    generate: bool

    def is_asked(self, item: Item) -> bool:
        """Whether an item is among those that are asked."""
        return any(one["id"] == item["id"] for one in self.asked)


def told_by(people: People, items: Sequence[Item], way: str) -> tuple[Person, list[Evidence]]:
    """Return whose facts these are, told among fillers all in one way, and what shows each."""
    seed = f"{items[0]['person']} {way}"
    return people.known(seed, lambda person: _tell(person, people, items, way, seed))


def _tell(
    person: Person, people: People, items: Sequence[Item], way: str, seed: str
) -> list[Evidence]:
    texts = [item[KEYS[way]] for item in items]
    kept: list[tuple[str, ...]] = [()] * len(items)
    mixed = people.mixed(texts, seed)
    if way in ("add", "said"):
        for number, text, moment in mixed:
            statements = [person.add(text, moment)] if way == "add" else person.say(text, moment)
            if number is not None and way == "add":  # what was taken from a message may be else
                kept[number] = tuple(statements)
    else:
        pages = list(_pages(mixed, PAGE if way == "diary" else 2))
        person.write(pages, diary=way == "diary")
    person.clock.now = NOW
    return [
        Evidence(statements, (item["fact"], sentence_of(item["fact"], text)))
        for item, text, statements in zip(items, texts, kept, strict=True)
    ]


def _pages(
    mixed: Sequence[tuple[int | None, str, float]], size: int
) -> Iterator[tuple[str, float]]:
    """Yield each text that was told, and the fillers between them, some on a page."""
    held: list[str] = []
    for number, text, moment in mixed:
        if number is not None:
            yield text, moment
            continue
        held.append(text if text[-1] in ".!?" or size == 2 else f"{text}.")
        if len(held) == size:
            yield (" " if size == PAGE else "\n").join(held), moment
            held = []
    if held:
        yield "\n".join(held), mixed[-1][2]


def indirect(row: Row) -> Iterator[Outcome]:
    """Ask what a fact matters for without sharing a word with it, told in each of four ways."""
    for name in dict.fromkeys(item["person"] for item in row.all):
        items = [item for item in row.all if item["person"] == name]
        if not any(map(row.is_asked, items)):
            continue
        for way, shown in WAYS.items():
            person, evidence = told_by(row.people, items, way)
            for item, signs in zip(items, evidence, strict=True):
                if row.is_asked(item):
                    yield from _indirect(row, person, item, signs, shown)


def _indirect(
    row: Row, person: Person, item: Item, signs: Evidence, shown: str
) -> Iterator[Outcome]:
    asked = person.ask(item["request"], LONG if row.generate else 0)
    there = signs.stands_in(asked.lines)
    yield Outcome(f"in the prompt, {shown}", item["id"], there, note_tokens=asked.note_tokens)
    if row.generate:
        good = respects(item, asked.answer)
        yield Outcome(f"answer respects it, {shown}", item["id"], good, asked.answer)


def plain(row: Row, persons: Sequence[Item]) -> Iterator[Outcome]:
    """Ask what needs no memory, of people who have one of `persons`' facts among 300."""
    names = list(dict.fromkeys(item["person"] for item in persons))
    for place, name in enumerate(names):
        items = list(row.asked)[place :: len(names)]
        if not items:
            continue
        told = [item for item in persons if item["person"] == name]
        for way, shown in WAYS.items():
            person, _ = told_by(row.people, told, way)
            for item in items:
                yield from _plain(row, person, item, way, shown)


def _plain(row: Row, person: Person, item: Item, way: str, shown: str) -> Iterator[Outcome]:
    answers = row.generate and bool(item["expected"]) and way == "add"
    asked = person.ask(item["text"], SHORT if answers else 0)
    yield Outcome(
        f"no note beside it, {shown}", item["id"], not asked.beside,
        note_tokens=asked.note_tokens,
    )  # fmt: skip
    if answers:
        yield Outcome("right with memory", item["id"], is_right(item, asked.answer), asked.answer)
        bare = person.ask(item["text"], SHORT, session=person.session("off"))
        yield Outcome("right without memory", item["id"], is_right(item, bare.answer), bare.answer)


def direct(row: Row) -> Iterator[Outcome]:
    """Ask for one of 25 facts among 300 statements, and note where it is denied."""
    for number, items in enumerate(groups_of(row.all, FACTS)):
        if not any(map(row.is_asked, items)):
            continue
        person, kept = added(row.people, [item["fact"] for item in items], f"direct {number}")
        for item, statement in zip(items, kept, strict=True):
            if row.is_asked(item):
                yield from _direct(row, person, item, statement)


def _direct(row: Row, person: Person, item: Item, statement: str) -> Iterator[Outcome]:
    asked = person.ask(item["question"], SHORT if row.generate else 0)
    signs = Evidence((statement,), (item["fact"],))
    there = signs.stands_in(asked.lines)
    yield Outcome("in the prompt", item["id"], there, note_tokens=asked.note_tokens)
    yield Outcome(
        "the value is in the prompt", item["id"],
        any(holds_one(item["expected"], line) for line in asked.lines),
    )  # fmt: skip
    if row.generate:
        denied = says_unknown(asked.answer)
        yield Outcome("right", item["id"], is_right(item, asked.answer), asked.answer)
        yield Outcome("falsely says it was not told", item["id"], denied, asked.answer)


def added(people: People, facts: Sequence[str], seed: str) -> tuple[Person, list[str]]:
    """Return who has told these among fillers by `memory add`, and how each is kept."""
    return people.known(seed, lambda person: _add(person, people, facts, seed))


def _add(person: Person, people: People, facts: Sequence[str], seed: str) -> list[str]:
    kept = [""] * len(facts)
    for number, text, moment in people.mixed(facts, seed):
        statement = person.add(text, moment)
        if number is not None:
            kept[number] = statement
    person.clock.now = NOW
    return kept
