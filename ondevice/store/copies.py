"""Which copies of a profile were made, and where they were written."""

from __future__ import annotations

from collections.abc import Sequence
from time import time as clock

from ondevice.errors import ProfileError
from ondevice.store.database import Database
from ondevice.store.ids import new_id
from ondevice.store.journal import Journal
from ondevice.store.records import COPY_KINDS, Copy


class Copies:
    """The backups and exports of a profile; forgetting does not reach them, so it names them."""

    def __init__(self, db: Database, journal: Journal) -> None:
        """Keep the list in the open database `db`."""
        self._db = db
        self._journal = journal

    def all(self) -> list[Copy]:
        """Return the backups and exports that were made, oldest first."""
        return [Copy(*row) for row in self._db.rows("SELECT * FROM copy ORDER BY id")]

    def note(self, kind: str, path: str) -> Copy:
        """Keep in mind that a copy was written to `path`; an earlier one there is gone.

        Call it after the copy has read the profile: what is stored later is not in it.

        Raises:
            ProfileError: the kind is unknown.
        """
        if kind not in COPY_KINDS:
            raise ProfileError(f"'{kind}' is no kind of copy; they are: {', '.join(COPY_KINDS)}.")
        with self._db.write() as run:
            run("DELETE FROM copy WHERE path = ?", (path,))
            copy = Copy(new_id(), kind, path, clock())
            run("INSERT INTO copy VALUES (?, ?, ?, ?)", (copy.id, kind, path, copy.time))
            self._journal.note_in(run, {"backup": "backed up"}.get(kind, "exported"), copy=copy.id)
        return copy

    def drop(self, path: str) -> bool:
        """No longer list the copy at `path`. Returns whether it was listed."""
        with self._db.write() as run:
            return bool(run("DELETE FROM copy WHERE path = ? RETURNING id", (path,)))

    def holding(self, ids: Sequence[str]) -> tuple[Copy, ...]:
        """Return the copies that were made when one of the records `ids` was there."""
        oldest = min(ids, default=None)
        if oldest is None:
            return ()
        return tuple(copy for copy in self.all() if oldest < copy.id)

    def take_over(self, copies: Sequence[Copy]) -> None:
        """Add copies of the profile that this one replaces, unless they are known."""
        with self._db.write() as run:
            for copy in copies:
                row = (copy.id, copy.kind, copy.path, copy.time)
                run("INSERT OR IGNORE INTO copy VALUES (?, ?, ?, ?)", row)
