"""Finds the times that a text names and resolves them against the day it was said."""

from __future__ import annotations

import datetime
import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from ondevice.memory.times import numeric, spans
from ondevice.memory.times.lexicon import LANGUAGES, Language, language, vocabulary
from ondevice.memory.times.mention import Relation, TimeMention
from ondevice.memory.times.numeric import Order
from ondevice.memory.times.phrases import Finder, Phrase
from ondevice.memory.times.spans import Choice, Open, Span
from ondevice.memory.times.tense import Direction, direction_at, has_any, may_be_past
from ondevice.memory.times.tokens import Token, tokens_of

MAX_CHARACTERS = 20_000  # of a text; longer ones come in passages
MAX_MENTIONS = 200  # of a text
_ORDERS: Mapping[str, Order] = {"en-us": "mdy", "en-gb": "dmy", "en-ie": "dmy", "en-au": "dmy"}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a phrase is resolved with."""

    tokens: Sequence[Token]
    language: Language
    said: datetime.date
    order: Order

    def direction(self, phrase: Phrase) -> Direction | None:
        """Return whether the clause around a phrase is about past or future."""
        before = self.tokens[max(0, phrase.first - 1) : phrase.first + 1]
        if any(token.text in self.language.aims for token in before):
            return "future"  # "they booked me in for the 21st"
        return direction_at(self.tokens, phrase.first, phrase.last, self.language)

    def may_be_past(self, phrase: Phrase) -> bool:
        """Say whether a verb of the sentence is past or present by its form ("llegamos")."""
        return may_be_past(self.tokens, phrase.first, phrase.last, self.language)


def mentions_of(
    text: str,
    said_at: datetime.date,
    languages: Sequence[str] | None,
    default: Direction | None,
) -> list[tuple[TimeMention, Reading, Phrase]]:
    """Return the times that a text names; without a `default` both, where the words leave it open.

    Args:
        text: What was written.
        said_at: When.
        languages: Codes ("de", "en-GB") to choose from; None for all.
        default: The direction where neither the words nor the tense tell it.
    """
    said = said_at.date() if isinstance(said_at, datetime.datetime) else said_at
    text = text[:MAX_CHARACTERS]
    tokens = tokens_of(text)
    found: list[tuple[TimeMention, Reading, Phrase]] = []
    for code in _languages_of(tokens, languages):
        order = _order(code, languages)
        reading = Reading(tokens, language(code), said, order)
        for phrase in itertools.islice(Finder(tokens, reading.language).phrases(), MAX_MENTIONS):
            for mention in _resolved(text, phrase, reading, default):
                found.append((mention, reading, phrase))
    return _apart(found)


def _apart(
    found: list[tuple[TimeMention, Reading, Phrase]],
) -> list[tuple[TimeMention, Reading, Phrase]]:
    """Drop what a longer phrase (of another language) covers."""
    kept: list[tuple[TimeMention, Reading, Phrase]] = []
    taken: dict[int, tuple[str, int]] = {}
    for entry in sorted(found, key=lambda entry: entry[2].first - entry[2].last):
        phrase, code = entry[2], entry[1].language.code
        places = range(phrase.first, phrase.last + 1)
        if all(taken.get(at, (code, phrase.first)) == (code, phrase.first) for at in places):
            taken.update(dict.fromkeys(places, (code, phrase.first)))
            kept.append(entry)
    return sorted(kept, key=lambda entry: entry[0].position)


def _languages_of(tokens: Sequence[Token], languages: Sequence[str] | None) -> list[str]:
    """Return the languages that a text may be in: those that know most of its words."""
    asked = [code.split("-")[0].lower() for code in languages or ()]
    known = [code for code in LANGUAGES if code in asked] or list(LANGUAGES)
    if len(known) == 1:
        return known
    scores = dict.fromkeys(known, 0)
    for word in {token.text for token in tokens if token.kind == "word"}:
        for code, weight in _known_words().get(word, ()):
            if code in scores:
                scores[code] += weight
    best = max(scores.values())
    if best == 0:
        return known[:1]
    return [code for code in known if scores[code] == best]


@functools.cache
def _known_words() -> dict[str, list[tuple[str, int]]]:
    """Return for every word the languages that have it: small words count most."""
    found: dict[str, list[tuple[str, int]]] = {}
    for code in LANGUAGES:
        small, timely = vocabulary(code)
        for word in small | timely:
            weight = 2 if word in small else 1
            found.setdefault(word, []).append((code, weight))
    return {
        # "zaterdag" tells more than any "de".
        word: [(known[0][0], 3)] if len(known) == 1 and known[0][1] == 1 else known
        for word, known in found.items()
    }


def _order(code: str, languages: Sequence[str] | None) -> Order:
    for tag in languages or ():
        if tag.lower() in _ORDERS and tag.lower().startswith(code):
            return _ORDERS[tag.lower()]
    return cast(Order, language(code).settings.get("order", "dmy"))


def _resolved(
    text: str, phrase: Phrase, reading: Reading, default: Direction | None
) -> Iterator[TimeMention]:
    told = reading.direction(phrase)
    only = told or default
    open_ = not told and reading.may_be_past(phrase)
    directions: list[Direction] = [only] if only and not open_ else ["future", "past"]
    found = []
    for direction in directions:
        try:
            span, relation = _span(phrase, reading, direction, told)
        except (ValueError, OverflowError):  # no such day, or beyond the calendar
            continue
        if span is not None and (span, relation) not in found:
            found.append((span, relation))
    if open_ and default and found:
        # Of a week ("el jueves dormimos en el barco") it is told, more often than planned.
        weekly = phrase.meaning[0] in ("weekday", "weekend")
        nearest = min(found, key=lambda one: _distance(one[0], reading.said))
        found = [found[-1] if weekly else nearest]
    for span, relation in found:
        start, end = reading.tokens[phrase.first].start, reading.tokens[phrase.last].end
        yield TimeMention(text[start:end], span.start, span.end, span.precision, relation, start)


def _distance(span: Span, said: datetime.date) -> int:
    if span.start <= said <= span.end:
        return 0
    return min(abs((span.start - said).days), abs((span.end - said).days))


def _span(
    phrase: Phrase, reading: Reading, direction: Direction, told: Direction | None
) -> tuple[Span | None, Relation]:
    relation = phrase.relation
    if relation == "since":
        direction = "past"
    point = _joined_point(phrase, reading, direction, told)
    if point is None:
        return None, "at"
    meaning = phrase.meaning[0]
    if meaning in ("for", "since"):
        return point, "since" if point.start < reading.said else "for"
    if relation in ("at", "between", "by", "start") or phrase.join == "to":
        return point, "at"
    if relation == "since":
        if point.start > reading.said:
            return None, "at"
        return Span(point.start, reading.said, point.precision), "since"
    if relation == "until":
        start = reading.said if reading.said <= point.end else point.start
        return Span(start, point.end, point.precision), "until"
    return point, "from"


def _joined_point(
    phrase: Phrase, reading: Reading, direction: Direction, told: Direction | None
) -> Span | None:
    """Return the days of a phrase and of what belongs to it."""
    one = _point(phrase, reading, told)
    if one is None:
        return None
    if phrase.second is None:
        return _closed(one, phrase, reading, direction, told)
    other = _point(phrase.second, reading, told)
    if other is None:
        return None
    if phrase.join == "to":
        return _from_to(one, other, phrase, reading, direction, told)
    if isinstance(one, Open) and isinstance(other, Open):  # "Tuesday, 3 November"
        return _closed(one if other.weekly else other, phrase, reading, direction, told)
    if isinstance(one, Open) and isinstance(other, Span):
        return spans.within(one, other) if not _is_date(other) else other
    if isinstance(other, Open) and isinstance(one, Span):
        return spans.within(other, one) if not _is_date(one) else one
    return None


def _is_date(span: Span) -> bool:
    return span.precision == "day" and span.start == span.end


def _from_to(
    one: Open | Span, other: Open | Span, phrase: Phrase, reading: Reading,
    direction: Direction, told: Direction | None,
) -> Span | None:  # fmt: skip
    if isinstance(one, Open) and isinstance(other, Span) and not one.weekly:
        # "from March to June 2027"
        first = spans.one_of(one, other.end, "past")
    else:
        closed = _closed(one, phrase, reading, direction, told)
        if closed is None:
            return None
        first = closed
    last = spans.one_of(other, first.start, "future") if isinstance(other, Open) else other
    return Span(first.start, last.end, first.precision) if first.start <= last.end else None


def _closed(
    point: Open | Span, phrase: Phrase, reading: Reading, direction: Direction,
    told: Direction | None,
) -> Span | None:  # fmt: skip
    """Return which of those that come again is meant."""
    if isinstance(point, Span):
        return point
    choice = phrase.meaning[1] if len(phrase.meaning) > 1 else ""
    if phrase.meaning[0] in ("part", "date", "easter"):
        choice = ""
    if choice == "this" and told == "past" and point.weekly:
        # On a Sunday "this weekend we went" is not the one before.
        choice = "this" if point.weekend and reading.said.weekday() > 4 else "past"
    if not choice and point.season is not None and told is None and phrase.relation == "at":
        return None  # "in summer I swim in the lake"
    weeks = int(phrase.meaning[2]) if len(phrase.meaning) > 2 and choice else 0
    span = spans.one_of(point, reading.said, cast(Choice, choice or direction))
    step = datetime.timedelta(weeks=weeks)
    return Span(span.start + step, span.end + step, span.precision)


def _point(phrase: Phrase, reading: Reading, told: Direction | None) -> Open | Span | None:
    """Return what a phrase names by itself."""
    name, arguments = phrase.meaning[0], phrase.meaning[1:]
    if name == "at":
        return spans.unit_at(reading.said, arguments[0], int(arguments[1]))
    if name == "unit":
        return spans.unit_at(reading.said, phrase.value("unit") or "day", int(arguments[0]))
    if name in ("shift", "exact", "span", "for", "since"):
        return _counted(phrase, reading, told)
    if name == "numeric":
        text = phrase.value("date") or phrase.value("shortdate") or phrase.value("pointdate")
        read = numeric.read(text or "", reading.order)
        return _in_year(read[0], read[1]) if read else None
    return _named(phrase, reading)


def _counted(phrase: Phrase, reading: Reading, told: Direction | None) -> Span | None:
    """Return "three weeks ago", "the last two days", "for a month"."""
    name, arguments = phrase.meaning[0], phrase.meaning[1:]
    rest = dict(argument.split("=") for argument in arguments if "=" in argument)
    count = int(rest.get("n") or phrase.value("number") or 1)
    unit = rest.get("unit") or phrase.value("unit") or "day"
    sign = -1 if "-1" in arguments else 1
    if "notpast" in arguments and told == "past":
        return None  # "I wrote it in two days"
    if name == "since":
        return spans.lasting(reading.said, count, unit)
    if name == "for":
        lasting = frozenset(reading.language.settings.get("lasting", "").split())
        if has_any(reading.tokens, phrase.first, phrase.last, lasting):
            return spans.lasting(reading.said, count, unit)
        if told == "past" or unit == "hour":
            return None
        return spans.stretch(reading.said, count, unit)
    if name == "span":
        return spans.stretch(reading.said, sign * count, unit)
    if unit == "hour" and sign > 0:
        return None  # "it is done in an hour" says no day
    if name == "exact":  # "two weeks ago today"
        day = spans.shifted(reading.said, sign * count, unit)
        return Span(day, day, "day")
    return spans.around(reading.said, sign * count, unit)


def _named(phrase: Phrase, reading: Reading) -> Open | Span | None:
    """Return a weekday, a month, a season, a date, a year, or a part of them."""
    name, arguments = phrase.meaning[0], phrase.meaning[1:]
    month, season, year = (phrase.value(slot) for slot in ("month", "season", "year"))
    month = month or phrase.value("monthnumber")
    days = [int(day) for slot in ("day", "nth", "ordinal") for day in phrase.values(slot)]
    if name == "weekend":
        return Open(weekend=True)
    if name == "weekday":
        return Open(weekday=int(phrase.value("weekday") or 1))
    if name == "date" and arguments:  # Christmas
        first, last = int(arguments[1]), int(arguments[-1])
        feast = Open(month=int(arguments[0]), day=first, last_day=last)
        return _in_year(feast, int(year) if year else None)
    if name == "easter":
        return _in_year(
            Open(easter=(int(arguments[0]), int(arguments[-1]))), int(year or 0) or None
        )
    if name == "year" and year:
        return spans.year_span(int(year))
    part = int(arguments[0]) if name == "part" else None
    if part is not None and not month and not season:
        offset = int(arguments[1]) if len(arguments) > 1 else 0
        whole = spans.year_span(int(year)) if year else None
        unit = phrase.value("unit") or "month"
        return spans.part_of(whole or spans.unit_at(reading.said, unit, offset), part)
    what = Open(
        month=int(month) if month else None,
        season=int(season) if season else None,
        day=days[0] if days else None,
        last_day=days[1] if len(days) > 1 else None,
        part=part,
    )
    return _in_year(what, int(year) if year else None)


def _in_year(what: Open, year: int | None) -> Open | Span | None:
    return what if year is None else spans.within(what, spans.year_span(year))
