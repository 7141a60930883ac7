"""What happened to a profile: events without texts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from time import time as clock
from typing import Any

from ondevice.store.database import Database, Run
from ondevice.store.records import Event


class Journal:
    """The events of a profile."""

    def __init__(self, db: Database) -> None:
        """Keep events in the open database `db`."""
        self._db = db

    def events(self, kind: str | None = None, limit: int | None = None) -> list[Event]:
        """Return what was imported, learned, forgotten and so on, oldest first.

        Args:
            kind: only events of this kind.
            limit: only so many, the newest.
        """
        rows = self._db.rows(
            "SELECT time, kind, about FROM event WHERE ?1 IS NULL OR kind = ?1"
            " ORDER BY number DESC LIMIT ?2",
            (kind, -1 if limit is None else limit),
        )
        return [Event(time, kind_, json.loads(about)) for time, kind_, about in reversed(rows)]

    def note(self, kind: str, **about: Any) -> None:
        """Add an event; `about` must hold numbers and ids, and no text."""
        with self._db.write() as run:
            self.note_in(run, kind, **about)

    def note_in(self, run: Run, kind: str, **about: Any) -> None:
        """Add an event in the transaction of `run`, as `note` does."""
        run(
            "INSERT INTO event (time, kind, about) VALUES (?, ?, ?)",
            (clock(), kind, json.dumps(about, sort_keys=True)),
        )

    def take_over(self, events: Sequence[Event]) -> None:
        """Add events of the profile that this one replaces, unless they are known."""
        known = {(event.time, event.kind) for event in self.events()}
        with self._db.write() as run:
            for event in events:
                if (event.time, event.kind) not in known:
                    about = json.dumps(event.about, sort_keys=True)
                    values = (event.time, event.kind, about)
                    run("INSERT INTO event (time, kind, about) VALUES (?, ?, ?)", values)
