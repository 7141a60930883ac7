"""Embeddings: of each record one vector by each embedder, kept as float16.

Vectors of different embedders never meet: each is stamped with the SHA-256 of the one that made it.
Half precision moves a cosine by less than 0.001 and halves what is read when a profile is opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ondevice.errors import ProfileError, RecordNotFoundError
from ondevice.store.database import Database, Run
from ondevice.store.lineage import Lineage
from ondevice.store.table import as_list

if TYPE_CHECKING:
    import numpy as np

# Profiles of 0.1.0 have vectors without a stamp: they are of the embedder that it came with.
UNSTAMPED_SHA256 = "8a70b1dd8c67148ed3cb824ec3e0d6582b38ed57e12240a223921cdda5c12297"

# What a search can find by its meaning: answers repeat what they were given.
_EMBEDDED = "(r.kind <> 'turn' OR r.speaker = 'user')"
# A table an embedder, so that one that goes is dropped: pages that are freed as a whole are zeroed.
# Deleting the rows of one among those of another would move these to other pages, and SQLite leaves
# copies where they were.
_TABLE = """
CREATE TABLE vector_{number} (
    place INTEGER PRIMARY KEY,
    number INTEGER NOT NULL UNIQUE REFERENCES record (number) ON DELETE CASCADE,
    value BLOB NOT NULL
)"""


@dataclass(frozen=True)
class Embedded:
    """Vectors of texts, and what made them.

    Attributes:
        embedder: SHA-256 of everything that decides a vector of this embedder.
        setting: what `recall.embedder` says to have it, such as "minilm".
        values: of shape (texts, dimensions), rows of length 1.
    """

    embedder: str
    setting: str
    values: np.ndarray

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.values)

    def some(self, rows: Sequence[int] | slice) -> Embedded:
        """Return the vectors of some of the texts."""
        return Embedded(self.embedder, self.setting, self.values[rows])


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
    setting: str
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
        with self._db.reading():
            table = self._table_of(embedder)
            sql = f"SELECT r.id, v.value FROM {table} v JOIN record r USING (number)"
            rows = self._db.rows(f"{sql} ORDER BY number") if table else []
        return [row[0] for row in rows], _matrix([row[1] for row in rows])

    def of(self, embedder: str, ids: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the vectors by one embedder of some records, those that have one.

        Args:
            embedder: its SHA-256.
            ids: whole ids of records.
        """
        with self._db.reading():
            table = self._table_of(embedder)
            sql = f"SELECT r.id, v.value FROM {table} v JOIN record r USING (number)"
            among = "WHERE r.id IN (SELECT value FROM json_each(?))"
            rows = self._db.rows(f"{sql} {among}", (as_list(ids),)) if table else []
        return dict(zip([row[0] for row in rows], _matrix([row[1] for row in rows]), strict=True))

    def since(self, embedder: str, after: int = 0) -> Stored:
        """Return the vectors by one embedder that were stored later than those up to `after`.

        Whoever reads the records afterwards knows the records of all of them.
        """
        import numpy as np

        with self._db.reading():
            table = self._table_of(embedder)
            sql = f"SELECT place, number, value FROM {table} WHERE place > ? ORDER BY place"
            rows = self._db.rows(sql, (after,)) if table else []
        numbers = np.array([row[1] for row in rows], dtype=np.int64)
        return Stored(numbers, _matrix([row[2] for row in rows]), rows[-1][0] if rows else after)

    def embedders(self) -> list[KnownEmbedder]:
        """Return the embedders that have made vectors of this profile, the most complete first."""
        with self._db.reading():
            known = [
                KnownEmbedder(sha256, setting, dimensions, self._count(number))
                for number, sha256, setting, dimensions in self._db.rows(
                    "SELECT number, sha256, setting, dimensions FROM embedder ORDER BY number"
                )
            ]
        return sorted((one for one in known if one.vectors), key=lambda one: -one.vectors)

    def count(self, ids: Sequence[str]) -> int:
        """Return how many vectors some records have, by all embedders."""
        among = "WHERE number IN (SELECT number FROM record WHERE id IN"
        among += " (SELECT value FROM json_each(?)))"
        with self._db.reading():
            numbers = [row[0] for row in self._db.rows("SELECT number FROM embedder")]
            return sum(self._count(number, among, (as_list(ids),)) for number in numbers)

    def count_missing(self, embedder: str) -> int:
        """Return how many records have no vector by an embedder, and should have one."""
        with self._db.reading():
            return int(self._db.value(f"SELECT count(*) {self._without(embedder)}", (0,)))

    def missing(self, embedder: str, limit: int, after: int = 0) -> list[tuple[int, str, str]]:
        """Return records without a vector by an embedder: number, id and text, oldest first.

        Args:
            embedder: its SHA-256.
            limit: so many at most.
            after: only records with a greater number.
        """
        with self._db.reading():
            rest = f"{self._without(embedder)} ORDER BY r.number LIMIT ?"
            return self._db.rows(f"SELECT r.number, r.id, r.text {rest}", (after, limit))

    def _without(self, embedder: str) -> str:
        """Return the end of a query for the records without a vector by an embedder."""
        rest = f"FROM living r WHERE {_EMBEDDED} AND r.number > ?"
        if table := self._table_of(embedder):
            rest += f" AND NOT EXISTS (SELECT 1 FROM {table} v WHERE v.number = r.number)"
        return rest

    def _count(self, number: int, where: str = "", values: Sequence[object] = ()) -> int:
        return int(self._db.value(f"SELECT count(*) FROM vector_{number} {where}", values))

    def _table_of(self, embedder: str) -> str | None:
        """Return the table with the vectors by an embedder, if there is one."""
        number = self._db.value("SELECT number FROM embedder WHERE sha256 = ?", (embedder,))
        return None if number is None else f"vector_{int(number)}"

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
        table = self._table_for(vectors)
        before = self._db.value("SELECT total_changes()")
        self._db.write_many(
            f"INSERT OR REPLACE INTO {table} (number, value)"
            " SELECT number, ? FROM record WHERE id = ?",
            list(zip(_as_bytes(vectors), ids, strict=True)),
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
            self._db.write_many(
                f"INSERT OR IGNORE INTO {self._table_for(vectors)} (number, value)"
                " SELECT number, ? FROM record WHERE id = ? AND text = ?",
                [(raw, *text) for raw, text in zip(_as_bytes(vectors), texts, strict=True)],
            )

    def remove(self, run: Run, number: int) -> None:
        """Delete the vectors of a record by all embedders, in the transaction of `run`."""
        for (embedder,) in run("SELECT number FROM embedder"):
            run(f"DELETE FROM vector_{embedder} WHERE number = ?", (number,))

    def keep_only(self, embedder: str) -> bool:
        """Delete the vectors by all other embedders, unless a record has none by this one.

        As in forgetting nothing of them is left in the file.

        Args:
            embedder: its SHA-256.

        Returns:
            Whether there are no vectors by others left.
        """
        others = "SELECT number FROM embedder WHERE sha256 <> ?"
        if not self._db.rows(others, (embedder,)):
            return True
        with self._db.write() as run:
            if self.count_missing(embedder):
                return False
            numbers = [row[0] for row in run(others, (embedder,))]
            if any(map(self._count, numbers)):
                self._lineage.bump(run)  # from now on everybody searches by this one
                self._lineage.want_purge(run)
            for number in numbers:
                run(f"DROP TABLE vector_{number}")
                run("DELETE FROM embedder WHERE number = ?", (number,))
        self._lineage.finish_purge()
        return True

    def _table_for(self, vectors: Embedded) -> str:
        """Return the table that `vectors` belong into, which is made at first use."""
        width = vectors.values.shape[1]
        sql = "SELECT number, dimensions FROM embedder WHERE sha256 = ?"
        found = self._db.rows(sql, (vectors.embedder,))
        if not found:
            self._db.rows(
                "INSERT INTO embedder (sha256, setting, dimensions) VALUES (?, ?, ?)",
                (vectors.embedder, vectors.setting, width),
            )
            found = self._db.rows(sql, (vectors.embedder,))
            self._db.rows(_TABLE.format(number=found[0][0]))
        number, dimensions = found[0]
        if dimensions != width:
            raise ProfileError(
                f"The vectors of the embedder '{vectors.setting}' have {dimensions} values in "
                f"this profile, not {width}; reinstall ondevice, or choose another embedder."
            )
        return f"vector_{int(number)}"


def _as_bytes(vectors: Embedded) -> list[bytes]:
    return [row.tobytes() for row in vectors.values.astype("<f2")]


def _matrix(values: Sequence[bytes]) -> np.ndarray:
    """Return stored vectors as float16, a row each."""
    import numpy as np

    width = len(values[0]) // 2 if values else 0
    return np.frombuffer(b"".join(values), dtype="<f2").reshape(len(values), width)
