"""What the parts of a profile share: the database, and how rows become records."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ondevice.errors import RecordNotFoundError
from ondevice.store.database import Database, Run
from ondevice.store.ids import ALPHABET, LENGTH
from ondevice.store.records import (
    ANY_SCOPE,
    AdapterRow,
    AnyRecord,
    Fact,
    Feedback,
    Passage,
    Record,
    Source,
    Turn,
)

_SELECT = """
SELECT r.id, r.kind, r.text, r.time, r.state, r.scope, r.learn, r.source_id, r.position,
       r.speaker, r.expires, f.category, f.subject, f.valid_from, f.valid_to, f.pinned,
       CASE r.kind WHEN 'turn' THEN (
           SELECT json_group_array(memory_id ORDER BY u.position)
           FROM memory_used u WHERE u.number = r.number) END,
       r.corrects,
       CASE WHEN r.state = 'superseded' AND r.kind != 'fact' THEN (
           SELECT n.id FROM record n WHERE n.state = 'active'
           AND (n.id = r.corrects OR n.corrects = coalesce(r.corrects, r.id))) END
FROM record r LEFT JOIN fact f USING (number) """

_SOURCE = "SELECT id, kind, name, sha256, time, scope, key FROM source "
_FEEDBACK = "SELECT id, turn_id, verdict, text, time, answered_by FROM feedback "
_ADAPTER = """
SELECT id, name, file_sha256, base_sha256, rank, alpha, scale, state,
       (SELECT json_group_array(record_id ORDER BY record_id)
        FROM adapter_record WHERE adapter_id = adapter.id),
       created, scope, provenance, training
