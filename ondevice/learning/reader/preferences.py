"""Tastes and limits that a suggestion should respect, in two halves."""

from __future__ import annotations

from dataclasses import dataclass

from ondevice.learning.reader.tables import read_table
from ondevice.learning.reader.words import SPLITS, Split


@dataclass(frozen=True)
class Taste:
    """Kinds of things that somebody likes or not, with examples, and requests for suggestions."""

    key: str
    kinds: dict[str, tuple[str, ...]]
    requests: tuple[str, ...]


@dataclass(frozen=True)
class Limit:
    """Something that rules suggestions out: statements, requests, what is good and what is not."""

    key: str
    states: tuple[str, ...]
    requests: tuple[str, ...]
    good: tuple[str, ...]
    bad: tuple[str, ...]


def _tastes(split: Split) -> tuple[Taste, ...]:
    return tuple(
        Taste(
            taste.text("key"),
            {kind: taste.table("kinds").texts(kind) for kind in taste.table("kinds").values},
            taste.texts("requests"),
        )
        for taste in _HALVES[split].tables("tastes")
    )


def _limits(split: Split) -> tuple[Limit, ...]:
    return tuple(
        Limit(limit.text("key"), *map(limit.texts, ("states", "requests", "good", "bad")))
        for limit in _HALVES[split].tables("limits")
    )


_FILE = read_table("preferences")
_HALVES = {split: _FILE.table(split) for split in SPLITS}

# `{k}` is the kind that is liked or not, `{o}` another one.
LIKES = {split: _HALVES[split].texts("likes") for split in SPLITS}
DISLIKES = {split: _HALVES[split].texts("dislikes") for split in SPLITS}
# `{e}` is the suggestion, an example of a kind.
SUGGESTIONS = {split: _HALVES[split].texts("suggestions") for split in SPLITS}

TASTES = {split: _tastes(split) for split in SPLITS}
LIMITS = {split: _limits(split) for split in SPLITS}
