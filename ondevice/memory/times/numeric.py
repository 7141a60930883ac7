"""Dates in figures: 2026-11-03, 14.3.2026, 14.3., 3/14."""

from __future__ import annotations

import re
from typing import Literal

from ondevice.memory.times.spans import Open

Order = Literal["dmy", "mdy", "unclear"]
_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_FULL = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})")
_SHORT = re.compile(r"(\d{1,2})([/.])(\d{1,2})")
_PIVOT = 70  # 69 is 2069 and 70 is 1970


def is_full(text: str) -> bool:
    """Say whether a number is written as a date with its year; 2.7.18 may be a version."""
    full = _FULL.fullmatch(text)
    padded = full is not None and (len(full[4]) == 4 or len(full[1]) == len(full[3]) == 2)
    return padded or _ISO.fullmatch(text) is not None


def short_sign(text: str) -> str | None:
    """Return the sign between day and month, if a number may be both."""
    match = _SHORT.fullmatch(text) or _FULL.fullmatch(text)
    return match[2] if match else None


def read(text: str, order: Order) -> tuple[Open, int | None] | None:
    """Return day, month and year; None if that names no day, or might name two."""
    iso = _ISO.fullmatch(text)
    if iso:
        return _checked(int(iso[3]), int(iso[2]), int(iso[1]))
    full = _FULL.fullmatch(text)
    if full:
        year = int(full[4])
        if len(full[4]) == 2:
            year += 1900 if year >= _PIVOT else 2000
        return _ordered(int(full[1]), int(full[3]), year, "dmy" if full[2] == "." else order)
    short = _SHORT.fullmatch(text)
    if short:
        return _ordered(int(short[1]), int(short[3]), None, "dmy" if short[2] == "." else order)
    return None


def _ordered(
    first: int, second: int, year: int | None, order: Order
) -> tuple[Open, int | None] | None:
    if first > 12 or (order == "dmy" and second <= 12):
        return _checked(first, second, year)
    if second > 12 or order == "mdy" or first == second:
        return _checked(second, first, year)
    return None


def _checked(day: int, month: int, year: int | None) -> tuple[Open, int | None] | None:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return Open(day=day, month=month), year
