"""Everything that a search index in memory needs, read in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ondevice.profile.part import Part

if TYPE_CHECKING:
    import numpy as np

_ROWS = """
SELECT r.number, r.id, r.kind, r.source_id, r.time, r.scope, r.state, coalesce(f.pinned, 0),
       r.speaker, v.value
FROM record r LEFT JOIN fact f USING (number) LEFT JOIN vector v USING (number)
WHERE r.number > ? ORDER BY r.number"""


class OutlineRow(NamedTuple):
    """A record without its text; `number` grows with every record that is added."""

    number: int
    id: str
    kind: str
    source_id: str | None
    time: float
    scope: str | None
    state: str
    pinned: int
    speaker: str | None


class Outline(Part):
    """The part of a profile that feeds the search index."""

    def outline(self, after: int = 0) -> tuple[list[OutlineRow], np.ndarray]:
        """Return the records with a number above `after`, and their vectors.

        The vectors are float32, shape (records, 384), zeros where a record has none.
        """
        import numpy as np

        rows = self._db.rows(_ROWS, (after,))
        vectors = np.zeros((len(rows), 384), dtype=np.float32)
        filled = [place for place, row in enumerate(rows) if row[9] is not None]
        if filled:
            raw = np.frombuffer(b"".join(rows[place][9] for place in filled), dtype="<f2")
            vectors[filled] = raw.reshape(len(filled), 384)
        return [OutlineRow(*row[:9]) for row in rows], vectors
