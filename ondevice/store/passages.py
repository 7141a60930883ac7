"""Passages: pieces of text that the person wrote or imported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import time as clock
from typing import cast

from ondevice.store.database import Database
from ondevice.store.ids import new_id
from ondevice.store.records import ANY_SCOPE, NewPassage, Passage, Record
from ondevice.store.sources import Sources
from ondevice.store.table import Table, in_scope, storable
from ondevice.store.vectors import Embedded, Vectors


class Passages:
    """What came from imports."""

    def __init__(self, db: Database, table: Table, vectors: Vectors, sources: Sources) -> None:
        """Keep passages in the open database `db`."""
        self._db = db
        self._table = table
        self._vectors = vectors
        self._sources = sources

    def add(
        self,
        source_id: str,
        passages: Sequence[NewPassage],
        vectors: Embedded | None = None,
    ) -> list[Passage]:
        """Append a batch of passages to a source, in one transaction.

        Args:
            source_id: the source that they belong to.
            passages: in the order of the source.
            vectors: their embeddings.

        Raises:
            RecordNotFoundError: there is no such source (any more).
        """
        now = clock()
        with self._db.write() as run:
            self._sources.check(source_id)
            first = run(
                "SELECT coalesce(max(position) + 1, 0) FROM record WHERE source_id = ?",
                (source_id,),
            )[0][0]
            made = [
                Passage(
                    new_id(),
                    source_id,
                    storable(new.text),
                    position,
                    now if new.time is None else new.time,
                    new.scope,
                    new.speaker,
                    new.learn,
                )
                for position, new in enumerate(passages, first)
            ]
            self._db.write_many(
                "INSERT INTO record (id, kind, text, time, scope, learn, source_id, position,"
                " speaker) VALUES (?, 'passage', ?, ?, ?, ?, ?, ?, ?)",
                [
                    (p.id, p.text, p.time, p.scope, p.learn, source_id, p.position, p.speaker)
                    for p in made
                ],
            )
            if vectors is not None:
                self._vectors.add([passage.id for passage in made], vectors)
        return made

    def all(self, source_id: str | None = None, scope: str | None = ANY_SCOPE) -> Iterator[Passage]:
        """Yield the passages of a source, or all, in the wording that holds.

        They are read a page at a time, in the order in which they were stored.
        """
        condition, values = in_scope("r.scope", scope)
        return self._paged(f"r.state = 'active' AND {condition}", source_id, values)

    def imported(self, source_id: str) -> Iterator[Passage]:
        """Yield the passages of a source as its file has them, whatever was corrected since."""
        return self._paged("r.corrects IS NULL", source_id, ())

    def _paged(
        self, condition: str, source_id: str | None, values: Sequence[object]
    ) -> Iterator[Passage]:
        last = ""
        while True:
            page = self._table.select(
                f"WHERE r.kind = 'passage' AND r.id > ? AND (? IS NULL OR r.source_id = ?)"
                f" AND {condition} ORDER BY r.id LIMIT 1000",
                (last, source_id, source_id, *values),
            )
            yield from cast("list[Passage]", page)
            if len(page) < 1000:
                return
            last = page[-1].id

    def neighbours(self, record_id: str, before: int, after: int) -> list[Record]:
        """Return the records around one in its source, without itself, in their order."""
        return self._table.select(
            "JOIN living me ON me.id = ? AND r.source_id = me.source_id"
            " AND r.position BETWEEN me.position - ? AND me.position + ?"
            " AND r.position != me.position AND r.state = 'active' ORDER BY r.position",
            (record_id, before, after),
        )
