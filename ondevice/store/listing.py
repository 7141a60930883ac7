"""Browsing a profile: a page of its records at a time, filtered and searched while typing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ondevice.store.database import Database
from ondevice.store.full_text import all_beginnings
from ondevice.store.records import Record, Source
from ondevice.store.table import Table, as_list


@dataclass(frozen=True)
class Filter:
    """Which facts, passages and turns are wanted; all conditions hold together.

    Attributes:
        words: the beginnings of words, all of which must occur.
        kinds: "fact", "passage" or "turn"; empty for all.
        category: of facts.
        state: of facts.
        source_id: where they came from.
    """

    words: str = ""
    kinds: tuple[str, ...] = ()
    category: str | None = None
    state: str | None = None
    source_id: str | None = None


@dataclass(frozen=True)
class Outlined:
    """A conversation in a list: when it was said last, how it began, how many turns it has."""

    id: str
    time: float
    begins: str
    turns: int


class Listing:
    """What a person looks through."""

    def __init__(self, db: Database, table: Table) -> None:
        """List what is in the open database `db`."""
        self._db = db
        self._table = table

    def page(self, wanted: Filter, *, offset: int = 0, limit: int = 100) -> list[Record]:
        """Return records: those that wait for approval first, then the newest.

        Args:
            wanted: which ones.
            offset: how many to leave out at the start.
            limit: how many at the most.
        """
        where, values = _where(wanted)
        numbers = self._db.rows(
            f"SELECT r.number FROM living r {where}"
            " ORDER BY r.state = 'pending' DESC, r.number DESC LIMIT ? OFFSET ?",
            (*values, limit, offset),
        )
        chosen = [str(number) for (number,) in numbers]
        found = self._table.select(
            "WHERE r.number IN (SELECT value FROM json_each(?))"
            " ORDER BY r.state = 'pending' DESC, r.number DESC",
            (f"[{','.join(chosen)}]",),
        )
        return found

    def ids(self, wanted: Filter) -> list[str]:
        """Return the ids of all records that `page` would show."""
        where, values = _where(wanted)
        return [row[0] for row in self._db.rows(f"SELECT r.id FROM living r {where}", values)]

    def count(self, wanted: Filter) -> int:
        """Return how many records `page` would show."""
        where, values = _where(wanted)
        return int(self._db.value(f"SELECT count(*) FROM living r {where}", values))

    def conversations(self, *, words: str = "", limit: int = 100) -> list[Outlined]:
        """Return conversations, the one with the newest turn first.

        Args:
            words: the beginnings of words, all of which must occur in one of its turns.
            limit: how many at the most.
        """
        where, values = _where(Filter(words=words, kinds=("turn",)))
        rows = self._db.rows(
            "SELECT c.id, max(t.time), (SELECT text FROM living WHERE source_id = c.id"
            " AND kind = 'turn' ORDER BY position LIMIT 1), count(*)"
            " FROM source c JOIN living t ON t.source_id = c.id AND t.kind = 'turn'"
            f" WHERE c.id IN (SELECT r.source_id FROM living r {where})"
            " GROUP BY c.id ORDER BY max(t.id) DESC LIMIT ?",
            (*values, limit),
        )
        return [Outlined(*row) for row in rows]

    def sources(self) -> list[tuple[Source, int]]:
        """Return every source with the number of records that came from it, the newest first."""
        counts: dict[str, int] = dict(
            self._db.rows(
                "SELECT source_id, count(*) FROM living WHERE source_id IS NOT NULL"
                " GROUP BY source_id"
            )
        )
        newest_first = self._table.select_sources("ORDER BY id DESC")
        return [(source, counts.get(source.id, 0)) for source in newest_first]


def _where(wanted: Filter) -> tuple[str, Sequence[Any]]:
    """Return a WHERE clause over `living r` and its values."""
    conditions: list[str] = []
    values: list[Any] = []
    words = all_beginnings(wanted.words)
    if words:
        conditions.append("r.number IN (SELECT rowid FROM search WHERE search MATCH ?)")
        values.append(words)
    if wanted.kinds:
        conditions.append("r.kind IN (SELECT value FROM json_each(?))")
        values.append(as_list(wanted.kinds))
    if wanted.category is not None:
        conditions.append("r.number IN (SELECT number FROM fact WHERE category = ?)")
        values.append(wanted.category)
    for column, value in (("state", wanted.state), ("source_id", wanted.source_id)):
        if value is not None:
            conditions.append(f"r.{column} = ?")
            values.append(value)
    return (f"WHERE {' AND '.join(conditions)}" if conditions else ""), values
