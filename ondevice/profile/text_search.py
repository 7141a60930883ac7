"""Search by words: FTS5 with Porter stems and BM25."""

from __future__ import annotations

from collections.abc import Sequence

from ondevice.profile.part import Part, in_scope
from ondevice.profile.records import ANY_SCOPE

KINDS = ("fact", "passage", "turn")


class TextSearch(Part):
    """Full-text search over facts, passages and turns."""

    def search_text(
        self,
        terms: Sequence[str],
        k: int,
        *,
        scope: str | None = ANY_SCOPE,
        kinds: Sequence[str] = KINDS,
        states: Sequence[str] = ("active",),
    ) -> list[tuple[str, float]]:
        """Return ids and BM25 scores of the `k` records that fit best, best first.

        Args:
            terms: words, any of which may occur; stop words should be left out, they are slow
                and say nothing. A term of several words is a phrase.
            k: how many at the most.
            scope: "work" finds records of that scope and of none; None only those of none.
            kinds: of records.
            states: of facts; passages and turns are always "active".
        """
        query = " OR ".join(_quoted(term) for term in dict.fromkeys(terms) if _quoted(term) != '""')
        if not query or k <= 0:
            return []
        in_scope_sql, scope_values = in_scope("r.scope", scope)
        # The index ranks first and only its best rows are looked up; joining every match costs
        # a page of the record table each. If the filters leave too few, look further down.
        limit = 4 * k
        while True:
            rows = self._db.rows(
                "WITH best AS MATERIALIZED (SELECT rowid AS number, rank AS score FROM search"
                " WHERE search MATCH ? ORDER BY rank LIMIT ?)"
                " SELECT r.id, -best.score, (SELECT count(*) FROM best) FROM best"
                " CROSS JOIN record r ON r.number = best.number"
                f" WHERE r.kind IN ({_marks(kinds)}) AND r.state IN ({_marks(states)})"
                f" AND {in_scope_sql} ORDER BY best.score, r.number LIMIT ?",
                (query, limit, *kinds, *states, *scope_values, k),
            )
            if len(rows) == k or (rows and rows[0][2] < limit):
                break
            if not rows and self._exhausted(query, limit):
                break
            limit *= 8
        return [(record_id, float(score)) for record_id, score, _ in rows]

    def _exhausted(self, query: str, limit: int) -> bool:
        found = self._db.value(
            "SELECT count(*) FROM (SELECT 1 FROM search WHERE search MATCH ? LIMIT ?)",
            (query, limit),
        )
        return int(found) < limit


def _quoted(term: str) -> str:
    """Make `term` a string of FTS5's query language: nothing in it is an operator."""
    return '"' + term.replace("\0", "").replace('"', '""').strip() + '"'


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
