"""Turns: what the person and the assistant said, conversation by conversation."""

from __future__ import annotations

from collections.abc import Sequence
from time import time as clock
from typing import cast

from ondevice.store.database import Database
from ondevice.store.ids import new_id
from ondevice.store.records import Turn
from ondevice.store.sources import Sources
from ondevice.store.table import Table, storable
from ondevice.store.vectors import Embedded, Vectors


class Turns:
    """The messages of all conversations."""

    def __init__(self, db: Database, table: Table, vectors: Vectors, sources: Sources) -> None:
        """Keep turns in the open database `db`."""
        self._db = db
        self._table = table
        self._vectors = vectors
        self._sources = sources

    def new_conversation(self, name: str = "chat", *, scope: str | None = None) -> str:
        """Start a conversation and return its id, which is a source's."""
        return self._sources.add("conversation", name, scope=scope).id

    def add(
        self,
        conversation_id: str,
        role: str,
        text: str,
        *,
        time: float | None = None,
        memories_used: Sequence[str] = (),
        vector: Embedded | None = None,
        scope: str | None = None,
        learn: bool = True,
    ) -> Turn:
        """Append a message to a conversation; it is durable when this returns.

        Args:
            conversation_id: from `new_conversation`.
            role: "user", "assistant" or "system".
            text: the message.
            time: when it was said; now if None.
            memories_used: ids of the records that the model was given for it.
            vector: its embedding.
            scope: the context that it belongs to.
            learn: False keeps it out of training.

        Raises:
            RecordNotFoundError: there is no such conversation (any more).
        """
        turn_id, now = new_id(), clock() if time is None else time
        with self._db.write() as run:
            self._sources.check(conversation_id)
            run(
                "INSERT INTO record (id, kind, text, time, scope, learn, source_id, position,"
                " speaker) SELECT ?, 'turn', ?, ?, ?, ?, ?, coalesce(max(position) + 1, 0), ?"
                " FROM record WHERE source_id = ?",
                (
                    turn_id,
                    storable(text),
                    now,
                    scope,
                    learn,
                    conversation_id,
                    role,
                    conversation_id,
                ),
            )
            number = self._table.number(run, turn_id)
            self._db.write_many(
                # A record that was forgotten meanwhile is not referred to.
                "INSERT INTO memory_used (number, position, memory_id)"
                " SELECT ?, ?, id FROM record WHERE id = ?",
                [(number, place, memory) for place, memory in enumerate(memories_used)],
            )
            if vector is not None:
                self._vectors.add([turn_id], vector)
        return cast("Turn", self._table.get(turn_id))

    def all(self, conversation_id: str | None = None) -> list[Turn]:
        """Return the turns of a conversation, or all, in their order and the wording that holds."""
        found = self._table.select(
            "WHERE r.kind = 'turn' AND r.state = 'active' AND (?1 IS NULL OR r.source_id = ?1)"
            " ORDER BY r.source_id, r.position",
            (conversation_id,),
        )
        return cast("list[Turn]", found)

    def recent(self, role: str | None = None, limit: int = 200) -> list[Turn]:
        """Return the newest turns of all conversations, oldest first."""
        found = self._table.select(
            "WHERE r.kind = 'turn' AND r.state = 'active' AND (?1 IS NULL OR r.speaker = ?1)"
            " ORDER BY r.id DESC LIMIT ?2",
            (role, limit),
        )
        return cast("list[Turn]", found[::-1])

    def last_answer(self) -> Turn | None:
        """Return the newest turn of the assistant, if there is one."""
        found = self.recent("assistant", 1)
        return found[0] if found else None

    def last_conversation(self) -> str | None:
        """Return the id of the conversation with the newest turn, if there is one."""
        found = self.recent(limit=1)
        return found[0].conversation_id if found else None
