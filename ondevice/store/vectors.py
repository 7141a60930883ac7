"""Embeddings: of each record one vector by each embedder, kept as float16.

Vectors of different embedders never meet: each is stamped with the SHA-256 of the one that made it.
Half precision moves a cosine by less than 0.001 and halves what is read when a profile is opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ondevice.errors import ProfileError, RecordNotFoundError
from ondevice.store.database import Database
from ondevice.store.lineage import Lineage
from ondevice.store.table import as_list

if TYPE_CHECKING:
    import numpy as np

# Profiles of 0.1.0 have vectors without a stamp: they are of the embedder that it came with.
UNSTAMPED_SHA256 = "8a70b1dd8c67148ed3cb824ec3e0d6582b38ed57e12240a223921cdda5c12297"
PURGED_AT_ONCE = 2000  # vectors a transaction, so that nobody who writes waits for long

# What a search can find by its meaning: answers repeat what they were given.
_EMBEDDED = "(r.kind <> 'turn' OR r.speaker = 'user')"
_MISSING = f"""
FROM living r WHERE {_EMBEDDED} AND r.number > ? AND NOT EXISTS (
    SELECT 1 FROM vector v JOIN embedder e ON e.number = v.embedder
    WHERE v.number = r.number AND e.sha256 = ?)"""


@dataclass(frozen=True)
class Embedded:
    """Vectors of texts, and what made them.

    Attributes:
        embedder: SHA-256 of everything that decides a vector of this embedder.
        name: what it is called, and opened by.
        values: of shape (texts, dimensions), rows of length 1.
    """

    embedder: str
    name: str
    values: np.ndarray

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.values)

    def some(self, rows: Sequence[int] | slice) -> Embedded:
        """Return the vectors of some of the texts."""
        return Embedded(self.embedder, self.name, self.values[rows])


@dataclass(frozen=True)
class Stored:
    """Vectors as an index takes them: `number` is that of each one's record."""

    number: np.ndarray  # int64
    values: np.ndarray  # float16, shape (vectors, dimensions)
    last: int  # up to here everything was read


@dataclass(frozen=True)
class KnownEmbedder:
    """An embedder that has made vectors of this profile, and how many there are."""

    sha256: str
    name: str
    dimensions: int
    vectors: int