FROM adapter """


class Part:
    """A view of the profile's database."""

    _db: Database

    # --- reading, whatever the kind ---------------------------------------------

    def get(self, record_id: str) -> AnyRecord:
        """Return the record with this id, or with the only id that starts so.

        Raises:
            RecordNotFoundError: there is none, or the start fits several.
        """
        found = self._ids_from(record_id)
        if len(found) != 1:
            what = "No record has" if not found else f"{len(found)} records have"
            if _looks_like_id(record_id):
                raise RecordNotFoundError(
                    f"{what} an id that starts with '{record_id}'; `ondevice memory list` "
                    "shows the ids."
                )
            raise RecordNotFoundError(
                "That is not the id of a record; `ondevice memory list` shows the ids."
            )
        ((table, full),) = found
        if table == "record":
            return self._records("WHERE r.id = ?", (full,))[0]
        if table == "source":
            return self._sources("WHERE id = ?", (full,))[0]
        if table == "feedback":
            return self._feedback("WHERE id = ?", (full,))[0]
        return self._adapters("WHERE id = ?", (full,))[0]

    def has(self, record_id: str) -> bool:
        """Whether exactly one record has this id or an id that starts so."""
        return len(self._ids_from(record_id)) == 1

    def records(self, ids: Iterable[str]) -> dict[str, Record]:
        """Return the facts, passages and turns with these whole ids; absent ones are left out."""
        found = self._records("WHERE r.id IN (SELECT value FROM json_each(?))", (_list(ids),))
        return {record.id: record for record in found}

    def _ids_from(self, start: str) -> list[tuple[str, str]]:
        """Return (table, id) of the records whose id starts with `start`; a whole id wins."""
        start = start.strip().lower()
        if not _looks_like_id(start):
            return []
        sql = " UNION ALL ".join(
            # Not LIKE: a range uses the index.
            f"SELECT '{table}', id FROM {table} WHERE id >= ?1 AND id < ?1 || '~'"
            for table in ("record", "source", "feedback", "adapter")
        )
        return [(table, full) for table, full in self._db.rows(f"{sql} LIMIT 20", (start,))]

    def _records(self, where: str, values: Sequence[object] = ()) -> list[Record]:
        return [_record(row) for row in self._db.rows(_SELECT + where, values)]

    def _sources(self, where: str = "", values: Sequence[object] = ()) -> list[Source]:
        return [Source(*row) for row in self._db.rows(_SOURCE + where, values)]

    def _feedback(self, where: str = "", values: Sequence[object] = ()) -> list[Feedback]:
        rows = self._db.rows(_FEEDBACK + where, values)
        return [
            Feedback(id_, turn_id, verdict, text, time, json.loads(answered_by))
            for id_, turn_id, verdict, text, time, answered_by in rows
        ]

    def _adapters(self, where: str = "", values: Sequence[object] = ()) -> list[AdapterRow]:
        return [_adapter(row) for row in self._db.rows(_ADAPTER + where, values)]

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all changes of a block durable together, or none of them."""
        with self._db.write():
            yield

    # --- rules that every change keeps --------------------------------------------

    def generation(self) -> int:
        """Return a counter that grows whenever something is no longer as it was.

        It grows by forgetting, editing, approving, superseding and changes of adapters, not by
        additions. Whoever caches records drops them when it has changed.
        """
        return int(self._db.value("SELECT value FROM meta WHERE key = 'generation'"))

    def data_version(self) -> int:
        """Return a number that changes when another connection has committed anything."""
        return int(self._db.value("PRAGMA data_version"))

    def _bump(self, run: Run) -> None:
        run("UPDATE meta SET value = value + 1 WHERE key = 'generation'")

    def _mark_stale(self, run: Run, ids: Iterable[str]) -> tuple[str, ...]:
        """Mark the adapters that list one of `ids` stale; return the names of those now stale."""
        rows = run(
            "UPDATE adapter SET state = 'stale' WHERE id IN (SELECT adapter_id FROM adapter_record"
            " WHERE record_id IN (SELECT value FROM json_each(?))) AND state <> 'stale'"
            " RETURNING name",
            (_list(ids),),
        )
        return tuple(sorted(name for (name,) in rows))


def in_scope(column: str, scope: str | None) -> tuple[str, tuple[object, ...]]:
    """Return an SQL condition and its values: records of no scope are seen in every scope."""
    if scope == ANY_SCOPE:
        return "1", ()
    if scope is None:
        return f"{column} IS NULL", ()
    return f"({column} IS NULL OR {column} = ?)", (scope,)


def storable(text: str) -> str:
    """Return `text` without what UTF-8 or SQLite cannot hold: lone surrogates and NUL."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def _list(ids: Iterable[str]) -> str:
    return json.dumps(list(ids))


def _looks_like_id(text: str) -> bool:
    return 0 < len(text) <= LENGTH and all(letter in ALPHABET for letter in text.lower())


def _record(row: tuple[Any, ...]) -> Record:
    (id_, kind, text, time, state, scope, learn, source_id, position, speaker, expires) = row[:11]
    category, subject, valid_from, valid_to, pinned, used, corrects, replaced_by = row[11:]
    wording = {"state": state, "corrects": corrects, "replaced_by": replaced_by}
    if kind == "fact":
        return Fact(
            id_, text, category, subject, state, source_id, time, valid_from, valid_to,
            bool(pinned), scope, bool(learn), expires,
        )  # fmt: skip
    if kind == "passage":
        return Passage(id_, source_id, text, position, time, scope, speaker, bool(learn), **wording)
    return Turn(
        id_, source_id, speaker, text, time, source_id, tuple(json.loads(used)), scope,
        bool(learn), position, **wording,
    )  # fmt: skip


def _adapter(row: tuple[Any, ...]) -> AdapterRow:
    id_, name, file_sha256, base_sha256, rank, alpha, scale, state = row[:8]
    records, created, scope, provenance, training = row[8:]
    return AdapterRow(
        id_, name, file_sha256, base_sha256, rank, alpha, scale, state,
        tuple(json.loads(records)), created, scope, json.loads(provenance), json.loads(training),
    )  # fmt: skip
