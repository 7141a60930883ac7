"""Grammars of numbers between bounds: digits are compared one by one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

DIGITS = 15  # before the point; more would not survive as a float
_FRACTION = '"." [0-9]{1,6}'
_ABOVE_ZERO = '"." [0-9]{0,5} [1-9]'
_BOUNDS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")


def expression(kind: str, schema: Mapping[str, Any]) -> str:
    """Return an expression for the numbers that fit `schema`.

    Args:
        kind: "integer" or "number".
        schema: of which the four bounds count.

    Raises:
        ValueError: nothing fits, or the bounds of a number are no whole numbers; says which.
    """
    for word in _BOUNDS:
        bound = schema.get(word)
        if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int | float)):
            raise ValueError(f"'{word}' must be a number")
        if bound is not None and not abs(bound) < 10**DIGITS:
            raise ValueError(f"'{word}' may have {DIGITS} digits")
    if all(schema.get(word) is None for word in _BOUNDS):
        whole = f'"-"? ("0" | [1-9] [0-9]{{0,{DIGITS - 1}}})'
        return whole if kind == "integer" else f"{whole} ({_FRACTION})? ([eE] [+-]? [0-9]{{1,2}})?"
    alternatives = _integers(schema) if kind == "integer" else _numbers(schema)
    if not alternatives:
        raise ValueError("no number is between the bounds")
    return " | ".join(alternatives)


def _integers(schema: Mapping[str, Any]) -> list[str]:
    largest = 10**DIGITS - 1
    lows = [math.ceil(schema["minimum"])] if schema.get("minimum") is not None else []
    highs = [math.floor(schema["maximum"])] if schema.get("maximum") is not None else []
    if schema.get("exclusiveMinimum") is not None:
        lows.append(math.floor(schema["exclusiveMinimum"]) + 1)
    if schema.get("exclusiveMaximum") is not None:
        highs.append(math.ceil(schema["exclusiveMaximum"]) - 1)
    return _signed(max(lows, default=-largest), min(highs, default=largest))


def _signed(low: int, high: int) -> list[str]:
    found = [f'"-" ({part})' for part in _digits(max(1, -high), -low)] if low < 0 else []
    return found + _digits(max(0, low), high)


def _digits(low: int, high: int) -> list[str]:
    """Return expressions of the whole numbers from `low` to `high`, both at least 0."""
    found = []
    for length in range(len(str(low)), len(str(max(high, 0))) + 1):
        smallest = 0 if length == 1 else 10 ** (length - 1)
        a, b = max(low, smallest), min(high, 10**length - 1)
        if a <= b:
            found.extend(_same_length(str(a), str(b)))
    return found


def _same_length(low: str, high: str) -> list[str]:
    rest = len(low) - 1
    if not rest:
        return [f"[{low}-{high}]"]
    first, last = int(low[0]), int(high[0])
    if set(low[1:]) == {"0"} and set(high[1:]) == {"9"}:
        return [f"[{first}-{last}] [0-9]{{{rest}}}"]
    if first == last:
        return [f'"{first}" ({" | ".join(_same_length(low[1:], high[1:]))})']
    found = [f'"{first}" ({" | ".join(_same_length(low[1:], "9" * rest))})']
    if last - first > 1:
        found.append(f"[{first + 1}-{last - 1}] [0-9]{{{rest}}}")
    return [*found, f'"{last}" ({" | ".join(_same_length("0" * rest, high[1:]))})']


def _numbers(schema: Mapping[str, Any]) -> list[str]:
    low, without_low = _tighter(schema, "minimum", "exclusiveMinimum", max)
    high, without_high = _tighter(schema, "maximum", "exclusiveMaximum", min)
    largest = 10**DIGITS - 1
    low, high = (-largest if low is None else low), (largest if high is None else high)
    found = []
    if low < 0:
        below = _magnitudes(max(0, -high), -low, without_high and high <= 0, without_low)
        found += [f'"-" ({part})' for part in below]
    if high >= 0:
        found += _magnitudes(max(0, low), high, without_low and low >= 0, without_high)
    return found


def _tighter(
    schema: Mapping[str, Any], closed: str, exclusive: str, choose: Any
) -> tuple[int | None, bool]:
    """Return the bound that counts, and whether it is itself left out."""
    bounds = []
    for word in (closed, exclusive):
        bound = schema.get(word)
        if bound is not None:
            if bound != int(bound):
                raise ValueError(f"'{word}' of a number must be whole")
            bounds.append((int(bound), word == exclusive))
    if not bounds:
        return None, False
    value = choose(bound for bound, _ in bounds)
    return value, any(out for bound, out in bounds if bound == value)


def _magnitudes(low: int, high: int, without_low: bool, without_high: bool) -> list[str]:
    """Return expressions of the numbers from `low` to `high`, both at least 0."""
    found = []
    if low < high:
        inner = _digits(low + 1 if without_low else low, high - 1)
        found += [f"({part}) ({_FRACTION})?" for part in inner]
        if without_low:
            found.append(f'"{low}" {_ABOVE_ZERO}')
    if not without_high and (low < high or (low == high and not without_low)):
        found.append(f'"{high}"')
    return found
