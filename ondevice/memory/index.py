"""The search index in memory: one row a record, grown as records come, never on disk.

The vectors of 100,000 memories are 150 MB and are searched by brute force; a
file of them would be a plaintext copy of what the profile encrypts.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ondevice.store.profile import Profile
    from ondevice.store.search_tables import Outline


class Index:
    """Vectors and what fusion needs to know of every record, in order of record number."""

    def __init__(self, embedder: str, dimensions: int) -> None:
        """Make an empty index.

        Args:
            embedder: SHA-256 of the one whose vectors it holds.
            dimensions: values of each of them.
        """
        self.embedder = embedder
        self._dimensions = dimensions
        self._last_vector = 0
        self.last_number = 0
        self.ids: list[str] = []
        self.size = 0
        self._matrix = np.zeros((0, dimensions), dtype=np.float32)
        self._before = np.zeros(0, dtype=np.int64)
        self._after = np.zeros(0, dtype=np.int64)
        self._time = np.zeros(0)
        self._number = np.zeros(0, dtype=np.int64)
        self._flags = np.zeros((5, 0), dtype=np.int32)  # pinned, state, scope, speaker, fact
        self._last_of_source: dict[str, int] = {}
        self.scopes: dict[str | None, int] = {None: 0}
        self.speakers: dict[str | None, int] = {None: 0}

    def update(self, profile: Profile) -> None:
        """Add the records and vectors that came since the last call."""
        # In this order: of each of these vectors the record is known then.
        vectors = profile.vectors.since(self.embedder, after=self._last_vector)
        new = profile.search_tables.outline(after=self.last_number)
        if new is not None:
            self._append(new)
        if len(vectors.number):
            rows, found = self.rows_of(vectors.number)
            self._matrix[rows] = vectors.values[found]
        self._last_vector = vectors.last

    def _append(self, new: Outline) -> None:
        first, end = self.size, self.size + len(new.number)
        self._reserve(end)
        self._number[first:end] = new.number
        self._time[first:end] = new.time
        self._before[first:end] = self._after[first:end] = -1
        self._flags[0, first:end] = new.pinned
        self._flags[1, first:end] = new.state
        self._flags[2, first:end] = _codes(new.scope, self.scopes)
        self._flags[3, first:end] = _codes(new.speaker, self.speakers)
        self._flags[4, first:end] = [source_id is None for source_id in new.source_id]
        self.ids += new.id
        self._link(first, new.source_id)
        self.size = end
        for number, corrected, holds in new.corrections:
            self._take_place(number, corrected if holds else None)
        self.last_number = int(new.number[-1])

    def _link(self, first: int, source_ids: Sequence[str | None]) -> None:
        """Note the neighbours: records of a source come in the order of their positions."""
        before: list[int] = []
        for row, source_id in enumerate(source_ids, first):
            if source_id is None:
                before.append(-1)
                continue
            before.append(self._last_of_source.get(source_id, -1))
            self._last_of_source[source_id] = row
        self._before[first : first + len(before)] = before
        rows = np.flatnonzero(np.array(before) >= 0)
        self._after[np.array(before)[rows]] = rows + first

    def _take_place(self, number: int, corrected: int | None) -> None:
        """Give a correction, which came last, the neighbours of what it corrects.

        Without `corrected` it has no neighbours: it does not hold (any more).
        """
        row = self._row(number)
        if row is None:
            return  # it came between two queries
        place = None if corrected is None else self._row(corrected)
        self._take_out(row)
        if place is None:
            return
        before, after = int(self._before[place]), int(self._after[place])
        self._before[row], self._after[row] = before, after
        self._before[place] = self._after[place] = -1
        if before >= 0:
            self._after[before] = row
        if after >= 0:
            self._before[after] = row
        for source_id, last in self._last_of_source.items():
            if last == place:
                self._last_of_source[source_id] = row

    def _take_out(self, row: int) -> None:
        """Leave a row without neighbours; those that it had are neighbours now."""
        before, after = int(self._before[row]), int(self._after[row])
        if before >= 0:
            self._after[before] = after
        if after >= 0:
            self._before[after] = before
        self._before[row] = self._after[row] = -1
        for source_id, last in list(self._last_of_source.items()):
            if last == row and before >= 0:
                self._last_of_source[source_id] = before
            elif last == row:
                del self._last_of_source[source_id]

    def _row(self, number: int) -> int | None:
        """Return the row of the record with this number, if it has one."""
        rows, _ = self.rows_of(np.array([number], dtype=np.int64))
        return int(rows[0]) if len(rows) else None

    def rows_of(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of records by number, and which of `numbers` have one."""
        known = self._number[: self.size]
        rows = np.minimum(np.searchsorted(known, numbers), max(self.size - 1, 0))
        found = known[rows] == numbers if self.size else np.zeros(len(numbers), dtype=bool)
        return rows[found], found

    def rows_with(self, ids: Collection[str]) -> list[int]:
        """Return the rows of the records with these ids."""
        return [row for row, identity in enumerate(self.ids) if identity in ids] if ids else []

    def _reserve(self, size: int) -> None:
        capacity = len(self._matrix)
        if size <= capacity:
            return
        # Doubling: a turn that is added copies nothing most of the time.
        capacity = max(size + 256, min(2 * capacity, capacity + 20_000))
        self._matrix = _grown(self._matrix, (capacity, self._dimensions))
        self._before = _grown(self._before, (capacity,))
        self._after = _grown(self._after, (capacity,))
        self._time = _grown(self._time, (capacity,))
        self._number = _grown(self._number, (capacity,))
        self._flags = _grown(self._flags, (5, capacity))

    @property
    def matrix(self) -> np.ndarray:
        """Unit vectors, float32, shape (size, dimensions); zeros where a record has none."""
        return self._matrix[: self.size]

    @property
    def before(self) -> np.ndarray:
        """Row of the preceding record of the same source; `size` where there is none."""
        return _or_none(self._before[: self.size])

    @property
    def after(self) -> np.ndarray:
        """Row of the following record of the same source; `size` where there is none."""
        return _or_none(self._after[: self.size])

    @property
    def time(self) -> np.ndarray:
        """Seconds since 1970."""
        return self._time[: self.size]

    @property
    def pinned(self) -> np.ndarray:
        """1 where a fact is pinned."""
        return self._flags[0, : self.size]

    @property
    def active(self) -> np.ndarray:
        """Whether a record is neither pending nor superseded."""
        active: np.ndarray = self._flags[1, : self.size] == 1
        return active

    @property
    def fact(self) -> np.ndarray:
        """Whether a record is a statement about the person."""
        fact: np.ndarray = self._flags[4, : self.size] == 1
        return fact

    @property
    def pending(self) -> np.ndarray:
        """Whether a record waits for approval."""
        pending: np.ndarray = self._flags[1, : self.size] == 2
        return pending

    @property
    def scope(self) -> np.ndarray:
        """The code in `scopes` of each record's scope."""
        return self._flags[2, : self.size]

    @property
    def speaker(self) -> np.ndarray:
        """The code in `speakers` of who spoke."""
        return self._flags[3, : self.size]


def _or_none(rows: np.ndarray) -> np.ndarray:
    return np.where(rows < 0, len(rows), rows)


def _codes(values: Sequence[str | None], known: dict[str | None, int]) -> list[int]:
    """Return a small number for each value; new values get the next ones."""
    return [known.setdefault(value, len(known)) for value in values]


def _grown(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    grown: np.ndarray = np.zeros(shape, dtype=array.dtype)
    grown[tuple(slice(0, length) for length in array.shape)] = array
    return grown
