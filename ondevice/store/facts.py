"""Facts: statements about the person."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from time import time as clock
from typing import Any, Final, cast

from ondevice.errors import ProfileError, RecordNotFoundError
from ondevice.remedies import Remedy
from ondevice.store.database import Database, Run
from ondevice.store.ids import new_id
from ondevice.store.lineage import Lineage
from ondevice.store.origins import Origins
from ondevice.store.records import ANY_SCOPE, CATEGORIES, FACT_STATES, Category, Fact, FactState
from ondevice.store.table import Table, in_scope, storable
from ondevice.store.vectors import Embedded, Vectors

KEEP: Final[Any] = object()  # as an argument of an edit: leave it as it is


class Facts:
    """Adding, editing and listing facts."""

    def __init__(
        self, db: Database, table: Table, lineage: Lineage, vectors: Vectors, origins: Origins
    ) -> None:
        """Keep facts in the open database `db`."""
        self._db = db
        self._table = table
        self._lineage = lineage
        self._vectors = vectors
        self._origins = origins

    def add(
        self,
        text: str,
        *,
        category: str = "other",
        subject: str | None = None,
        state: str = "active",
        source_id: str | None = None,
        scope: str | None = None,
        pinned: bool = False,
        learn: bool = True,
        expires: float | None = None,
        supersedes: Sequence[str] = (),
        vector: Embedded | None = None,
        time: float | None = None,
        valid_to: float | None = None,
        origin: str | None = None,
    ) -> Fact:
        """Store a fact; it is durable when this returns.

        Args:
            text: the statement.
            category: one of `records.CATEGORIES`.
            subject: what it is about.
            state: one of `records.FACT_STATES`.
            source_id: the conversation or import that it came from.
            scope: the context that it belongs to; None for all.
            pinned: always stands in the prompt.
            learn: False keeps it out of training.
            expires: when it is deleted, in seconds since 1970.
            supersedes: ids of facts that it replaces; they become superseded and adapters
                that were trained on them stale, in the same transaction.
            vector: its embedding.
            time: when it was said; now if None.
            valid_to: when it ceased to be true, if that is known.
            origin: id of the passage or turn that says it.

        Raises:
            RecordNotFoundError: there is no source, no record that says it, or no fact to
                supersede, with that id.
            ProfileError: the text is empty, or the category or state is unknown.
        """
        _check(text, category, state)
        now = clock() if time is None else time
        fact_id = new_id()
        with self._db.write() as run:
            if source_id is not None and not run("SELECT 1 FROM source WHERE id=?", (source_id,)):
                raise RecordNotFoundError(
                    f"There is no source with the id '{source_id}'.", Remedy.LIST_SOURCES
                )
            run(
                "INSERT INTO record (id, kind, text, time, state, scope, learn, source_id, expires)"
                " VALUES (?, 'fact', ?, ?, ?, ?, ?, ?, ?)",
                (fact_id, storable(text), now, state, scope, learn, source_id, expires),
            )
            number = self._table.number(run, fact_id)
            run(
                "INSERT INTO fact (number, category, subject, valid_from, valid_to, pinned)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (number, category, subject, now, valid_to, pinned),
            )
            if origin is not None:
                self._origins.link(run, number, origin)
            if vector is not None:
                self._vectors.add([fact_id], vector)
            if supersedes:
                self._supersede(run, supersedes, now)
        return Fact(
            fact_id, storable(text), cast("Category", category), subject,
            cast("FactState", state), source_id, now, now, valid_to,
            pinned, scope, learn, expires, () if origin is None else (origin,),
        )  # fmt: skip

    def all(self, state: str | None = None, scope: str | None = ANY_SCOPE) -> list[Fact]:
        """Return facts, oldest first.

        Args:
            state: only facts in this state; all if None.
            scope: "work" gives the facts of that scope and of none; None only those of none.
        """
        condition, values = in_scope("r.scope", scope)
        found = self._table.select(
            f"WHERE r.kind = 'fact' AND (?1 IS NULL OR r.state = ?1) AND {_numbered(condition)}"
            " ORDER BY r.id",
            (state, *values),
        )
        return cast("list[Fact]", found)

    def confirm(self, fact_id: str, record_id: str) -> None:
        """Note that a passage or turn says what a fact says; that goes on without it, too.

        Raises:
            RecordNotFoundError: there is no such fact or record.
        """
        fact = self._fact(fact_id)
        with self._db.write() as run:
            number = self._table.number(run, fact.id)
            if not fact.origins:  # it was there without any text
                self._origins.link(run, number, fact.id)
            self._origins.link(run, number, record_id)

    def edit(
        self,
        fact_id: str,
        *,
        text: str = KEEP,
        category: str = KEEP,
        subject: str | None = KEEP,
        scope: str | None = KEEP,
        learn: bool = KEEP,
        expires: float | None = KEEP,
        vector: Embedded | None = None,
    ) -> Fact:
        """Change a fact; adapters trained on it go stale in the same transaction.

        The old text is purged like a forgotten one. With a new text and no `vector` the fact
        is without a vector until one is set.

        Raises:
            RecordNotFoundError: there is no such fact.
            ProfileError: the new text is empty or the category unknown.
        """
        fact = self._fact(fact_id)
        _check(
            fact.text if text is KEEP else text,
            fact.category if category is KEEP else category,
            fact.state,
        )
        text = text if text is KEEP else storable(text)
        common = {"text": text, "scope": scope, "learn": learn, "expires": expires}
        special = {"category": category, "subject": subject}
        reworded = text is not KEEP and text != fact.text
        with self._db.write() as run:
            number = self._table.number(run, fact.id)
            for table, values in (("record", common), ("fact", special)):
                for column, value in values.items():
                    if value is not KEEP:
                        run(f"UPDATE {table} SET {column} = ? WHERE number = ?", (value, number))
            if reworded:
                run("DELETE FROM vector WHERE number = ?", (number,))
                if fact.origins:  # these are the person's words now, whatever becomes of the text
                    self._origins.link(run, number, fact.id)
                self._lineage.want_purge(run)
            if vector is not None:
                self._vectors.add([fact.id], vector)
            self._lineage.mark_stale(run, [fact.id])
            self._lineage.bump(run)
        if reworded:
            self._lineage.finish_purge()
        changes: dict[str, Any] = {
            name: new for name, new in {**common, **special}.items() if new is not KEEP
        }
        return dataclasses.replace(fact, **changes)

    def approve(self, fact_id: str, *, supersedes: Sequence[str] = ()) -> Fact:
        """Make a pending fact active, replacing the facts in `supersedes`.

        Raises:
            RecordNotFoundError: there is no such fact.
            ProfileError: the fact was superseded.
        """
        fact = self._fact(fact_id)
        if fact.state == "superseded":
            raise ProfileError(f"The fact {fact.id} was superseded; add it again instead.")
        with self._db.write() as run:
            run("UPDATE record SET state = 'active' WHERE id = ?", (fact.id,))
            if supersedes:
                self._supersede(run, supersedes, clock())
            self._lineage.bump(run)
        return self._fact(fact.id)

    def unapprove(self, fact_id: str, *, restore: Sequence[str] = ()) -> Fact:
        """Take an approval back: the fact is pending, and what it had replaced is active again.

        Adapters that went stale by the approval stay so.

        Args:
            fact_id: an active fact.
            restore: ids of the facts that it had replaced.

        Raises:
            RecordNotFoundError: one of them is no fact; nothing was changed.
        """
        fact = self._fact(fact_id)
        with self._db.write() as run:
            run("UPDATE record SET state = 'pending' WHERE id = ?", (fact.id,))
            self._restore(run, restore)
            self._lineage.mark_stale(run, [fact.id])
            self._lineage.bump(run)
        return self._fact(fact.id)

    def restore(self, ids: Sequence[str]) -> None:
        """Make superseded facts active again; others stay as they are.

        Raises:
            RecordNotFoundError: one of them is no fact; nothing was changed.
        """
        with self._db.write() as run:
            self._restore(run, ids)
            self._lineage.bump(run)

    def _restore(self, run: Run, ids: Sequence[str]) -> None:
        for fact_id in ids:
            number = self._table.number(run, self._fact(fact_id).id)
            run(
                "UPDATE fact SET valid_to = NULL WHERE number = ?1 AND EXISTS (SELECT 1 FROM record"
                " WHERE number = ?1 AND state = 'superseded')",
                (number,),
            )
            run(
                "UPDATE record SET state = 'active' WHERE number = ? AND state = 'superseded'",
                (number,),
            )

    def supersede(self, ids: Sequence[str]) -> None:
        """Mark facts as no longer true; they stay visible, but not in prompts.

        Raises:
            RecordNotFoundError: one of them is not a fact; nothing was changed.
        """
        with self._db.write() as run:
            self._supersede(run, ids, clock())

    def pin(self, fact_id: str, pinned: bool = True) -> Fact:
        """Always show a fact to the model, or no longer.

        Raises:
            RecordNotFoundError: there is no such fact.
        """
        fact = self._fact(fact_id)
        with self._db.write() as run:
            run(
                "UPDATE fact SET pinned = ? WHERE number = ?",
                (pinned, self._table.number(run, fact.id)),
            )
            self._lineage.bump(run)
        return self._fact(fact.id)

    def _supersede(self, run: Run, ids: Sequence[str], now: float) -> None:
        for fact_id in ids:
            number = self._table.number(run, self._fact(fact_id).id)
            run("UPDATE record SET state = 'superseded' WHERE number = ?", (number,))
            run("UPDATE fact SET valid_to = coalesce(valid_to, ?) WHERE number = ?", (now, number))
        self._lineage.mark_stale(run, ids)
        self._lineage.bump(run)

    def _fact(self, fact_id: str) -> Fact:
        record = self._table.get(fact_id)
        if not isinstance(record, Fact):
            raise RecordNotFoundError(
                f"The record {record.id} is not a fact.", Remedy.LIST_MEMORIES
            )
        return record


def _check(text: str, category: str, state: str) -> None:
    if not text.strip():
        raise ProfileError("A fact needs a text; this one is empty; write one.")
    if category not in CATEGORIES:
        raise ProfileError(f"'{category}' is not a category; they are: {', '.join(CATEGORIES)}.")
    if state not in FACT_STATES:
        raise ProfileError(
            f"'{state}' is not a state of a fact; they are: {', '.join(FACT_STATES)}."
        )


def _numbered(condition: str) -> str:
    return condition.replace("?", "?2")
