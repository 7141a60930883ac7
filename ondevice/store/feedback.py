"""Feedback: the person's verdicts on answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from time import time as clock
from typing import Any

from ondevice.errors import ProfileError, RecordNotFoundError
from ondevice.remedies import Remedy
from ondevice.store.database import Database
from ondevice.store.ids import new_id
from ondevice.store.records import VERDICTS, Feedback, Turn
from ondevice.store.table import Table, storable


class FeedbackLog:
    """The verdicts on answers."""

    def __init__(self, db: Database, table: Table) -> None:
        """Keep verdicts in the open database `db`."""
        self._db = db
        self._table = table

    def add(
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
        if verdict not in VERDICTS:
            raise ProfileError(f"'{verdict}' is not a verdict; they are: {', '.join(VERDICTS)}.")
        if (verdict == "edit") != (text is not None):
            raise ProfileError(
                "An edit, and nothing else, comes with the text that was wanted; give it "
                "with an edit only."
            )
        turn = self._table.get(turn_id)
        if not isinstance(turn, Turn):
            raise RecordNotFoundError(
                f"The record {turn.id} is not a turn of a conversation.", Remedy.LIST_SOURCES
            )
        now = clock() if time is None else time
        feedback = Feedback(
            new_id(), turn.id, verdict, text and storable(text), now, dict(answered_by or {})
        )
        with self._db.write() as run:
            self._table.number(run, turn.id)
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

    def all(self, turn_id: str | None = None) -> list[Feedback]:
        """Return the feedback on a turn, or all, oldest first."""
        return self._table.select_feedback(
            "WHERE ?1 IS NULL OR turn_id = ?1 ORDER BY id", (turn_id,)
        )
