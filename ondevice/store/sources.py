"""Imports and conversations: where records come from."""

from __future__ import annotations

from time import time as clock

from ondevice.errors import ProfileError, RecordNotFoundError
from ondevice.remedies import Remedy
from ondevice.store.database import Database
from ondevice.store.ids import new_id
from ondevice.store.journal import Journal
from ondevice.store.records import SOURCE_KINDS, Record, Source, one_of
from ondevice.store.table import Table, storable


class Sources:
    """Where records come from."""

    def __init__(self, db: Database, table: Table, journal: Journal) -> None:
        """Keep sources in the open database `db`."""
        self._db = db
        self._table = table
        self._journal = journal

    def add(
        self,
        kind: str,
        name: str,
        *,
        sha256: str | None = None,
        scope: str | None = None,
        time: float | None = None,
        key: str | None = None,
    ) -> Source:
        """Store a source.

        Args:
            kind: one of `records.SOURCE_KINDS`.
            name: what the person calls it, such as the file's name.
            sha256: of the file, so that importing it again can be noticed.
            scope: the context that it belongs to.
            time: when it came; now if None.
            key: what stays the same when the file changes, such as its path.

        Raises:
            ProfileError: the kind is unknown.
        """
        known = one_of(SOURCE_KINDS, kind)
        if known is None:
            raise ProfileError(
                f"'{kind}' is not a kind of source; they are: {', '.join(SOURCE_KINDS)}."
            )
        now = clock() if time is None else time
        source = Source(new_id(), known, storable(name), sha256, now, scope, key)
        with self._db.write() as run:
            run(
                "INSERT INTO source (id, kind, name, sha256, time, scope, key)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (source.id, kind, source.name, sha256, now, scope, key),
            )
        return source

    def all(self, kind: str | None = None) -> list[Source]:
        """Return all sources, or those of one kind, oldest first."""
        return self._table.select_sources("WHERE ?1 IS NULL OR kind = ?1 ORDER BY id", (kind,))

    def get(self, source_id: str) -> Source:
        """Return the source with this id, or with the only id that starts so.

        Raises:
            RecordNotFoundError: there is none.
        """
        # Records of the same moment have ids that begin alike: only sources are looked at.
        found = [one for one in self.all() if one.id.startswith(source_id.strip().lower())]
        if len(found) != 1 or not source_id.strip():
            raise RecordNotFoundError(
                "There is no import or conversation of that name or id.", Remedy.LIST_SOURCES
            )
        return found[0]

    def by_key(self, key: str) -> list[Source]:
        """Return the sources with this key, oldest first; one without SHA-256 was cut off."""
        return self._table.select_sources("WHERE key = ? ORDER BY id", (key,))

    def count_records(self) -> int:
        """Return the number of facts, passages and turns."""
        return int(self._db.value("SELECT count(*) FROM living"))

    def sizes(self) -> dict[str, int]:
        """Return the number of records of each source that has some."""
        rows = self._db.rows(
            "SELECT source_id, count(*) FROM living WHERE source_id IS NOT NULL GROUP BY source_id"
        )
        return {str(source_id): int(count) for source_id, count in rows}

    def members(self, source_id: str, limit: int | None = None) -> list[Record]:
        """Return the records of a source in their order, or only the first `limit`."""
        return self._table.select(
            "WHERE r.source_id = ? ORDER BY r.position, r.id LIMIT ?",
            (source_id, -1 if limit is None else limit),
        )

    def complete(self, source_id: str, sha256: str) -> None:
        """Note that a source is stored as a whole: from now on its SHA-256 is known.

        Raises:
            RecordNotFoundError: there is no such source (any more).
        """
        with self._db.write() as run:
            self.check(source_id)
            run("UPDATE source SET sha256 = ? WHERE id = ?", (sha256, source_id))
            sql = "SELECT count(*) FROM record WHERE source_id = ?"
            self._journal.note_in(
                run, "imported", source=source_id, records=run(sql, (source_id,))[0][0]
            )

    def check(self, source_id: str) -> None:
        """Check that there is a source with this whole id.

        Raises:
            RecordNotFoundError: there is none (any more).
        """
        if not self._db.rows("SELECT 1 FROM source WHERE id = ?", (source_id,)):
            raise RecordNotFoundError(
                f"There is no conversation or import with the id '{source_id}' any more.",
                Remedy.LIST_SOURCES,
            )
