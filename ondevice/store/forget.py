"""Forgetting: rows, index entries, vectors and references go in one transaction.

Afterwards the write-ahead log is truncated, because it still holds the pages as they were.
SQLite's `secure_delete` and the index's own overwrite the freed bytes inside the pages, and
`Database.purge_log` writes all pages anew for what had moved between them. What was made of the
records goes with them: adapters that were trained on them, the states of unfinished trainings, and
copies that a killed process has left half way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

from ondevice.errors import RecordNotFoundError
from ondevice.ground.words import folded, is_unspaced, pairs_of, units_of, words_in
from ondevice.remedies import Remedy
from ondevice.store.adapters import Adapters
from ondevice.store.certificate import Certificate, certify
from ondevice.store.copies import Copies
from ondevice.store.corrections import Link, former_wordings, without_first
from ondevice.store.database import Database, Run
from ondevice.store.journal import Journal
from ondevice.store.lineage import Lineage
from ondevice.store.origins import Origins
from ondevice.store.records import (
    AdapterRow,
    AnyRecord,
    Fact,
    ForgetPreview,
    ForgetReport,
    Record,
    Source,
    Turn,
)
from ondevice.store.retention import Retention
from ondevice.store.sources import Sources
from ondevice.store.table import Table, as_list
from ondevice.store.vectors import Vectors


@dataclass(frozen=True)
class _Targets:
    """Whole ids by table."""

    records: list[str]
    sources: list[str]
    feedback: list[str]
    confirmed: list[str] = field(default_factory=list)  # facts of these sources that others say too

    @property
    def all(self) -> list[str]:
        return [*self.sources, *self.records, *self.feedback]


@dataclass(frozen=True)
class Forgotten:
    """What was done.

    Attributes:
        report: ids of what is gone, names of the adapters that are stale by it.
        shredded: names of adapters whose files are gone too.
        certificate: signed, without any text.
    """

    report: ForgetReport
    shredded: tuple[str, ...]
    certificate: Certificate


class Forgetting:
    """Deleting records so that nothing of them, or made of them, is left."""

    def __init__(
        self,
        db: Database,
        table: Table,
        lineage: Lineage,
        journal: Journal,
        copies: Copies,
        sources: Sources,
        vectors: Vectors,
        adapters: Adapters,
        origins: Origins,
        retention: Retention,
        certificate_key: Callable[[], bytes],
    ) -> None:
        """Delete from the profile whose parts these are."""
        self._db = db
        self._table = table
        self._lineage = lineage
        self._journal = journal
        self._copies = copies
        self._sources = sources
        self._vectors = vectors
        self._adapters = adapters
        self._origins = origins
        self._retention = retention
        self._certificate_key = certificate_key

    def preview(self, ids: Sequence[str], *, keep_turns: bool = False) -> ForgetPreview:
        """Return what would go and which adapters would go stale; changes nothing.

        Args:
            ids: of records, or the starts of ids.
            keep_turns: leave turns that say the same, which go along otherwise.

        Raises:
            RecordNotFoundError: one of the ids fits no record, several, or an adapter.
        """
        shown = self._preview(ids)
        if keep_turns or not shown.related_turns:
            return shown
        turns = [turn.id for turn in shown.related_turns]
        # What else was drawn from these turns stays.
        return self._preview([*(record.id for record in shown.records), *turns], exactly=True)

    def _preview(self, ids: Sequence[str], *, exactly: bool = False) -> ForgetPreview:
        with self._db.write():  # one consistent view; it writes nothing
            targets = self._targets(ids, exactly=exactly)
            listed: list[AnyRecord] = list(
                self._table.select_sources(*_among("id", targets.sources))
            )
            listed += self._table.select(*_among("r.id", targets.records))
            listed += self._table.select_feedback(*_among("id", targets.feedback))
            stale = self._table.select_adapters(
                "WHERE id IN (SELECT adapter_id FROM adapter_record WHERE record_id IN"
                " (SELECT value FROM json_each(?))) AND state <> 'stale' ORDER BY name",
                (as_list(targets.all),),
            )
            related = self._related_turns(targets)
            vectors = self._vectors.count(targets.records)
        names = tuple(row.name for row in stale)
        copies = self._copies.holding(targets.all)
        return ForgetPreview(tuple(listed), names, related, vectors, copies)

    def matching(
        self,
        *,
        source: str | None = None,
        words: str | None = None,
        since: float | None = None,
    ) -> list[str]:
        """Return the ids of the facts, passages and turns that fit every condition that is given.

        A source alone is returned itself: forgetting it forgets what came from it.

        Args:
            source: id of a source, the start of one, or its name.
            words: all of them, in any order, whatever their case and accents; of scripts that are
                written without spaces any part of the text.
            since: seconds since 1970: of this time or later.

        Raises:
            RecordNotFoundError: there is no such source.
        """
        conditions: list[str] = []
        values: list[object] = []
        if source is not None:
            ids = [one.id for one in self._sources.all() if one.name == source]
            if not ids:
                ids = [self._sources.get(source).id]
            if words is None and since is None:
                return ids  # it takes everything that came from it along
            conditions.append("r.source_id IN (SELECT value FROM json_each(?))")
            values.append(as_list(ids))
        if since is not None:
            conditions.append("r.time >= ?")
            values.append(since)
        where = "WHERE " + " AND ".join(conditions) if conditions else ""
        records = self._table.select(f"{where} ORDER BY r.id", values)
        wanted = set(words_in(words or ""))
        return [record.id for record in records if _holds(record.text, wanted)]

    def forget(
        self, ids: Iterable[str], *, keep_stale: bool = False, exactly: bool = False
    ) -> ForgetReport:
        """Delete records for good; a source takes everything that came from it along.

        A text takes the statements along that were drawn from it, unless another one says them
        too. One that was corrected takes its former wordings along; one of these goes alone.
        Adapters that list one of them are stale in the same transaction and never loaded again;
        their files and the states of unfinished trainings are shredded after it. If the process
        dies in between, the next deletion or training does it.

        Args:
            ids: of records, or the starts of ids.
            keep_stale: leave the stale adapters' files; still encrypted, still never loaded.
            exactly: leave the statements that were drawn from these records and are not named.

        Raises:
            RecordNotFoundError: one of the ids fits no record, several, or an adapter; nothing
                was deleted.
        """
        with self._db.write() as run:
            targets = self._targets(list(ids), exactly=exactly)
            stale = self._delete(run, targets, keep_stale=keep_stale)
            # The ids are kept so that a backup that is restored does not bring it back.
            self._journal.note_in(run, "forgotten", ids=targets.all, adapters=len(stale))
        return ForgetReport(tuple(targets.all), stale, self._lineage.finish_purge())

    def forget_shown(self, shown: ForgetPreview, *, keep_stale: bool = False) -> Forgotten:
        """Delete what `preview` has shown and certify it; see `forget`.

        Raises:
            RecordNotFoundError: something of it is already gone; nothing was deleted.
        """
        ids = [record.id for record in shown.records]
        learned = {row.id for row in self._adapters.all() if not set(ids).isdisjoint(row.records)}
        there = {row.id for row in self._adapters.all() if self._adapters.files.exists(row.id)}
        report = self.forget(ids, keep_stale=keep_stale, exactly=True)
        affected = [row for row in self._adapters.all() if row.id in learned]
        shredded = tuple(
            row.name
            for row in self._adapters.all()
            if row.id in there and not self._adapters.files.exists(row.id)
        )
        certificate = certify(
            self._certificate_key(),
            [(type(record).__name__.lower(), _text_of(record)) for record in shown.records],
            adapters=[self._fate(row) for row in affected],
            purged=report.purged,
        )
        return Forgotten(report, shredded, certificate)

    def replace_source(self, old_id: str, new_id: str) -> ForgetReport:
        """Forget the source `old_id`, whose newer version is stored as `new_id`.

        Passages that are the same in both keep their ids, vectors and lineage: what was trained
        on them stays fresh. The rest of the old source is forgotten, in the same transaction.

        Raises:
            RecordNotFoundError: one of the sources is not there; nothing was changed.
        """
        with self._db.write() as run:
            self._sources.check(new_id)
            twins = self._keep_what_is_the_same(run, old_id, new_id)
            run(
                "DELETE FROM record WHERE id IN (SELECT value FROM json_each(?))", (as_list(twins),)
            )
            targets = self._targets([old_id])
            stale = self._delete(run, targets)
            self._journal.note_in(
                run, "replaced", source=new_id, same=len(twins), gone=len(targets.records)
            )
        return ForgetReport(tuple(targets.all), stale, self._lineage.finish_purge())

    def _keep_what_is_the_same(self, run: Run, old_id: str, new_id: str) -> list[str]:
        """Move what both sources hold to the new one; return what that makes needless there.

        A text that was corrected is the same if the new source has any of its wordings, and all
        of them move: the file still holds the old one, which must not come back.
        """
        known: dict[tuple[str, str | None], list[str]] = {}
        for first, text, speaker in run(
            "SELECT coalesce(corrects, id), text, speaker FROM record WHERE source_id = ?"
            " ORDER BY number",
            (old_id,),
        ):
            known.setdefault((text, speaker), []).append(first)
        twins: list[str] = []
        moved: set[str] = set()
        for record_id, text, speaker, position in run(
            "SELECT id, text, speaker, position FROM record WHERE source_id = ? ORDER BY position",
            (new_id,),
        ):
            same = next((one for one in known.get((text, speaker), ()) if one not in moved), None)
            if same is None:
                continue
            twins.append(record_id)
            moved.add(same)
            run(
                "UPDATE record SET source_id = ?1, position = ?2 WHERE id = ?3 OR corrects = ?3",
                (new_id, position, same),
            )
        return twins

    def purge_due(self) -> ForgetReport:
        """Delete what has been kept as long as it may be; nothing has shown it since."""
        if not any(self._retention.due()):  # the usual case needs no write
            return ForgetReport((), (), self._lineage.finish_purge())
        with self._db.write() as run:
            records, feedback = self._retention.due()
            targets = _Targets(records, [], self._feedback_of(records, feedback))
            stale = self._delete(run, targets)
            self._journal.note_in(run, "expired", ids=targets.all, adapters=len(stale))
        return ForgetReport(tuple(targets.all), stale, self._lineage.finish_purge())

    def _targets(self, ids: Sequence[str], *, exactly: bool = False) -> _Targets:
        records: dict[str, None] = {}
        sources: dict[str, None] = {}
        feedback: dict[str, None] = {}
        by_table = {"record": records, "source": sources, "feedback": feedback}
        for record_id in ids:
            found = self._table.ids_from(record_id)
            if len(found) != 1:
                self._table.get(record_id)  # says what is wrong with it
            ((table, full),) = found
            if table == "adapter":
                row = cast("AdapterRow", self._table.get(full))
                raise RecordNotFoundError(
                    f"{full} is the adapter '{row.name}'.", Remedy.REMOVE_ADAPTER(name=row.name)
                )
            by_table[table][full] = None
        named = set(records)
        for (member,) in self._db.rows(
            "SELECT id FROM record WHERE source_id IN (SELECT value FROM json_each(?)) ORDER BY id",
            (as_list(list(sources)),),
        ):
            records[member] = None
        for former in former_wordings(self._links(), records):
            records[former] = None
        if not exactly:
            records.update(dict.fromkeys(self._origins.only_from(records)))
        confirmed = [one for one in self._origins.also_from_others(records) if one not in named]
        gone = [one for one in records if one not in set(confirmed)]
        return _Targets(gone, list(sources), self._feedback_of(gone, list(feedback)), confirmed)

    def _feedback_of(self, records: Sequence[str], feedback: Sequence[str]) -> list[str]:
        rows = self._db.rows(
            "SELECT id FROM feedback WHERE turn_id IN (SELECT value FROM json_each(?))"
            " OR id IN (SELECT value FROM json_each(?)) ORDER BY id",
            (as_list(records), as_list(feedback)),
        )
        return [row[0] for row in rows]

    def _delete(self, run: Run, targets: _Targets, *, keep_stale: bool = False) -> tuple[str, ...]:
        """Delete and return the names of the adapters that are stale by it."""
        stale = self._lineage.mark_stale(run, targets.all, keep_files=True)
        files = self._adapters.files
        self._db.after_commit(files.clear_checkpoints if keep_stale else self._adapters.shred_stale)
        records = (as_list(targets.records),)
        chosen = "IN (SELECT value FROM json_each(?))"
        run(f"DELETE FROM memory_used WHERE memory_id {chosen}", records)
        run(f"DELETE FROM feedback WHERE id {chosen}", (as_list(targets.feedback),))
        for record_id, first in list(without_first(self._links(), set(targets.records))):
            run("UPDATE record SET corrects = ? WHERE id = ?", (first, record_id))
        self._origins.move(run, targets.confirmed, targets.records)
        # Facts, vectors and references go by the foreign keys, index entries by a trigger.
        run(f"DELETE FROM record WHERE id {chosen}", records)
        run(f"DELETE FROM source WHERE id {chosen}", (as_list(targets.sources),))
        self._lineage.bump(run)
        self._lineage.want_purge(run)
        return stale

    def _fate(self, row: AdapterRow) -> dict[str, str]:
        there = self._adapters.files.exists(row.id)
        file = "kept, encrypted" if there else "shredded"
        return {"sha256": row.file_sha256, "state": row.state, "file": file}

    def _links(self) -> list[Link]:
        """Return all corrections, each with the id of the first wording and its state."""
        sql = "SELECT id, corrects, state FROM record WHERE corrects IS NOT NULL"
        return cast("list[Link]", self._db.rows(sql))

    def _related_turns(self, targets: _Targets) -> tuple[Turn, ...]:
        """Return turns that stay although they say what is forgotten.

        They are the turns that a forgotten fact was taken from, and the answers of that
        conversation, or that were given one of the
        forgotten records, that share one of its words.
        """
        found: dict[str, Turn] = {}
        for record in self._table.select(*_among("r.id", targets.records)):
            origin = record.source_id if isinstance(record, Fact) else None
            turns = self._said_in(record, origin)
            words = _words(record.text)
            answers = self._table.select(
                "WHERE r.kind = 'turn' AND r.speaker = 'assistant' AND (r.source_id = ?1"
                " OR r.number IN (SELECT number FROM memory_used WHERE memory_id = ?2))",
                (origin, record.id),
            )
            turns += [answer for answer in answers if words & _words(answer.text)]
            found.update({turn.id: cast("Turn", turn) for turn in turns})
        chosen = set(targets.records)
        return tuple(found[turn_id] for turn_id in sorted(found) if turn_id not in chosen)

    def _said_in(self, record: Record, conversation: str | None) -> list[Record]:
        """Return the turns that a fact was drawn from.

        Of a fact that an earlier version stored it is the person's last one before it.
        """
        if isinstance(record, Fact) and record.origins:
            return self._table.select(
                "WHERE r.kind = 'turn' AND r.id IN (SELECT value FROM json_each(?))",
                (as_list(record.origins),),
            )
        return self._table.select(
            "WHERE r.kind = 'turn' AND r.source_id = ?1 AND r.speaker = 'user'"
            " AND r.id = (SELECT max(id) FROM record WHERE kind = 'turn' AND source_id = ?1"
            " AND speaker = 'user' AND id < ?2)",
            (conversation, record.id),
        )


def _text_of(record: AnyRecord) -> str:
    if isinstance(record, Source | AdapterRow):
        return record.name
    return record.text or ""


def _among(column: str, ids: Sequence[str]) -> tuple[str, tuple[str]]:
    return f"WHERE {column} IN (SELECT value FROM json_each(?)) ORDER BY {column}", (as_list(ids),)


def _holds(text: str, wanted: set[str]) -> bool:
    """Whether all `wanted` words stand in `text`."""
    missing = wanted.difference(words_in(text))
    return not missing or all(is_unspaced(word) and word in folded(text) for word in missing)


_HIRAGANA = re.compile("[\u3040-\u309f]+")


def _words(text: str) -> frozenset[str]:
    """Return the words that can give a record away; "the user" stands in every note.

    Where words are written without spaces they are pairs of characters.
    """
    found: set[str] = set()
    for word in words_in(text):
        if not is_unspaced(word):
            found.update([word] if len(word) > 2 else [])
        elif len(units_of(word)) > 1:  # pairs of hiragana are endings and particles
            found.update(pair for pair in pairs_of(word) if not _HIRAGANA.fullmatch(pair))
    return frozenset(found) - _COMMON


_COMMON = frozenset(
    ["the", "user", "and", "are", "was", "has", "have", "with", "for", "from", "that", "this"]
)
