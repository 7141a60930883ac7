"""Corrections: another wording of a passage or a turn, with the former ones to go back to.

All wordings of a text name the first one in `corrects`. One of them is active; the others are
superseded, as facts are: they are not found, not shown to a model and not learned from.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import cast

from ondevice.errors import ProfileError, RecordNotFoundError
from ondevice.remedies import Remedy
from ondevice.store.database import Database, Run
from ondevice.store.ids import new_id
from ondevice.store.journal import Journal
from ondevice.store.lineage import Lineage
from ondevice.store.records import AnyRecord, Fact, Passage, Turn
from ondevice.store.table import Table, storable
from ondevice.store.vectors import Embedded, Vectors

Link = tuple[str, str, str]  # a correction's id, the id of the first wording, its state


class Corrections:
    """Putting another wording in the place of a passage or a turn, and going back."""

    def __init__(
        self, db: Database, table: Table, lineage: Lineage, vectors: Vectors, journal: Journal
    ) -> None:
        """Keep wordings in the open database `db`."""
        self._db = db
        self._table = table
        self._lineage = lineage
        self._vectors = vectors
        self._journal = journal

    def correct(
        self, record_id: str, text: str, *, vector: Embedded | None = None
    ) -> Passage | Turn:
        """Store `text`, as it is, in the place of what a passage or a turn of the person's says.

        It keeps place, time, speaker, context and learn flag. Adapters that were trained on the
        former wording go stale in the same transaction. A text that says so already is returned.

        Args:
            record_id: of any of its wordings.
            text: what it should say.
            vector: its embedding.

        Raises:
            RecordNotFoundError: there is no passage and no turn of the person's with that id.
            ProfileError: the text is empty.
        """
        record = as_correctable(self._table.get(record_id))
        if not text.strip():
            raise ProfileError("A correction needs a text, and this one is empty.", Remedy.FORGET)
        text = storable(text)
        with self._db.write() as run:
            present = self._present(record)
            if present.text == text:
                return present
            fresh = new_id()
            self._supersede_wording(run, present.id)
            run(
                "INSERT INTO record (id, kind, text, time, scope, learn, source_id, position,"
                " speaker, expires, corrects) SELECT ?, kind, ?, time, scope, learn, source_id,"
                " position, speaker, expires, coalesce(corrects, id) FROM record WHERE id = ?",
                (fresh, text, present.id),
            )
            if vector is not None:
                self._vectors.add([fresh], vector)
            self._journal.note_in(run, "corrected", record=fresh, former=present.id)
        return cast("Passage | Turn", self._table.get(fresh))

    def reinstate(self, record_id: str) -> Passage | Turn:
        """Let a former wording hold again, in the place of the one that does.

        Raises:
            RecordNotFoundError: there is no passage and no turn of the person's with that id.
        """
        record = as_correctable(self._table.get(record_id))
        with self._db.write() as run:
            present = self._present(record)
            if present.id == record.id:
                return record
            self._supersede_wording(run, present.id)
            run("UPDATE record SET state = 'active' WHERE id = ?", (record.id,))
            self._journal.note_in(run, "corrected", record=record.id, former=present.id)
        return cast("Passage | Turn", self._table.get(record.id))

    def wordings(self, record_id: str) -> list[Passage | Turn]:
        """Return all wordings of a passage or a turn, the first one first.

        Raises:
            RecordNotFoundError: there is no passage and no turn of the person's with that id.
        """
        record = as_correctable(self._table.get(record_id))
        found = self._table.select(
            "WHERE r.id = ?1 OR r.corrects = ?1 ORDER BY r.id", (record.corrects or record.id,)
        )
        return cast("list[Passage | Turn]", found)

    def corrected_in(self, source_id: str) -> list[tuple[Passage, str]]:
        """Return the passages of a source that were corrected, and what each says now."""
        found = self._table.select(
            "WHERE r.kind = 'passage' AND r.state = 'superseded' AND r.corrects IS NULL"
            " AND r.source_id = ? AND r.id IN"
            " (SELECT corrects FROM record WHERE corrects IS NOT NULL) ORDER BY r.id",
            (source_id,),
        )
        first = [one for one in found if isinstance(one, Passage)]
        return [(one, self._present(one).text) for one in first]

    def _present(self, record: Passage | Turn) -> Passage | Turn:
        """Return the wording of `record` that holds."""
        if record.replaced_by is None:
            return record
        return cast("Passage | Turn", self._table.get(record.replaced_by))

    def _supersede_wording(self, run: Run, record_id: str) -> None:
        run("UPDATE record SET state = 'superseded' WHERE id = ?", (record_id,))
        self._lineage.mark_stale(run, [record_id])
        self._lineage.bump(run)


def as_correctable(record: AnyRecord) -> Passage | Turn:
    """Return `record` if it can have another wording.

    Raises:
        RecordNotFoundError: it is neither a passage nor a turn of the person's.
    """
    if isinstance(record, Passage) or (isinstance(record, Turn) and record.role == "user"):
        return record
    if isinstance(record, Turn):
        raise RecordNotFoundError(f"The record {record.id} is an answer.", Remedy.WRITE_BETTER)
    what = (
        "is a fact, which has one wording"
        if isinstance(record, Fact)
        else "is not something that you said or imported"
    )
    raise RecordNotFoundError(f"The record {record.id} {what}.", Remedy.SHOW_RECORD(id=record.id))


def former_wordings(links: Iterable[Link], chosen: Collection[str]) -> list[str]:
    """Return the ids of the wordings that those among `chosen` that hold have replaced.

    Args:
        links: all corrections of the profile.
        chosen: ids of records.
    """
    found: list[str] = []
    for first, corrections in _by_first(links).items():
        active = [record_id for record_id, state in corrections if state == "active"]
        present = active[0] if active else first
        if present in chosen:
            found += [one for one in (first, *(r for r, _ in corrections)) if one != present]
    return found


def without_first(links: Iterable[Link], gone: Collection[str]) -> Iterator[tuple[str, str | None]]:
    """Yield corrections whose first wording is in `gone`, and the oldest that is left instead."""
    for first, corrections in _by_first(links).items():
        if first in gone:
            left = sorted(record_id for record_id, _ in corrections if record_id not in gone)
            yield from ((one, left[0] if one != left[0] else None) for one in left)


def facts_by_turn(turns: Iterable[Turn], facts: Iterable[Fact]) -> dict[str, list[Fact]]:
    """Return the facts of a conversation by the turn of the person's that they were taken from.

    The key is the id of that turn's first wording. Of a fact that an earlier version stored it is
    the last turn that was said, or corrected, before it.

    Args:
        turns: of the conversation, in whichever wordings.
        facts: that came from it.
    """
    said = [turn for turn in turns if turn.role == "user"]
    marks = sorted(
        {(mark, turn.corrects or turn.id) for turn in said for mark in (turn.id, turn.corrects)
         if mark is not None}
    )  # fmt: skip
    first = {turn.id: turn.corrects or turn.id for turn in said}
    found: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        if fact.origins:
            for origin in dict.fromkeys(first[one] for one in fact.origins if one in first):
                found[origin].append(fact)
            continue
        place = bisect.bisect(marks, (fact.id, "")) - 1
        if place >= 0:
            found[marks[place][1]].append(fact)
    return found


def _by_first(links: Iterable[Link]) -> dict[str, list[tuple[str, str]]]:
    chains: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for record_id, first, state in links:
        chains[first].append((record_id, state))
    return chains
