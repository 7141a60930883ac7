"""Embeddings: one vector a record, kept as float16.

Half precision moves a cosine by less than 0.001 and halves what is read when
a profile is opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ondevice.errors import ProfileError, RecordNotFoundError
from ondevice.store.database import Database
from ondevice.store.lineage import Lineage

if TYPE_CHECKING:
    import numpy as np


class Vectors:
    """The embeddings of records."""

    def __init__(self, db: Database, lineage: Lineage) -> None:
        """Keep vectors in the open database `db`."""
        self._db = db
        self._lineage = lineage

    def all(self, after: str | None = None) -> tuple[list[str], np.ndarray]:
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

    def put(self, ids: Sequence[str], vectors: np.ndarray) -> None:
        """Store vectors, of shape (records, dimensions), in one transaction.

        Raises:
            RecordNotFoundError: there is no record with one of the ids; none was stored.
            ProfileError: the other vectors have another length.
        """
        with self._db.write() as run:
            self.add(ids, vectors)
            self._lineage.bump(run)  # an index that has these records has them without a vector

    def add(self, ids: Sequence[str], vectors: np.ndarray) -> None:
        """Store the vectors of records that the same transaction adds; call it inside `write`.

        Raises:
            RecordNotFoundError: there is no record with one of the ids.
            ProfileError: the other vectors have another length.
        """
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
