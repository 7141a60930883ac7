"""Embeddings: one vector a record, kept as float16.

Half precision moves a cosine by less than 0.001 and halves what is read when
a profile is opened.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ondevice.errors import ProfileError, RecordNotFoundError
from ondevice.store.database import Run
from ondevice.store.part import Part

if TYPE_CHECKING:
    import numpy as np


class Vectors(Part):
    """Storing and loading vectors, and the purge of what was deleted."""

    def vectors(self, after: str | None = None) -> tuple[list[str], np.ndarray]:
        """Return record ids and their vectors, float16 of shape (records, dimensions).

        Args:
            after: only records with a greater id, for whoever has the earlier ones already.
        """
        import numpy as np

        condition = "" if after is None else "WHERE id > ? "
        rows = self._db.rows(
            f"SELECT id, value FROM vector {condition}ORDER BY number",
            () if after is None else (after,),
        )
        ids = [row[0] for row in rows]
        width = len(rows[0][1]) // 2 if rows else 0
        matrix = np.frombuffer(b"".join([row[1] for row in rows]), dtype="<f2")
        return ids, matrix.reshape(len(ids), width)

    def set_vectors(self, ids: Sequence[str], vectors: np.ndarray) -> None:
        """Store vectors, of shape (records, dimensions), in one transaction.

        Raises:
            RecordNotFoundError: there is no record with one of the ids; none was stored.
            ProfileError: the other vectors have another length.
        """
        with self._db.write() as run:
            self._put_vectors(ids, vectors)
            self._bump(run)  # an index that has these records has them without a vector

    def _put_vectors(self, ids: Sequence[str], vectors: np.ndarray) -> None:
        if len(ids) != len(vectors):
            raise ValueError(f"{len(ids)} records and {len(vectors)} vectors")
        if not len(ids):
            return
        known = self._db.value("SELECT length(value) / 2 FROM vector LIMIT 1")
        if known is not None and known != vectors.shape[1]:
            raise ProfileError(
                f"The vectors of this profile have {known} values, not {vectors.shape[1]}: "
                "they were made by another embedder; install the version of ondevice that "
                "made them."
            )
        values = vectors.astype("<f2")
        before = self._db.value("SELECT total_changes()")
        self._db.write_many(
            "INSERT OR REPLACE INTO vector (number, id, value)"
            " SELECT number, id, ? FROM record WHERE id = ?",
            [(row.tobytes(), record_id) for row, record_id in zip(values, ids, strict=True)],
        )
        if self._db.value("SELECT total_changes()") - before < len(ids):
            raise RecordNotFoundError(
                "A record was forgotten while its vector was computed; try again."
            )

    @staticmethod
    def _number(run: Run, record_id: str) -> int:
        rows = run("SELECT number FROM record WHERE id = ?", (record_id,))
        if not rows:
            raise RecordNotFoundError(
                f"There is no record with the id '{record_id}'; `ondevice memory list` shows "
                "the ids."
            )
        return int(rows[0][0])

    # --- purge ----------------------------------------------------------------------

    def _want_purge(self, run: Run) -> None:
        """Note, in the deleting transaction, that the log still holds what was deleted."""
        run("UPDATE meta SET value = 1 WHERE key = 'purge_pending'")

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


def as_list(ids: Sequence[str]) -> str:
    """Return ids as one value for `json_each`."""
    return json.dumps(list(ids))
