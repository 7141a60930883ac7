"""Reading records, whatever their kind: how rows become records, and how ids are found."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from ondevice.errors import RecordNotFoundError
from ondevice.remedies import Remedy
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
           SELECT n.id FROM living n WHERE n.state = 'active'
           AND (n.id = r.corrects OR n.corrects = coalesce(r.corrects, r.id))) END,
       CASE r.kind WHEN 'fact' THEN (
           SELECT json_group_array(s.id ORDER BY s.id)
           FROM origin o JOIN living s ON s.number = o.record WHERE o.fact = r.number) END
FROM living r LEFT JOIN fact f USING (number) """

_SOURCE = "SELECT id, kind, name, sha256, time, scope, key FROM source "
_FEEDBACK = "SELECT id, turn_id, verdict, text, time, answered_by FROM living_feedback "
_ADAPTER = """
SELECT id, name, file_sha256, base_sha256, rank, alpha, scale, state,
       (SELECT json_group_array(record_id ORDER BY record_id)
        FROM adapter_record WHERE adapter_id = adapter.id),
       created, scope, provenance, training
FROM adapter """


_READ_FROM = {
    "record": "living",
    "source": "source",
    "feedback": "living_feedback",
    "adapter": "adapter",
}


class Table:
    """All records of a profile, read by id or by a condition; what is due is not among them."""

    def __init__(self, db: Database) -> None:
        """Read from the open database `db`."""
        self._db = db

    def get(self, record_id: str) -> AnyRecord:
        """Return the record with this id, or with the only id that starts so.

        Raises:
            RecordNotFoundError: there is none, or the start fits several.
        """
        found = self.ids_from(record_id)
        if len(found) != 1:
            what = "No record has" if not found else f"{len(found)} records have"
            if _looks_like_id(record_id):
                raise RecordNotFoundError(
                    f"{what} an id that starts with '{record_id}'.", Remedy.LIST_MEMORIES
                )
            raise RecordNotFoundError("That is not the id of a record.", Remedy.LIST_MEMORIES)
        ((table, full),) = found
        if table == "record":
            return self.select("WHERE r.id = ?", (full,))[0]
        if table == "source":
            return self.select_sources("WHERE id = ?", (full,))[0]
        if table == "feedback":
            return self.select_feedback("WHERE id = ?", (full,))[0]
        return self.select_adapters("WHERE id = ?", (full,))[0]

    def has(self, record_id: str) -> bool:
        """Whether exactly one record has this id or an id that starts so."""
        return len(self.ids_from(record_id)) == 1

    def by_ids(self, ids: Iterable[str]) -> dict[str, Record]:
        """Return the facts, passages and turns with these whole ids; absent ones are left out."""
        found = self.select("WHERE r.id IN (SELECT value FROM json_each(?))", (as_list(ids),))
        return {record.id: record for record in found}

    def ids_from(self, start: str) -> list[tuple[str, str]]:
        """Return (table, id) of the records whose id starts with `start`; a whole id wins."""
        start = start.strip().lower()
        if not _looks_like_id(start):
            return []
        sql = " UNION ALL ".join(
            # Not LIKE: a range uses the index.
            f"SELECT '{table}', id FROM {rows} WHERE id >= ?1 AND id < ?1 || '~'"
            for table, rows in _READ_FROM.items()
        )
        return [(table, full) for table, full in self._db.rows(f"{sql} LIMIT 20", (start,))]

    def select(self, where: str, values: Sequence[object] = ()) -> list[Record]:
        """Return the facts, passages and turns that an SQL clause over `r` and `f` chooses."""
        return [_record(row) for row in self._db.rows(_SELECT + where, values)]

    def select_sources(self, where: str = "", values: Sequence[object] = ()) -> list[Source]:
        """Return the sources that an SQL clause chooses."""
        return [Source(*row) for row in self._db.rows(_SOURCE + where, values)]

    def select_feedback(self, where: str = "", values: Sequence[object] = ()) -> list[Feedback]:
        """Return the feedback that an SQL clause chooses."""
        rows = self._db.rows(_FEEDBACK + where, values)
        return [
            Feedback(id_, turn_id, verdict, text, time, json.loads(answered_by))
            for id_, turn_id, verdict, text, time, answered_by in rows
        ]

    def select_adapters(self, where: str = "", values: Sequence[object] = ()) -> list[AdapterRow]:
        """Return the adapters that an SQL clause chooses."""
        return [_adapter(row) for row in self._db.rows(_ADAPTER + where, values)]

    def number(self, run: Run, record_id: str) -> int:
        """Return the row number of the record with this whole id.

        Raises:
            RecordNotFoundError: there is no such record (any more).
        """
        rows = run("SELECT number FROM record WHERE id = ?", (record_id,))
        if not rows:
            raise RecordNotFoundError(
                f"There is no record with the id '{record_id}'.", Remedy.LIST_MEMORIES
            )
        return int(rows[0][0])


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


def as_list(ids: Iterable[str]) -> str:
    """Return ids as one value for `json_each`."""
    return json.dumps(list(ids))


def _looks_like_id(text: str) -> bool:
    return 0 < len(text) <= LENGTH and all(letter in ALPHABET for letter in text.lower())


def _record(row: tuple[Any, ...]) -> Record:
    (id_, kind, text, time, state, scope, learn, source_id, position, speaker, expires) = row[:11]
    category, subject, valid_from, valid_to, pinned, used = row[11:17]
    corrects, replaced_by, origins = row[17:]
    wording = {"state": state, "corrects": corrects, "replaced_by": replaced_by}
    if kind == "fact":
        return Fact(
            id_, text, category, subject, state, source_id, time, valid_from, valid_to,
            bool(pinned), scope, bool(learn), expires, tuple(json.loads(origins)),
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
