"""Which copies of a profile were made, and where they were written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from time import time as clock

from ondevice.errors import ProfileError
from ondevice.store import leftovers
from ondevice.store.database import Database
from ondevice.store.ids import new_id
from ondevice.store.journal import Journal
from ondevice.store.records import COPY_KINDS, Copy

_UNFINISHED = "unfinished:"  # and the path, which may be no text, in hexadecimal digits


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
            raise ProfileError(
                f"'{kind}' is not a kind of copy; they are: {', '.join(COPY_KINDS)}."
            )
        with self._db.write() as run:
            run("DELETE FROM copy WHERE path = ?", (path,))
            copy = Copy(new_id(), kind, path, clock())
            run("INSERT INTO copy VALUES (?, ?, ?, ?)", (copy.id, kind, path, copy.time))
            self._journal.note_in(run, {"backup": "backed up"}.get(kind, "exported"), copy=copy.id)
        return copy

    def begin(self, kind: str, path: Path) -> None:
        """Keep in mind that a copy is being written to `path`, in case that the process dies.

        Raises:
            ProfileError: the kind is unknown.
        """
        if kind not in COPY_KINDS:
            raise ProfileError(
                f"'{kind}' is not a kind of copy; they are: {', '.join(COPY_KINDS)}."
            )
        row = (_key(path), COPY_KINDS.index(kind))
        with self._db.write() as run:
            run("INSERT OR REPLACE INTO meta VALUES (?, ?)", row)

    def unfinished(self) -> list[tuple[str, Path]]:
        """Return kind and path of the copies that were begun, and neither finished nor given up."""
        rows = self._db.rows(
            "SELECT key, value FROM meta WHERE key >= ?1 AND key < ?1 || '~'", (_UNFINISHED,)
        )
        return [
            (COPY_KINDS[kind], Path(os.fsdecode(bytes.fromhex(key.removeprefix(_UNFINISHED)))))
            for key, kind in rows
        ]

    def drop_unfinished(self, path: Path | None = None) -> None:
        """Note that the copy at `path`, or every one, is finished or given up."""
        condition, values = "key >= ?1 AND key < ?1 || '~'", (_UNFINISHED,)
        if path is not None:
            condition, values = "key = ?1", (_key(path),)
        with self._db.write() as run:
            run(f"DELETE FROM meta WHERE {condition}", values)

    def clear_unfinished(self) -> None:
        """Delete what dead processes have left of copies; a whole one is listed from now on."""
        # Folders first: what lies in one goes with it, and is no copy that anybody knows.
        for kind, path in sorted(self.unfinished(), key=lambda one: one[0] != "readable"):
            if kind == "readable":
                if leftovers.clear_folder(path):
                    self.drop_unfinished(path)
            elif leftovers.clear_file(path):
                with self._db.write():
                    if path.is_file():  # whole, as it seems: the person must know that it is there
                        self.note(kind, str(path))
                    self.drop_unfinished(path)

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


def _key(path: Path) -> str:
    return _UNFINISHED + os.fsencode(path).hex()
