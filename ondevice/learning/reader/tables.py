"""Reads the tables that dialogues are made of: TOML files beside this module, in `data`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True)
class Table:
    """A table of a data file; a value of an unexpected type raises a TypeError that names it.

    Attributes:
        name: what it is called in an error.
        values: what it holds.
    """

    name: str
    values: Mapping[str, Any]

    def text(self, key: str, default: str | None = None) -> str:
        """Return the text at `key`."""
        value = self.values.get(key, default)
        if not isinstance(value, str):
            raise self._wrong(key, "a text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the texts of the list at `key`."""
        value = self.values.get(key)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self._wrong(key, "a list of texts")
        return tuple(value)

    def groups(self, key: str) -> tuple[frozenset[str], ...]:
        """Return the lists of texts in the list at `key`, as sets."""
        value = self.values.get(key)
        if not isinstance(value, list):
            raise self._wrong(key, "a list of lists")
        groups = Table(f"{self.name}: {key}", {str(n): group for n, group in enumerate(value)})
        return tuple(frozenset(groups.texts(n)) for n in groups.values)

    def flag(self, key: str) -> bool:
        """Return whether `key` is true; an absent one is not."""
        return self.values.get(key, False) is True

    def table(self, key: str) -> Table:
        """Return the table at `key`, an empty one if there is none."""
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            raise self._wrong(key, "a table")
        return Table(f"{self.name}: {key}", value)

    def tables(self, key: str) -> Iterator[Table]:
        """Yield the tables of the list at `key`."""
        for number, value in enumerate(self.values.get(key, [])):
            yield Table(f"{self.name}: {key} {number}", value)

    def _wrong(self, key: str, what: str) -> TypeError:
        return TypeError(f"{self.name}: '{key}' is not {what}.")


def read_table(name: str) -> Table:
    """Return the whole of the data file called `name`."""
    place = resources.files("ondevice.learning.reader") / "data" / f"{name}.toml"
    return Table(place.name, tomllib.loads(place.read_text(encoding="utf-8")))
