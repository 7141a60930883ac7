"""The calendar behind the words: units around a day, and which Friday or October is meant.

Whatever leaves the calendar (the year 0, 30 February) raises `ValueError` or `OverflowError`;
`find.py` takes that as "this names no day".
"""

from __future__ import annotations

import calendar
import datetime
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from ondevice.memory.times.mention import Precision

Unit = Literal["hour", "day", "week", "fortnight", "weekend", "month", "season", "year", "decade"]
Choice = Literal["past", "future", "last", "next", "this", "coming"]
_DAY = datetime.timedelta(days=1)
_WEEK = datetime.timedelta(days=7)
_PRECISION: dict[str, Precision] = {
    "hour": "day", "day": "day", "week": "week", "fortnight": "week", "weekend": "day",
    "month": "month", "season": "season", "year": "year", "decade": "year",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Span:
    """Some days, first and last included."""

    start: datetime.date
    end: datetime.date
    precision: Precision


@dataclass(frozen=True, slots=True)
class Open:
    """What comes again and again: a weekday, a month, a day of the year or month, a season."""

    weekday: int | None = None  # 1 is Monday
    weekend: bool = False
    month: int | None = None
    day: int | None = None
    last_day: int | None = None  # of "3 to 7 May"
    season: int | None = None  # 1 is spring
    easter: tuple[int, int] | None = None  # first and last day, counted from Easter Sunday
    part: int | None = None  # of a month or year: 0 early, 1 in the middle, 2 late

    @property
    def weekly(self) -> bool:
        """Say whether it comes every week."""
        return self.weekend or (self.weekday is not None and self.day is None)


def monday_of(day: datetime.date) -> datetime.date:
    """Return the Monday of a day's week."""
    return day - _DAY * day.weekday()


def unit_at(said: datetime.date, unit: str, offset: int) -> Span:
    """Return this week, last month, the year after next (offset 0, -1, 2)."""
    precision = _PRECISION[unit]
    if unit in ("week", "fortnight"):
        start = monday_of(said) + _WEEK * offset * (2 if unit == "fortnight" else 1)
        return Span(start, start + _DAY * 6, precision)
    if unit == "weekend":
        # On a Sunday "last weekend" is not the one that is today.
        saturday = monday_of(said) + _DAY * 5 + _WEEK * offset
        return Span(saturday, saturday + _DAY, precision)
    if unit == "month":
        return month_span(*_month_after(said.year, said.month, offset))
    if unit == "season":
        return season_at(said, offset)
    if unit in ("year", "decade"):
        year = said.year + offset * (10 if unit == "decade" else 1)
        return year_span(year)
    day = said + _DAY * (offset if unit == "day" else 0)
    return Span(day, day, precision)


def shifted(said: datetime.date, count: int, unit: str) -> datetime.date:
    """Return the day that lies so many units later (or earlier)."""
    if unit == "hour":
        return said
    if unit in ("month", "season", "year", "decade"):
        months = count * {"month": 1, "season": 3, "year": 12, "decade": 120}[unit]
        year, month = _month_after(said.year, said.month, months)
        return datetime.date(year, month, min(said.day, _days_in(year, month)))
    return said + _DAY * count * {"day": 1, "fortnight": 14}.get(unit, 7)


def around(said: datetime.date, count: int, unit: str) -> Span:
    """Return "three weeks ago": the day, if it is near, else the month or year around it.

    Whoever says "in two weeks" means about that day and no calendar week; the precision says so.
    """
    day = shifted(said, count, unit)
    if unit in ("month", "season", "year", "decade"):
        return unit_at(day, "year" if unit == "decade" else unit, 0)
    return Span(day, day, _PRECISION["week" if unit == "weekend" else unit])


def stretch(said: datetime.date, count: int, unit: str) -> Span:
    """Return the time from today for so many units (or, with a negative count, up to today)."""
    start, end = sorted((said, shifted(said, count, unit)))
    return Span(start, end, _PRECISION[unit])


def lasting(said: datetime.date, count: int, unit: str) -> Span:
    """Return "for twelve years" up to today, from the beginning of that year or month."""
    return Span(around(said, -count, unit).start, said, _PRECISION[unit])


def month_span(year: int, month: int) -> Span:
    """Return a whole month."""
    last = _days_in(year, month)
    return Span(datetime.date(year, month, 1), datetime.date(year, month, last), "month")


def year_span(year: int) -> Span:
    """Return a whole year."""
    return Span(datetime.date(year, 1, 1), datetime.date(year, 12, 31), "year")


def season_span(year: int, season: int) -> Span:
    """Return a season of the northern half of the world; a winter by its December."""
    first = season * 3
    end_year, end_month = _month_after(year, first, 2)
    end = datetime.date(end_year, end_month, _days_in(end_year, end_month))
    return Span(datetime.date(year, first, 1), end, "season")


def season_at(said: datetime.date, offset: int) -> Span:
    """Return this season or one that is so many later."""
    year, month = _month_after(said.year, said.month, offset * 3)
    return season_span(year if month > 2 else year - 1, (month // 3) or 4)


def easter(year: int) -> datetime.date:
    """Return Easter Sunday of the Gregorian calendar."""
    century, golden = year // 100, year % 19
    skipped = century - century // 4 - (8 * century + 13) // 25
    age = (19 * golden + skipped + 15) % 30
    age -= (age // 28) * (1 - (29 // (age + 1)) * ((21 - golden) // 11))
    weekday = (year + year // 4 + age + 2 - century + century // 4) % 7
    days = age - weekday
    month = 3 + (days + 40) // 44
    return datetime.date(year, month, days + 28 - 31 * (month // 4))


def part_of(span: Span, part: int) -> Span:
    """Return the early, middle or late third of a month, season or year."""
    if span.precision == "year":
        first = datetime.date(span.start.year, 1 + 4 * part, 1)
        return Span(first, month_span(first.year, first.month + 3).end, span.precision)
    if span.precision == "month":
        start = span.start.replace(day=1 + 10 * part)
        return Span(start, span.end if part == 2 else start + _DAY * 9, span.precision)
    third = ((span.end - span.start).days + 1) // 3
    start = span.start + _DAY * third * part
    return Span(start, span.end if part == 2 else start + _DAY * (third - 1), span.precision)


def one_of(what: Open, said: datetime.date, choice: Choice) -> Span:
    """Return which one of those that come again is meant."""
    spans = list(_weeks(what, said) if what.weekly else _years(what, said))
    # "Last October" is over and "in October we went" may have only begun.
    if choice == "this":
        return _this(what, spans, said)
    if choice == "last" or (choice == "past" and what.weekly):
        fitting = [span for span in spans if span.end < said][-1:]
    elif choice == "past":
        fitting = [span for span in spans if span.start <= said][-1:]
    elif choice == "future" and not (what.weekly and not what.weekend):
        fitting = [span for span in spans if span.end >= said][:1]
    else:
        fitting = [span for span in spans if span.start > said][:1]
    if choice == "next" and what.weekly:
        fitting = [span for span in spans if monday_of(span.start) == monday_of(said) + _WEEK]
    return _the_one(fitting)


def within(what: Open, span: Span) -> Span | None:
    """Return the one that begins in a span: Tuesday of next week, October of last year."""
    middle = span.start + (span.end - span.start) / 2
    spans = _weeks(what, middle) if what.weekly else _years(what, middle)
    return next((one for one in spans if span.start <= one.start <= span.end), None)


def _this(what: Open, spans: list[Span], said: datetime.date) -> Span:
    if what.weekly:
        return _the_one([span for span in spans if span.end >= said][:1])
    now = [span for span in spans if span.start <= said <= span.end]
    return _the_one(now or [span for span in spans if span.start.year == said.year])


def _the_one(spans: list[Span]) -> Span:
    if not spans:
        raise ValueError("there is none within the years that are looked at")
    return spans[0]


def _weeks(what: Open, near: datetime.date) -> Iterator[Span]:
    for offset in (-2, -1, 0, 1, 2):
        monday = monday_of(near) + _WEEK * offset
        if what.weekend:
            yield Span(monday + _DAY * 5, monday + _DAY * 6, "day")
        else:
            day = monday + _DAY * ((what.weekday or 1) - 1)
            yield Span(day, day, "day")


def _years(what: Open, near: datetime.date) -> Iterator[Span]:
    """Yield those of the years (or months) around a day; 29 February needs eight years."""
    steps = range(-9, 10) if what.day == 29 and what.month == 2 else range(-3, 4)
    for step in steps:
        year, month = near.year + step, what.month or near.month
        if (
            what.month is None and what.season is None and what.easter is None
        ):  # a day of the month: "on the 14th"
            year, month = _month_after(near.year, near.month, step)
        if not 1 <= year <= 9998 or (what.day or 1) > _days_in(year, month):
            continue
        yield _in_year(what, year, month)


def _in_year(what: Open, year: int, month: int) -> Span:
    if what.easter is not None:
        first, last = (easter(year) + _DAY * days for days in what.easter)
        return Span(first, last, "day")
    if what.season is not None:
        span = season_span(year, what.season)
    elif what.day is not None:
        start = datetime.date(year, month, what.day)
        span = Span(start, start.replace(day=what.last_day or what.day), "day")
        return span if span.start <= span.end else replace(span, end=span.start)
    else:
        span = month_span(year, month)
    return span if what.part is None else part_of(span, what.part)


def _month_after(year: int, month: int, months: int) -> tuple[int, int]:
    total = year * 12 + month - 1 + months
    return total // 12, total % 12 + 1


def _days_in(year: int, month: int) -> int:
    if not 1 <= year <= 9999:
        raise ValueError(f"there is no year {year}")
    return calendar.monthrange(year, month)[1]
