"""What a search index in memory needs of a profile, without touching more than it must."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ondevice.store.database import Database
from ondevice.store.full_text import expression

if TYPE_CHECKING:
    import numpy as np

_RECORDS = """
SELECT r.number, r.id, CASE r.kind WHEN 'fact' THEN NULL ELSE r.source_id END, r.time, r.scope,
       CASE r.state WHEN 'active' THEN 1 WHEN 'pending' THEN 2 ELSE 0 END,
       coalesce(f.pinned, 0), r.speaker
FROM living r LEFT JOIN fact f USING (number) WHERE r.number > ? ORDER BY r.number"""

SHORTEST_BEGINNING = 5  # letters of a word that, found nowhere, is taken for a beginning
RANKED_MATCHES = 4000  # of all the terms of a question; about 1.5 ms a thousand

_CORRECTIONS = """
SELECT c.number, o.number, c.state = 'active' FROM record c LEFT JOIN record o ON o.id = c.corrects
WHERE c.corrects IS NOT NULL AND c.number > ? ORDER BY c.number"""


@dataclass(frozen=True)
class Outline:
    """Records without their texts, a column a field; `number` grows with every new record."""

    number: np.ndarray  # int64
    id: Sequence[str]
    source_id: Sequence[str | None]  # None for facts: they have no neighbours
    time: np.ndarray  # seconds since 1970
    scope: Sequence[str | None]
    state: Sequence[int]  # 1 active, 2 pending, 0 superseded
    pinned: Sequence[int]
    speaker: Sequence[str | None]
    # Of corrections: their number, that of the first wording, and whether it is they that hold.
    corrections: Sequence[tuple[int, int | None, int]] = ()


class SearchTables:
    """What feeds the search index."""

    def __init__(self, db: Database) -> None:
        """Read from the open database `db`."""
        self._db = db

    def outline(self, after: int = 0) -> Outline | None:
        """Return the records with a number above `after`, or None if there are none."""
        import numpy as np

        rows = self._db.rows(_RECORDS, (after,))
        if not rows:
            return None
        numbers, ids, source_ids, times, scopes, states, pinned, speakers = zip(*rows, strict=True)
        return Outline(
            np.array(numbers, dtype=np.int64),
            ids,
            source_ids,
            np.array(times),
            scopes,
            states,
            pinned,
            speakers,
            self._db.rows(_CORRECTIONS, (after,)),
        )

    def rank_text(self, terms: Sequence[str], k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return numbers and BM25 scores (larger is better) of the `k` best full-text hits.

        A record is found by any of `terms`, words or phrases, in any form of them (Porter stems);
        a term that ends in a star by words that begin with it, and so is one that nothing else
        matches. Nothing is filtered, and so nothing but the full-text index is read: the caller
        knows each record's state and scope. Ranking a match costs far more than finding it, so
        of many matches only those of the rarer terms are ranked; the commoner ones hardly move a
        BM25 score.
        """
        import numpy as np

        quoted = [expression(term) for term in terms]
        counts = self._counts(quoted)
        missed = [i for i, count in enumerate(counts) if not count and _may_begin(terms[i])]
        if missed:
            begun = [expression(f"{terms[i]}*") for i in missed]
            for i, phrase, count in zip(missed, begun, self._counts(begun), strict=True):
                quoted[i], counts[i] = phrase, count
        pairs = json.loads(
            self._db.value(
                "SELECT json_group_array(json_array(number, score)) FROM (SELECT rowid AS number,"
                " rank AS score FROM search WHERE search MATCH ? ORDER BY rank LIMIT ?)",
                (" OR ".join(_rarer(quoted, counts)), k),
            )
        )
        table = np.array(pairs, dtype=np.float64).reshape(len(pairs), 2)
        return table[:, 0].astype(np.int64), -table[:, 1]

    def _counts(self, quoted: Sequence[str]) -> list[int]:
        """Return how many records each term matches."""
        # Each statement yields one row: SQLite takes the interpreter's lock once a row, and
        # another thread that is busy in Python may keep it for milliseconds each time.
        counts: list[int] = json.loads(
            self._db.value(
                "SELECT json_group_array((SELECT count(*) FROM search WHERE search MATCH value))"
                " FROM json_each(?)",
                (json.dumps(quoted),),
            )
        )
        return counts


def _may_begin(term: str) -> bool:
    return "*" not in term and len(term) >= SHORTEST_BEGINNING


def _rarer(terms: Sequence[str], counts: Sequence[int]) -> list[str]:
    """Return the rarest terms whose matches together stay within `RANKED_MATCHES`; two at least."""
    chosen: list[str] = []
    matches = 0
    for count, term in sorted(zip(counts, terms, strict=True)):
        matches += count
        if len(chosen) >= 2 and matches > RANKED_MATCHES:
            break
        chosen.append(term)
    return chosen
