"""The search index in memory: one row a record, grown as records come, never on disk.

The vectors of 100,000 memories are 150 MB and are searched by brute force; a
file of them would be a plaintext copy of what the profile encrypts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ondevice.recall.embedder import DIMENSIONS

if TYPE_CHECKING:
    from ondevice.profile.outline import OutlineRow
    from ondevice.profile.store import Profile


class Index:
    """Vectors and what fusion needs to know of every record, in order of record number."""

    def __init__(self) -> None:
        """Make an empty index."""
        self.last_number = 0
        self.ids: list[str] = []
        self.row_of: dict[str, int] = {}
        self.size = 0
        self._matrix = np.zeros((0, DIMENSIONS), dtype=np.float32)
        self._before = np.zeros(0, dtype=np.int64)
        self._after = np.zeros(0, dtype=np.int64)
        self._time = np.zeros(0)
        self._flags = np.zeros((4, 0), dtype=np.int32)  # pinned, searchable, scope, speaker
        self._last_of_source: dict[str, int] = {}
        self.scopes: dict[str | None, int] = {None: 0}
        self.speakers: dict[str | None, int] = {None: 0}

    def update(self, profile: Profile) -> None:
        """Add the records that came since the last call."""
        rows, vectors = profile.outline(after=self.last_number)
        if rows:
            self._reserve(self.size + len(rows))
            self._matrix[self.size : self.size + len(rows)] = vectors
            for row in rows:
                self._add(row)
            self.last_number = rows[-1].number

    def _add(self, row: OutlineRow) -> None:
        here = self.size
        self.ids.append(row.id)
        self.row_of[row.id] = here
        self._time[here] = row.time
        self._before[here] = self._after[here] = -1
        self._flags[:, here] = (
            row.pinned,
            row.state == "active",
            self.scopes.setdefault(row.scope, len(self.scopes)),
            self.speakers.setdefault(row.speaker, len(self.speakers)),
        )
        if row.source_id is not None and row.kind != "fact":
            # Records of a source come in the order of their positions.
            last = self._last_of_source.get(row.source_id)
            if last is not None:
                self._before[here] = last
                self._after[last] = here
            self._last_of_source[row.source_id] = here
        self.size += 1

    def _reserve(self, size: int) -> None:
        capacity = len(self._matrix)
        if size <= capacity:
            return
        # Doubling: a turn that is added copies nothing most of the time.
        capacity = max(size + 256, min(2 * capacity, capacity + 20_000))
        self._matrix = _grown(self._matrix, (capacity, DIMENSIONS))
        self._before = _grown(self._before, (capacity,))
        self._after = _grown(self._after, (capacity,))
        self._time = _grown(self._time, (capacity,))
        self._flags = _grown(self._flags, (4, capacity))

    @property
    def matrix(self) -> np.ndarray:
        """Unit vectors, float32, shape (size, 384); zeros where a record has none."""
        return self._matrix[: self.size]

    @property
    def before(self) -> np.ndarray:
        """Row of the preceding record of the same source; `size` where there is none."""
        return np.where(self._before[: self.size] < 0, self.size, self._before[: self.size])

    @property
    def after(self) -> np.ndarray:
        """Row of the following record of the same source; `size` where there is none."""
        return np.where(self._after[: self.size] < 0, self.size, self._after[: self.size])

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
        return self._flags[1, : self.size] == 1

    @property
    def scope(self) -> np.ndarray:
        """The code in `scopes` of each record's scope."""
        return self._flags[2, : self.size]

    @property
    def speaker(self) -> np.ndarray:
        """The code in `speakers` of who spoke."""
        return self._flags[3, : self.size]


def _grown(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    grown: np.ndarray = np.zeros(shape, dtype=array.dtype)
    grown[tuple(slice(0, length) for length in array.shape)] = array
    return grown
