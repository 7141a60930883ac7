"""The values that facts are made of, in two halves that share nothing.

What a reader learns from must not be what it is measured on: every pool has a
`train` and a `test` half. Names come from many languages, and some are made of
syllables, so that only reading helps and not knowing. Numbers and dates fall
into one half or the other by a hash of themselves.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal

from ondevice.learning.reader.tables import read_table

Split = Literal["train", "test"]
SPLITS: tuple[Split, Split] = ("train", "test")

_FILE = read_table("words")
POOLS: dict[str, dict[Split, tuple[str, ...]]] = {
    name: {split: _FILE.table(name).texts(split) for split in SPLITS} for name in _FILE.values
}

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


def value(kind: str, split: Split, rng: random.Random) -> str:
    """Return a value from one half, out of the pool or the maker called `kind`."""
    maker = _MAKERS.get(kind)
    if maker is not None:
        return maker(split, rng)
    return rng.choice(POOLS[kind][split])


def _pick(kind: str, split: Split, rng: random.Random) -> str:
    return rng.choice(POOLS[kind][split])


def in_half(number: int, split: Split) -> bool:
    """Whether `number` belongs to that half; one number in four is for tests."""
    return ((number * 2_654_435_761 >> 7) % 4 == 0) == (split == "test")


def number(low: int, high: int, split: Split, rng: random.Random) -> int:
    """Return a number from `low` to `high` of one half."""
    while True:
        found = rng.randint(low, high)
        if in_half(found, split):
            return found


def _name(split: Split, rng: random.Random) -> str:
    if rng.random() < 0.25:
        return _made_up(split, rng)
    return _pick("person", split, rng)


def _made_up(split: Split, rng: random.Random) -> str:
    return "".join(rng.sample(POOLS["syllable"][split], rng.choice((2, 2, 3)))).capitalize()


def _full_name(split: Split, rng: random.Random) -> str:
    return f"{_name(split, rng)} {_pick('surname', split, rng)}"


def _pet(split: Split, rng: random.Random) -> str:
    return _made_up(split, rng) if rng.random() < 0.2 else _pick("pet", split, rng)


def _company(split: Split, rng: random.Random) -> str:
    return f"{_pick('surname', split, rng)} {_pick('org', split, rng)}"


def _address(split: Split, rng: random.Random) -> str:
    place = f"{_pick('surname', split, rng)} {_pick('street', split, rng)}"
    return f"{number(2, 99, split, rng)} {place}"


def _title(split: Split, rng: random.Random) -> str:
    return f"The {_pick('adjective', split, rng)} {_pick('noun', split, rng)}"


def _date(split: Split, rng: random.Random) -> str:
    found = number(0, 12 * 28 - 1, split, rng)
    day, month = found % 28 + 1, MONTHS[found // 28]
    ending = {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th") if day not in (11, 12, 13) else "th"
    return rng.choice((f"{day} {month}", f"{month} {day}", f"the {day}{ending} of {month}"))


def _time(split: Split, rng: random.Random) -> str:
    found = number(6 * 12, 22 * 12, split, rng)
    return f"{found // 12}:{found % 12 * 5:02d}"


def _code(split: Split, rng: random.Random) -> str:
    letters = "".join(rng.sample("ABCDEFGHJKLMNPRSTUVWXYZ", 2))
    return f"{letters}{number(10, 9999, split, rng)}"


def _phone(split: Split, rng: random.Random) -> str:
    return f"0{number(100, 999, split, rng)} {number(1000, 999_999, split, rng)}"


def _numbers(low: int, high: int, form: str = "{}") -> Callable[[Split, random.Random], str]:
    return lambda split, rng: form.format(number(low, high, split, rng))


_MAKERS: dict[str, Callable[[Split, random.Random], str]] = {
    "name": _name,
    "full_name": _full_name,
    "pet_name": _pet,
    "company": _company,
    "address": _address,
    "title": _title,
    "date": _date,
    "time": _time,
    "code": _code,
    "phone": _phone,
    "age": _numbers(5, 95),
    "pin": _numbers(1000, 9999),
    "size": _numbers(34, 47),
    "centimetres": _numbers(140, 205, "{} cm"),
    "kilograms": _numbers(45, 120, "{} kg"),
    "money": _numbers(200, 9000, "{} euros"),
    "year": _numbers(1935, 2024),
    "room": _numbers(100, 999),
    "minutes": _numbers(5, 95, "{} minutes"),
}
