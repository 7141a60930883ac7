"""What happened to a profile, which copies of it were made, and how long it keeps what."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from time import time as clock
from typing import Any

from ondevice.errors import ProfileError
from ondevice.settings import RetentionSettings
from ondevice.store.database import Run
from ondevice.store.ids import new_id
from ondevice.store.part import Part
from ondevice.store.records import COPY_KINDS, Copy, Event, one_of

_RETENTION = "retention_"


class Journal(Part):
    """Events without texts, copies, and the retention of this profile."""

    # --- events -------------------------------------------------------------------

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
            self._note(run, kind, **about)

    def _note(self, run: Run, kind: str, **about: Any) -> None:
        run(
            "INSERT INTO event (time, kind, about) VALUES (?, ?, ?)",
            (clock(), kind, json.dumps(about, sort_keys=True)),
        )

    def take_over(self, events: Sequence[Event], copies: Sequence[Copy]) -> None:
        """Add events and copies of the profile that this one replaces, unless they are known."""
        known = {(event.time, event.kind) for event in self.events()}
        with self._db.write() as run:
            for event in events:
                if (event.time, event.kind) not in known:
                    about = json.dumps(event.about, sort_keys=True)
                    values = (event.time, event.kind, about)
                    run("INSERT INTO event (time, kind, about) VALUES (?, ?, ?)", values)
            for copy in copies:
                row = (copy.id, copy.kind, copy.path, copy.time)
                run("INSERT OR IGNORE INTO copy VALUES (?, ?, ?, ?)", row)

    # --- copies -------------------------------------------------------------------

    def copies(self) -> list[Copy]:
        """Return the backups and exports that were made, oldest first."""
        return [Copy(*row) for row in self._db.rows("SELECT * FROM copy ORDER BY id")]

    def note_copy(self, kind: str, path: str) -> Copy:
        """Keep in mind that a copy was written to `path`; an earlier one there is gone.

        Call it after the copy has read the profile: what is stored later is not in it.

        Raises:
            ProfileError: the kind is unknown.
        """
        known = one_of(COPY_KINDS, kind)
        if known is None:
            raise ProfileError(f"'{kind}' is no kind of copy; they are: {', '.join(COPY_KINDS)}.")
        with self._db.write() as run:
            run("DELETE FROM copy WHERE path = ?", (path,))
            copy = Copy(new_id(), known, path, clock())
            run("INSERT INTO copy VALUES (?, ?, ?, ?)", (copy.id, kind, path, copy.time))
            self._note(run, {"backup": "backed up"}.get(kind, "exported"), copy=copy.id)
        return copy

    def drop_copy(self, path: str) -> bool:
        """No longer list the copy at `path`. Returns whether it was listed."""
        with self._db.write() as run:
            return bool(run("DELETE FROM copy WHERE path = ? RETURNING id", (path,)))

    def copies_with(self, ids: Sequence[str]) -> tuple[Copy, ...]:
        """Return the copies that were made when one of the records `ids` was there."""
        oldest = min(ids, default=None)
        if oldest is None:
            return ()
        return tuple(copy for copy in self.copies() if oldest < copy.id)

    # --- retention ----------------------------------------------------------------

    def retention(self, default: RetentionSettings | None = None) -> RetentionSettings:
        """Return how long each kind of record is kept: this profile's own days, else `default`'s.

        Args:
            default: of the settings; nothing expires if None.
        """
        rows = self._db.rows(
            "SELECT key, value FROM meta WHERE key LIKE 'retention\\_%' ESCAPE '\\'"
        )
        own = {str(key).removeprefix(_RETENTION): int(value) for key, value in rows}
        return dataclasses.replace(default or RetentionSettings(), **own)

    def set_retention(self, **days: int) -> RetentionSettings:
        """Keep kinds of records for so many days from now on; 0 keeps them until forgotten.

        Args:
            days: by the names of `RetentionSettings`, such as `turn_days=90`.

        Raises:
            ProfileError: there is no such kind, or the number is negative.
        """
        known = [field.name for field in dataclasses.fields(RetentionSettings)]
        for name, value in days.items():
            if name not in known:
                raise ProfileError(f"'{name}' is not kept by days; these are: {', '.join(known)}.")
            if not 0 <= value <= 100_000:
                raise ProfileError(
                    f"{value} is no number of days to keep something; give 0 (for ever) to 100000."
                )
        with self._db.write() as run:
            for name, value in days.items():
                run("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_RETENTION + name, value))
            self._note(run, "retention", **days)
        return self.retention()