class Vectors:
    """The embeddings of records."""

    def __init__(self, db: Database, lineage: Lineage) -> None:
        """Keep vectors in the open database `db`."""
        self._db = db
        self._lineage = lineage

    # --- reading ----------------------------------------------------------------

    def all(self, embedder: str) -> tuple[list[str], np.ndarray]:
        """Return record ids and their vectors by one embedder, in the order of the records.

        Args:
            embedder: its SHA-256.

        Returns:
            The ids, and an array of float16 of shape (records, dimensions).
        """
        rows = self._db.rows(
            "SELECT v.id, v.value FROM vector v JOIN embedder e ON e.number = v.embedder"
            " WHERE e.sha256 = ? ORDER BY v.number",
            (embedder,),
        )
        return [row[0] for row in rows], _matrix([row[1] for row in rows])

    def of(self, embedder: str, ids: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the vectors by one embedder of some records, those that have one.

        Args:
            embedder: its SHA-256.
            ids: whole ids of records.
        """
        rows = self._db.rows(
            "SELECT v.id, v.value FROM vector v JOIN embedder e ON e.number = v.embedder"
            " JOIN record r ON r.number = v.number"
            " WHERE e.sha256 = ? AND r.id IN (SELECT value FROM json_each(?))",
            (embedder, as_list(ids)),
        )
        return dict(zip([row[0] for row in rows], _matrix([row[1] for row in rows]), strict=True))

    def since(self, embedder: str, after: int = 0) -> Stored:
        """Return the vectors by one embedder that were stored later than those up to `after`.

        Whoever reads the records afterwards knows the records of all of them.
        """
        import numpy as np

        rows = self._db.rows(
            # In the order in which they lie in the file, which is much faster than by record.
            "SELECT place, number, value FROM vector WHERE place > ? AND embedder ="
            " (SELECT number FROM embedder WHERE sha256 = ?) ORDER BY place",
            (after, embedder),
        )
        numbers = np.array([row[1] for row in rows], dtype=np.int64)
        return Stored(numbers, _matrix([row[2] for row in rows]), rows[-1][0] if rows else after)

    def embedders(self) -> list[KnownEmbedder]:
        """Return the embedders that have made vectors of this profile, the most complete first."""
        rows = self._db.rows(
            "SELECT e.sha256, e.name, e.dimensions, v.vectors FROM embedder e JOIN"
            " (SELECT embedder, count(*) AS vectors FROM vector GROUP BY embedder) v"
            " ON v.embedder = e.number ORDER BY v.vectors DESC, e.number"
        )
        return [KnownEmbedder(*row) for row in rows]

    def count_missing(self, embedder: str) -> int:
        """Return how many records have no vector by an embedder, and should have one."""
        return int(self._db.value(f"SELECT count(*) {_MISSING}", (0, embedder)))

    def missing(self, embedder: str, limit: int, after: int = 0) -> list[tuple[int, str, str]]:
        """Return records without a vector by an embedder: number, id and text, oldest first.

        Args:
            embedder: its SHA-256.
            limit: so many at most.
            after: only records with a greater number.
        """
        return self._db.rows(
            f"SELECT r.number, r.id, r.text {_MISSING} ORDER BY r.number LIMIT ?",
            (after, embedder, limit),
        )

    # --- writing ----------------------------------------------------------------

    def add(self, ids: Sequence[str], vectors: Embedded) -> None:
        """Store the vectors of records that the same transaction adds; call it inside `write`.

        Raises:
            RecordNotFoundError: there is no record with one of the ids.
            ProfileError: other vectors of this embedder have another length.
        """
        if len(ids) != len(vectors):
            raise ValueError(f"{len(ids)} records and {len(vectors)} vectors")
        if not len(ids):
            return
        number = self._number_of(vectors)
        before = self._db.value("SELECT total_changes()")
        self._db.write_many(
            "INSERT OR REPLACE INTO vector (number, embedder, id, value)"
            " SELECT number, ?, id, ? FROM record WHERE id = ?",
            [
                (number, row.tobytes(), record_id)
                for row, record_id in zip(vectors.values.astype("<f2"), ids, strict=True)
            ],
        )
        if self._db.value("SELECT total_changes()") - before < len(ids):
            raise RecordNotFoundError(
                "A record was forgotten while its vector was computed; try again."
            )

    def fill(self, texts: Sequence[tuple[str, str]], vectors: Embedded) -> None:
        """Store the vectors of records that are there already, in one transaction.

        What was forgotten or reworded while they were computed gets none.

        Args:
            texts: ids, and what was embedded of each.
            vectors: one a text.

        Raises:
            ProfileError: other vectors of this embedder have another length.
        """
        with self._db.write():
            number = self._number_of(vectors)
            self._db.write_many(
                "INSERT OR IGNORE INTO vector (number, embedder, id, value)"
                " SELECT number, ?, id, ? FROM record WHERE id = ? AND text = ?",
                [
                    (number, row.tobytes(), record_id, text)
                    for row, (record_id, text) in zip(
                        vectors.values.astype("<f2"), texts, strict=True
                    )
                ],
            )

    def keep_only(self, embedder: str) -> bool:
        """Delete the vectors by all other embedders, unless a record has none by this one.

        It takes a transaction for every few thousand, so that others can write in between; what a
        killed process has left is deleted by the next call. As in forgetting nothing of them is
        left in the file.

        Args:
            embedder: its SHA-256.

        Returns:
            Whether there are no vectors by others left.
        """
        if not self._db.rows("SELECT 1 FROM embedder WHERE sha256 <> ?", (embedder,)):
            return True
        with self._db.write() as run:
            if self.count_missing(embedder):
                return False
            self._lineage.bump(run)  # from now on everybody searches by this one
        while self._delete_some_others(embedder):
            pass
        self._lineage.finish_purge()
        return True

    def _delete_some_others(self, embedder: str) -> bool:
        """Delete some vectors that are not by this embedder; return whether there are more."""
        others = "FROM vector WHERE embedder NOT IN (SELECT number FROM embedder WHERE sha256 = ?)"
        with self._db.write() as run:
            run(
                f"DELETE FROM vector WHERE place IN (SELECT place {others} LIMIT ?)",
                (embedder, PURGED_AT_ONCE),
            )
            self._lineage.want_purge(run)
            if run(f"SELECT 1 {others} LIMIT 1", (embedder,)):
                return True
            run("DELETE FROM embedder WHERE sha256 <> ?", (embedder,))
            self._lineage.bump(run)  # who was still searching by another one has none of them left
        return False

    def _number_of(self, vectors: Embedded) -> int:
        """Return the number of the embedder that made `vectors`, which is noted at first use."""
        width = vectors.values.shape[1]
        sql = "SELECT number, dimensions FROM embedder WHERE sha256 = ?"
        found = self._db.rows(sql, (vectors.embedder,))
        if not found:
            self._db.rows(
                "INSERT INTO embedder (sha256, name, dimensions) VALUES (?, ?, ?)",
                (vectors.embedder, vectors.name, width),
            )
            found = self._db.rows(sql, (vectors.embedder,))
        number, dimensions = found[0]
        if dimensions != width:
            raise ProfileError(
                f"The vectors of the embedder '{vectors.name}' have {dimensions} values in this "
                f"profile, not {width}; reinstall ondevice, or choose another embedder."
            )
        return int(number)


def _matrix(values: Sequence[bytes]) -> np.ndarray:
    """Return stored vectors as float16, a row each."""
    import numpy as np

    width = len(values[0]) // 2 if values else 0
    return np.frombuffer(b"".join(values), dtype="<f2").reshape(len(values), width)
