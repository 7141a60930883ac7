"""What a text says about time, and how that is written in a note."""

from __future__ import annotations

import calendar
import datetime
from dataclasses import dataclass
from typing import Literal

Precision = Literal["day", "week", "month", "season", "year"]
Relation = Literal["at", "until", "since", "from", "for"]

# Not from the locale: a note looks the same everywhere.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class TimeMention:
    """A phrase that names a time, and the days that it names."""

    phrase: str  # as written
    start: datetime.date
    end: datetime.date  # inclusive
    precision: Precision
    relation: Relation = "at"
    position: int = 0  # where the phrase begins in the text

    def covers(self, day: datetime.date) -> bool:
        """Say whether a day lies in what is named."""
        return self.start <= day <= self.end


def describe(mention: TimeMention) -> str:
    """Return a short gloss for a note: `"yesterday" = 2 Nov 2026`."""
    return f'"{" ".join(mention.phrase.split())}" = {when(mention)}'


def when(mention: TimeMention) -> str:
    """Return the time alone, in short English: `9–15 Nov 2026`, `until 6 Nov 2026`, `Oct 2026`."""
    start, end = mention.start, mention.end
    if mention.relation in ("since", "from"):
        return f"{mention.relation} {_edge(start, mention.precision, start.day == 1)}"
    if mention.relation == "until":
        return f"until {_edge(end, mention.precision, end.day == _last_day(end))}"
    if start == end and mention.precision == "week":
        return f"about {_day(start)}"
    return _range(start, end)


def _last_day(day: datetime.date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _edge(day: datetime.date, precision: Precision, whole: bool) -> str:
    """Name the first or last day of something by that something, if it is that."""
    if whole and precision == "year":
        return str(day.year)
    if whole and precision in ("month", "season"):
        return f"{_MONTHS[day.month - 1]} {day.year}"
    return _day(day)


def _day(day: datetime.date, year: bool = True) -> str:
    short = f"{day.day} {_MONTHS[day.month - 1]}"
    return f"{short} {day.year}" if year else short


def _range(start: datetime.date, end: datetime.date) -> str:
    if start == end:
        return _day(start)
    if start.day == 1 and end.day == _last_day(end):
        return _months(start, end)
    if (start.year, start.month) == (end.year, end.month):
        return f"{start.day}–{_day(end)}"
    return f"{_day(start, start.year != end.year)}–{_day(end)}"


def _months(start: datetime.date, end: datetime.date) -> str:
    """Name a span of whole months."""
    if (start.month, end.month) == (1, 12):
        return str(start.year) if start.year == end.year else f"{start.year}–{end.year}"
    last = f"{_MONTHS[end.month - 1]} {end.year}"
    if (start.year, start.month) == (end.year, end.month):
        return last
    first = _MONTHS[start.month - 1]
    return f"{first}–{last}" if start.year == end.year else f"{first} {start.year}–{last}"
