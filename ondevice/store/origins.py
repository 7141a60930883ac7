"""Which texts say a statement, and which texts were not read for statements yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

from ondevice.store.database import Database, Run
from ondevice.store.records import Passage, Turn
from ondevice.store.table import Table, as_list

_CHOSEN = "(SELECT value FROM json_each(?1))"


class Origins:
    """The links of statements to the texts that say them, and the queue of unread texts."""

    def __init__(self, db: Database, table: Table) -> None:
        """Keep links in the open database `db`."""
        self._db = db
        self._table = table

    # --- links ------------------------------------------------------------------------

    def link(self, run: Run, fact: int, record_id: str) -> None:
        """Note, in the transaction of `run`, that a record says what a fact says.

        Args:
            run: of the transaction.
            fact: number of its row.
            record_id: of a passage or turn, or of the fact itself.

        Raises:
            RecordNotFoundError: there is no such record (any more).
        """
        number = self._table.number(run, record_id)
        run("INSERT OR IGNORE INTO origin (fact, record) VALUES (?, ?)", (fact, number))

    def drawn_from(self, record_ids: Iterable[str]) -> list[str]:
        """Return the ids of the statements that one of some records says."""
        rows = self._db.rows(
            "SELECT DISTINCT f.id FROM origin o JOIN record f ON f.number = o.fact"
            f" JOIN record s ON s.number = o.record WHERE s.id IN {_CHOSEN} AND o.fact != o.record"
            " ORDER BY f.id",
            (as_list(record_ids),),
        )
        return [row[0] for row in rows]

    def only_from(self, record_ids: Iterable[str]) -> list[str]:
        """Return the ids of the statements that nothing says but some of these records."""
        rows = self._db.rows(
            f"""
            SELECT f.id FROM origin o JOIN record f ON f.number = o.fact
            JOIN record s ON s.number = o.record
            WHERE o.fact IN (
                SELECT x.fact FROM origin x JOIN record y ON y.number = x.record
                WHERE y.id IN {_CHOSEN}
            )
            GROUP BY f.number HAVING count(*) = sum(s.id IN {_CHOSEN}) ORDER BY f.id""",
            (as_list(record_ids),),
        )
        return [row[0] for row in rows]

    def also_from_others(self, record_ids: Iterable[str]) -> list[str]:
        """Return those among these records that are statements which others say, too."""
        rows = self._db.rows(
            "SELECT DISTINCT f.id FROM origin o JOIN record f ON f.number = o.fact"
            f" JOIN record s ON s.number = o.record WHERE f.id IN {_CHOSEN}"
            f" AND s.id NOT IN {_CHOSEN} ORDER BY f.id",
            (as_list(record_ids),),
        )
        return [row[0] for row in rows]

    def move(self, run: Run, facts: Sequence[str], gone: Sequence[str]) -> None:
        """Let statements come from where their other origins come from.

        Args:
            run: of the transaction.
            facts: ids of statements.
            gone: ids of the records that are about to be deleted.
        """
        for fact in facts:
            run(
                "UPDATE record SET source_id = (SELECT s.source_id FROM origin o"
                " JOIN record s ON s.number = o.record WHERE o.fact = record.number"
                " AND s.number != record.number"
                " AND s.id NOT IN (SELECT value FROM json_each(?2)) ORDER BY s.id LIMIT 1)"
                " WHERE id = ?1",
                (fact, as_list(gone)),
            )

    # --- the queue ----------------------------------------------------------------------

    def unread(self, most: int) -> list[Passage | Turn]:
        """Return the oldest of the person's texts from which no statements were drawn yet."""
        found = self._table.select(
            "JOIN unformed u USING (number) WHERE r.state = 'active' ORDER BY r.number LIMIT ?",
            (most,),
        )
        return cast("list[Passage | Turn]", found)

    def count_unread(self) -> int:
        """Return how many texts `unread` would give, one after the other."""
        return int(
            self._db.value(
                "SELECT count(*) FROM unformed JOIN living r USING (number)"
                " WHERE r.state = 'active'"
            )
        )

    def read(self, record_ids: Iterable[str]) -> None:
        """Note that statements were drawn from these texts."""
        with self._db.write() as run:
            run(
                "DELETE FROM unformed WHERE number IN"
                f" (SELECT number FROM record WHERE id IN {_CHOSEN})",
                (as_list(record_ids),),
            )
