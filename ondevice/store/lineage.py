"""Lineage: what was made of records follows them.

Whatever changes or removes a record marks the adapters that were trained on it stale, in the same
transaction, and their files are shredded as soon as that is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ondevice.store.database import Database, Run
from ondevice.store.table import as_list


class Lineage:
    """The counter of changes, stale adapters, and the purge of what was deleted."""

    def __init__(self, db: Database) -> None:
        """Follow the changes of the open database `db`."""
        self._db = db
        self._shred: Callable[[], object] = _nothing
        self._sweep: Callable[[], object] = _nothing

    def when_stale(self, shred: Callable[[], object]) -> None:
        """Call `shred` after each transaction in which an adapter went stale."""
        self._shred = shred

    def when_deleted(self, sweep: Callable[[], object]) -> None:
        """Call `sweep` after each transaction that has deleted or reworded something."""
        self._sweep = sweep

    def generation(self) -> int:
        """Return a counter that grows whenever something is no longer as it was.

        It grows by forgetting, editing, approving, superseding and changes of adapters, not by
        additions. Whoever caches records drops them when it has changed.
        """
        return int(self._db.value("SELECT value FROM meta WHERE key = 'generation'"))

    def data_version(self) -> int:
        """Return a number that changes when another connection has committed anything."""
        return int(self._db.value("PRAGMA data_version"))

    def bump(self, run: Run) -> None:
        """Let `generation` grow, in the transaction of `run`."""
        run("UPDATE meta SET value = value + 1 WHERE key = 'generation'")

    def mark_stale(
        self, run: Run, ids: Iterable[str], *, keep_files: bool = False
    ) -> tuple[str, ...]:
        """Mark the adapters that list one of `ids` stale; return the names of those now stale.

        Args:
            run: of the transaction in which the records change.
            ids: whole ids of records, sources and feedback.
            keep_files: leave the adapters' files; still encrypted, still never loaded.
        """
        rows = run(
            "UPDATE adapter SET state = 'stale' WHERE id IN (SELECT adapter_id FROM adapter_record"
            " WHERE record_id IN (SELECT value FROM json_each(?))) AND state <> 'stale'"
            " RETURNING name",
            (as_list(ids),),
        )
        if rows and not keep_files:
            self._db.after_commit(self._shred)
        return tuple(sorted(name for (name,) in rows))

    # --- purge ----------------------------------------------------------------------

    def want_purge(self, run: Run) -> None:
        """Note, in the deleting transaction, that the log still holds what was deleted."""
        run("UPDATE meta SET value = 1 WHERE key = 'purge_pending'")
        self._db.after_commit(self._sweep)

    def finish_purge(self, seconds: float | None = None) -> bool:
        """Truncate the log if something was deleted since it was last truncated.

        Returns False if readers in other processes did not leave it in time, and inside a
        transaction; the next deletion or opening tries again.
        """
        if self._db.is_writing:
            return False
        if not self._db.value("SELECT value FROM meta WHERE key = 'purge_pending'"):
            return True
        done = self._db.purge_log() if seconds is None else self._db.purge_log(seconds)
        if done:
            with self._db.write() as run:
                run("UPDATE meta SET value = 0 WHERE key = 'purge_pending'")
        return done


def _nothing() -> None:
    pass
