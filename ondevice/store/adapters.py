"""The adapters of a profile and their lineage: which records each was trained on."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ondevice.errors import AdapterError, AdapterNotFoundError, AdapterStaleError, or_meant
from ondevice.remedies import Remedy
from ondevice.store.adapter_files import AdapterFiles
from ondevice.store.database import Database, Run
from ondevice.store.ids import new_id
from ondevice.store.journal import Journal
from ondevice.store.lineage import Lineage
from ondevice.store.records import ADAPTER_STATES, AdapterRow
from ondevice.store.table import Table


class Adapters:
    """Rows about adapters in the database, and their encrypted files beside it."""

    def __init__(
        self, db: Database, table: Table, lineage: Lineage, journal: Journal, files: AdapterFiles
    ) -> None:
        """Keep adapters in the open database `db`, and their files in `files`."""
        self._db = db
        self._table = table
        self._lineage = lineage
        self._journal = journal
        self.files = files

    def add(
        self,
        name: str,
        *,
        file_sha256: str,
        base_sha256: str,
        rank: int,
        alpha: float,
        scale: float = 1.0,
        state: str = "off",
        records: Sequence[str] = (),
        scope: str | None = None,
        provenance: Mapping[str, str] | None = None,
        adapter_id: str | None = None,
        training: Mapping[str, Any] | None = None,
    ) -> AdapterRow:
        """Store an adapter's row.

        If one of `records` is no longer there, or is a superseded fact, the adapter is stale
        from the start: something was forgotten while it was being trained.

        Raises:
            AdapterError: there is an adapter of that name, or the state is unknown.
        """
        _check_state(state)
        row_id = adapter_id or new_id()
        listed = sorted(set(records))
        with self._db.write() as run:
            if run("SELECT 1 FROM adapter WHERE name = ?", (name,)):
                raise AdapterError(
                    f"There is an adapter called '{name}' already; choose another name."
                )
            present = self.all_present(listed)
            run(
                "INSERT INTO adapter (id, name, file_sha256, base_sha256, rank, alpha, scale,"
                " state, created, scope, provenance, training)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    row_id,
                    name,
                    file_sha256,
                    base_sha256,
                    rank,
                    alpha,
                    scale,
                    state if present else "stale",
                    time.time(),
                    scope,
                    json.dumps(dict(provenance or {}), sort_keys=True),
                    json.dumps(dict(training or {}), sort_keys=True),
                ),
            )
            self._db.write_many(
                "INSERT INTO adapter_record (adapter_id, record_id) VALUES (?, ?)",
                [(row_id, record_id) for record_id in listed],
            )
            self._note_activation(run)
            if not present:
                self._db.after_commit(self.shred_stale)
            if listed:
                self._journal.note_in(run, "learned", adapter=row_id, records=len(listed))
            self._lineage.bump(run)
        return self.get(row_id)

    def all_present(self, records: Sequence[str]) -> bool:
        """Whether all records with these ids are there, and no fact among them is superseded."""
        listed = set(records)
        present = self._db.value(
            "SELECT (SELECT count(*) FROM living WHERE state != 'superseded' AND id IN"
            " (SELECT value FROM json_each(?1))) + (SELECT count(*) FROM feedback WHERE id IN"
            " (SELECT value FROM json_each(?1))) + (SELECT count(*) FROM source WHERE id IN"
            " (SELECT value FROM json_each(?1)))",
            (json.dumps(sorted(listed)),),
        )
        return bool(present == len(listed))

    def all(self) -> list[AdapterRow]:
        """Return all adapters, oldest first."""
        return self._table.select_adapters("ORDER BY id")

    def get(self, name: str) -> AdapterRow:
        """Return the adapter with this name or whole id.

        Raises:
            AdapterNotFoundError: there is none.
        """
        found = self._table.select_adapters(
            "WHERE name = ?1 OR id = ?1 ORDER BY id = ?1 DESC", (name,)
        )
        if not found:
            raise AdapterNotFoundError(
                or_meant(
                    f"There is no adapter called '{name}' in this profile",
                    name,
                    (row.name for row in self.all()),
                ),
                Remedy.LIST_ADAPTERS,
            )
        return found[0]

    def set_state(self, name: str, state: str, *, scale: float | None = None) -> AdapterRow:
        """Change the state of the adapter with this name or id and, if given, its scale.

        Raises:
            AdapterNotFoundError: there is none.
            AdapterStaleError: it is stale and would be used; it can only be removed.
        """
        _check_state(state)
        with self._db.write() as run:
            row = self.get(name) if state == "stale" else self._usable(name)
            run(
                "UPDATE adapter SET state = ?, scale = coalesce(?, scale) WHERE id = ?",
                (state, scale, row.id),
            )
            self._note_activation(run)
            self._lineage.bump(run)
            if state == "stale":
                self._db.after_commit(self.shred_stale)
        return self.get(row.id)

    def set_active(self, pairs: Sequence[tuple[str, float]]) -> None:
        """Make exactly these adapters active, as one change that can be rolled back.

        Args:
            pairs: names or ids, and scales.

        Raises:
            AdapterNotFoundError: one is not there; nothing was changed.
            AdapterStaleError: one is stale; nothing was changed.
        """
        with self._db.write() as run:
            run("UPDATE adapter SET state = 'off' WHERE state = 'active'")
            for name, scale in pairs:
                row = self._usable(name)
                run("UPDATE adapter SET state='active', scale=? WHERE id=?", (scale, row.id))
            self._note_activation(run)
            self._lineage.bump(run)

    def roll_back(self) -> tuple[list[AdapterRow], int]:
        """Undo the last change of what is active.

        Returns:
            What is active now, and how many adapters that were active before could not be
            activated again because they are stale or gone.

        Raises:
            AdapterError: nothing was ever activated.
        """
        with self._db.write() as run:
            last = run("SELECT number FROM activation ORDER BY number DESC LIMIT 1")
            if not last:
                raise AdapterError(
                    "No adapter was ever activated, so there is nothing to undo.",
                    Remedy.LIST_ADAPTERS,
                )
            run("DELETE FROM activation WHERE number = ?", last[0])
            before = run("SELECT active FROM activation ORDER BY number DESC LIMIT 1")
            wanted = json.loads(before[0][0]) if before else []
            run("UPDATE adapter SET state = 'off' WHERE state = 'active'")
            for adapter_id, scale in wanted:
                run(
                    "UPDATE adapter SET state='active', scale=? WHERE id=? AND state != 'stale'",
                    (scale, adapter_id),
                )
            self._lineage.bump(run)
            active = self._table.select_adapters("WHERE state = 'active' ORDER BY id")
        return active, len(wanted) - len(active)

    def note_training(self, name: str, notes: Mapping[str, Any]) -> AdapterRow:
        """Add `notes`, such as metrics, to what is known of how an adapter was trained.

        Raises:
            AdapterNotFoundError: there is none.
        """
        with self._db.write() as run:
            row = self.get(name)
            text = json.dumps({**row.training, **notes}, sort_keys=True)
            run("UPDATE adapter SET training = ? WHERE id = ?", (text, row.id))
        return self.get(row.id)

    def _note_activation(self, run: Run) -> None:
        """Put down what is active now, if that has changed."""
        active = json.dumps(
            [
                [adapter_id, scale]
                for adapter_id, scale in run(
                    "SELECT id, scale FROM adapter WHERE state = 'active' ORDER BY id"
                )
            ]
        )
        last = run("SELECT active FROM activation ORDER BY number DESC LIMIT 1")
        if active != (last[0][0] if last else "[]"):
            run("INSERT INTO activation (time, active) VALUES (?, ?)", (time.time(), active))

    def _usable(self, name: str) -> AdapterRow:
        row = self.get(name)
        if row.state == "stale":
            raise AdapterStaleError(
                f"The adapter '{row.name}' was trained on something that was forgotten or "
                "changed; train it again or remove it."
            )
        return row

    def reader_scale(self) -> float:
        """Return the scale at which the base model's reader is used; 0 is off, 1 the default."""
        rows = self._db.rows("SELECT value FROM meta WHERE key = 'reader_scale'")
        return float(rows[0][0]) if rows else 1.0

    def set_reader_scale(self, scale: float) -> None:
        """Keep the scale at which the base model's reader is used; 0 turns it off."""
        with self._db.write() as run:
            run("INSERT OR REPLACE INTO meta VALUES ('reader_scale', ?)", (scale,))
            self._lineage.bump(run)

    def remove(self, name: str) -> AdapterRow:
        """Delete the adapter with this name or id, its file too, and return what it was.

        Raises:
            AdapterNotFoundError: there is none.
        """
        with self._db.write() as run:
            row = self.get(name)
            run("DELETE FROM adapter WHERE id = ?", (row.id,))
            self._lineage.bump(run)
        self.files.shred(row.id)
        return row

    def shred_stale(self) -> tuple[str, ...]:
        """Shred the files of stale adapters and unfinished trainings; return the adapters' names.

        Files that belong to no adapter, left by a crash, go too.
        """
        self.files.clear_checkpoints()
        with self._db.write():  # nobody adds one just now
            rows = self.all()
            kept = [row.id for row in rows if row.state != "stale"]
            gone = tuple(r.name for r in rows if r.state == "stale" and self.files.exists(r.id))
            self.files.shred_others(kept)
        return gone


def _check_state(state: str) -> None:
    if state not in ADAPTER_STATES:
        raise AdapterError(
            f"'{state}' is not a state of an adapter; they are: {', '.join(ADAPTER_STATES)}."
        )
