"""What times are for: to date a note, to search by, and to know until when a statement holds."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace

from ondevice.memory.times import spans
from ondevice.memory.times.find import Reading, mentions_of
from ondevice.memory.times.mention import TimeMention
from ondevice.memory.times.phrases import Phrase

_STRETCHES = frozenset(("at", "unit", "span", "weekend", "season", "part", "month"))


def resolve(
    text: str, said_at: datetime.date, languages: Sequence[str] | None = None
) -> list[TimeMention]:
    """Return the times that a text names, in their order, as days.

    What comes again ("on Friday", "in October", "14 March") is what the tense of its clause says,
    else the next one. What names no single time ("every Friday", "soon", 3/4 in English) is left
    out.

    Args:
        text: What was written.
        said_at: The day (or moment) it was written.
        languages: Codes of the languages it may be in ("de", "en-GB"); None to tell by its words.
    """
    return [mention for mention, _, _ in mentions_of(text, said_at, languages, "future")]


def asked_about(
    question: str, asked_on: datetime.date, languages: Sequence[str] | None = None
) -> list[TimeMention]:
    """Return the times that a question is about, to search by them.

    Where its words leave open whether past or future is meant ("on Friday", without a verb that
    tells) both are returned. "Two weeks ago" is searched for in the calendar week of that day.

    Args:
        question: The question.
        asked_on: The day (or moment) it is asked.
        languages: Codes of the languages it may be in; None to tell by its words.
    """
    found = mentions_of(question, asked_on, languages, None)
    return [_widened(mention) for mention, _, _ in found]


def _widened(mention: TimeMention) -> TimeMention:
    if mention.precision != "week" or mention.start != mention.end:
        return mention
    week = spans.unit_at(mention.start, "week", 0)
    return replace(mention, start=week.start, end=week.end)


def holds_until(
    text: str, said_at: datetime.date, languages: Sequence[str] | None = None
) -> datetime.date | None:
    """Return the last day for which a statement is meant, if it says so; else None.

    "This week", "until Friday", "for two weeks" and "tonight" end a statement; "next week" only
    dates it, and "I start this week" begins what lasts.

    Args:
        text: The statement.
        said_at: The day (or moment) it was made.
        languages: Codes of the languages it may be in; None to tell by its words.
    """
    said = said_at.date() if isinstance(said_at, datetime.datetime) else said_at
    ends = [
        mention.end
        for mention, reading, phrase in mentions_of(text, said_at, languages, "future")
        if _ends(mention, reading, phrase, said)
    ]
    return max(ends, default=None)


def _ends(mention: TimeMention, reading: Reading, phrase: Phrase, said: datetime.date) -> bool:
    if not mention.covers(said) or mention.relation in ("since", "from"):
        return False
    if reading.direction(phrase) == "past" or mention.end == mention.start != said:
        return False
    if mention.relation in ("until", "for"):
        return True
    if phrase.meaning[0] not in _STRETCHES:
        return False  # "3.11.2026: I am at the dentist's" is dated, no more
    begins = frozenset(reading.language.settings.get("begins", "").split())
    words = (token.text for token in reading.tokens)
    return not any(word in begins for word in words)
