"""Imports and conversations: sources, their passages and turns, and feedback."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from time import time as clock
from typing import TYPE_CHECKING, Any, cast

from ondevice.errors import ProfileError, RecordNotFoundError
from ondevice.store.facts import Facts
from ondevice.store.ids import new_id
from ondevice.store.part import in_scope, storable
from ondevice.store.records import (
    ANY_SCOPE,
    SOURCE_KINDS,
    VERDICTS,
    Feedback,
    NewPassage,
    Passage,
    Record,
    Source,
    Turn,
    one_of,
)

if TYPE_CHECKING:
    import numpy as np


class Sources(Facts):
    """Where records come from, and what came from there."""

    def add_source(
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
                f"'{kind}' is no kind of source; they are: {', '.join(SOURCE_KINDS)}."
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

    def sources(self, kind: str | None = None) -> list[Source]:
        """Return all sources, or those of one kind, oldest first."""
        return self._sources("WHERE ?1 IS NULL OR kind = ?1 ORDER BY id", (kind,))

    def source(self, source_id: str) -> Source:
        """Return the source with this id, or with the only id that starts so.

        Raises:
            RecordNotFoundError: there is none.
        """
        # Records of the same moment have ids that begin alike: only sources are looked at.
        found = [one for one in self.sources() if one.id.startswith(source_id.strip().lower())]
        if len(found) != 1 or not source_id.strip():
            raise RecordNotFoundError(
                "There is no import or conversation of that name or id; `ondevice source list` "
                "shows those there are."
            )
        return found[0]

    def sources_by_key(self, key: str) -> list[Source]:
        """Return the sources with this key, oldest first; one without SHA-256 was cut off."""
        return self._sources("WHERE key = ? ORDER BY id", (key,))

    def count_records(self) -> int:
        """Return the number of facts, passages and turns."""
        return int(self._db.value("SELECT count(*) FROM record"))

    def source_sizes(self) -> dict[str, int]:
        """Return the number of records of each source that has some."""
        rows = self._db.rows(
            "SELECT source_id, count(*) FROM record WHERE source_id IS NOT NULL GROUP BY source_id"
        )
        return {str(source_id): int(count) for source_id, count in rows}

    def members(self, source_id: str, limit: int | None = None) -> list[Record]:
        """Return the records of a source in their order, or only the first `limit`."""
        return self._records(
            "WHERE r.source_id = ? ORDER BY r.position, r.id LIMIT ?",
            (source_id, -1 if limit is None else limit),
        )

    def complete_source(self, source_id: str, sha256: str) -> None:
        """Note that a source is stored as a whole: from now on its SHA-256 is known.

        Raises:
            RecordNotFoundError: there is no such source (any more).
        """
        with self._db.write() as run:
            self._need_source(source_id)
            run("UPDATE source SET sha256 = ? WHERE id = ?", (sha256, source_id))
            sql = "SELECT count(*) FROM record WHERE source_id = ?"
            self._note(run, "imported", source=source_id, records=run(sql, (source_id,))[0][0])

    # --- passages ---------------------------------------------------------------

    def add_passages(
        self,
        source_id: str,
        passages: Sequence[NewPassage],
        vectors: np.ndarray | None = None,
    ) -> list[Passage]:
        """Append a batch of passages to a source, in one transaction.

        Args:
            source_id: the source that they belong to.
            passages: in the order of the source.
            vectors: their embeddings, of shape (passages, 384).

        Raises:
            RecordNotFoundError: there is no such source (any more).
        """
        now = clock()
        with self._db.write() as run:
            self._need_source(source_id)
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
                self._put_vectors([passage.id for passage in made], vectors)
        return made

    def passages(
        self, source_id: str | None = None, scope: str | None = ANY_SCOPE
    ) -> Iterator[Passage]:
        """Yield the passages of a source, or all, in their order, reading a page at a time."""
        condition, values = in_scope("r.scope", scope)
        last = ""
        while True:
            page = self._records(
                f"WHERE r.kind = 'passage' AND r.id > ? AND (? IS NULL OR r.source_id = ?)"
                f" AND {condition} ORDER BY r.id LIMIT 1000",
                (last, source_id, source_id, *values),
            )
            yield from cast("list[Passage]", page)
            if len(page) < 1000:
                return
            last = page[-1].id

    # --- conversations ------------------------------------------------------------

    def new_conversation(self, name: str = "chat", *, scope: str | None = None) -> str:
        """Start a conversation and return its id, which is a source's."""
        return self.add_source("conversation", name, scope=scope).id

    def add_turn(
        self,
        conversation_id: str,
        role: str,
        text: str,
        *,
        time: float | None = None,
        memories_used: Sequence[str] = (),
        vector: np.ndarray | None = None,
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
            vector: its embedding, of shape (384,).
            scope: the context that it belongs to.
            learn: False keeps it out of training.

        Raises:
            RecordNotFoundError: there is no such conversation (any more).
        """
        turn_id, now = new_id(), clock() if time is None else time
        with self._db.write() as run:
            self._need_source(conversation_id)
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
            number = self._number(run, turn_id)
            self._db.write_many(
                # A record that was forgotten meanwhile is not referred to.
                "INSERT INTO memory_used (number, position, memory_id)"
                " SELECT ?, ?, id FROM record WHERE id = ?",
                [(number, place, memory) for place, memory in enumerate(memories_used)],
            )
            if vector is not None:
                self._put_vectors([turn_id], vector[None, :])
        return cast("Turn", self.get(turn_id))

    def turns(self, conversation_id: str | None = None) -> list[Turn]:
        """Return the turns of a conversation, or all, in their order."""
        found = self._records(
            "WHERE r.kind = 'turn' AND (?1 IS NULL OR r.source_id = ?1)"
            " ORDER BY r.source_id, r.position",
            (conversation_id,),
        )
        return cast("list[Turn]", found)

    def recent_turns(self, role: str | None = None, limit: int = 200) -> list[Turn]:
        """Return the newest turns of all conversations, oldest first."""
        found = self._records(
            "WHERE r.kind = 'turn' AND (?1 IS NULL OR r.speaker = ?1) ORDER BY r.id DESC LIMIT ?2",
            (role, limit),
        )
        return cast("list[Turn]", found[::-1])

    def last_answer(self) -> Turn | None:
        """Return the newest turn of the assistant, if there is one."""
        found = self.recent_turns("assistant", 1)
        return found[0] if found else None

    def last_conversation(self) -> str | None:
        """Return the id of the conversation with the newest turn, if there is one."""
        found = self.recent_turns(limit=1)
        return found[0].conversation_id if found else None

    # --- feedback -------------------------------------------------------------------

    def add_feedback(
        self,
        turn_id: str,
        verdict: str,
        text: str | None = None,
        *,
        answered_by: Mapping[str, Any] | None = None,
        time: float | None = None,
    ) -> Feedback:
        """Store a verdict on an answer; an "edit" comes with the text that was wanted.

        Args:
            turn_id: of the answer.
            verdict: one of `records.VERDICTS`.
            text: what was wanted instead.
            answered_by: the model and the adapters.
            time: when it was given; now if None.

        Raises:
            RecordNotFoundError: there is no such turn.
            ProfileError: the verdict is unknown, or an edit has no text.
        """
        given = one_of(VERDICTS, verdict)
        if given is None:
            raise ProfileError(f"'{verdict}' is no verdict; they are: {', '.join(VERDICTS)}.")
        if (verdict == "edit") != (text is not None):
            raise ProfileError(
                "An edit, and nothing else, comes with the text that was wanted; give it "
                "with an edit only."
            )
        turn = self.get(turn_id)
        if not isinstance(turn, Turn):
            raise RecordNotFoundError(
                f"The record {turn.id} is not a turn; see `ondevice source show`."
            )
        now = clock() if time is None else time
        feedback = Feedback(
            new_id(), turn.id, given, text and storable(text), now, dict(answered_by or {})
        )
        with self._db.write() as run:
            self._number(run, turn.id)
            run(
                "INSERT INTO feedback (id, turn_id, verdict, text, time, answered_by)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    feedback.id,
                    turn.id,
                    verdict,
                    feedback.text,
                    now,
                    json.dumps(feedback.answered_by, sort_keys=True),
                ),
            )
        return feedback

    def feedback(self, turn_id: str | None = None) -> list[Feedback]:
        """Return the feedback on a turn, or all, oldest first."""
        return self._feedback("WHERE ?1 IS NULL OR turn_id = ?1 ORDER BY id", (turn_id,))

    def _need_source(self, source_id: str) -> None:
        if not self._db.rows("SELECT 1 FROM source WHERE id = ?", (source_id,)):
            raise RecordNotFoundError(
                f"There is no conversation or import with the id '{source_id}' any more; "
                "`ondevice source list` shows those there are."
            )
