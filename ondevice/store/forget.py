"""Forgetting: rows, index entries, vectors and references go in one transaction.

Afterwards the write-ahead log is truncated, because it still holds the pages
as they were.  SQLite's `secure_delete` and the index's own overwrite the
freed bytes inside the pages, so no VACUUM is needed.
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from ondevice.errors import RecordNotFoundError
from ondevice.store.corrections import Link, former_wordings, without_first
from ondevice.store.database import Run
from ondevice.store.ids import first_id_at
from ondevice.store.records import (
    AdapterRow,
    AnyRecord,
    Fact,
    ForgetPreview,
    ForgetReport,
    Turn,
)
from ondevice.store.sources import Sources
from ondevice.store.vectors import as_list

if TYPE_CHECKING:
    from ondevice.settings import RetentionSettings

_DAY = 86400.0


@dataclass(frozen=True)
class _Targets:
    """Whole ids by table."""

    records: list[str]
    sources: list[str]
    feedback: list[str]

    @property
    def all(self) -> list[str]:
        return [*self.sources, *self.records, *self.feedback]


class Forgetting(Sources):
    """Deleting records so that nothing of them is left."""

    def preview_forget(self, ids: Sequence[str]) -> ForgetPreview:
        """Return what `forget` would delete and which adapters would go stale; changes nothing.

        Raises:
            RecordNotFoundError: one of the ids fits no record, several, or an adapter.
        """
        with self._db.write():  # one consistent view; it writes nothing
            targets = self._targets(ids)
            listed: list[AnyRecord] = list(self._sources(*_among("id", targets.sources)))
            listed += self._records(*_among("r.id", targets.records))
            listed += self._feedback(*_among("id", targets.feedback))
            stale = self._adapters(
                "WHERE id IN (SELECT adapter_id FROM adapter_record WHERE record_id IN"
                " (SELECT value FROM json_each(?))) AND state <> 'stale' ORDER BY name",
                (as_list(targets.all),),
            )
            related = self._related_turns(targets)
            vectors = self._db.value(
                "SELECT count(*) FROM vector WHERE id IN (SELECT value FROM json_each(?))",
                (as_list(targets.records),),
            )
        names = tuple(row.name for row in stale)
        copies = self.copies_with(targets.all)
        return ForgetPreview(tuple(listed), names, related, int(vectors), copies)

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
            words: all of them, in any order, whatever their case; of scripts that are written
                without spaces any part of the text.
            since: seconds since 1970: of this time or later.

        Raises:
            RecordNotFoundError: there is no such source.
        """
        conditions: list[str] = []
        values: list[object] = []
        if source is not None:
            ids = [one.id for one in self.sources() if one.name == source]
            if not ids:
                ids = [self.source(source).id]
            if words is None and since is None:
                return ids  # it takes everything that came from it along
            conditions.append("r.source_id IN (SELECT value FROM json_each(?))")
            values.append(as_list(ids))
        if since is not None:
            conditions.append("r.time >= ?")
            values.append(since)
        where = "WHERE " + " AND ".join(conditions) if conditions else ""
        records = self._records(f"{where} ORDER BY r.id", values)
        wanted = _words_of(words or "")
        return [record.id for record in records if _holds(record.text, wanted)]

    def forget(self, ids: Iterable[str]) -> ForgetReport:
        """Delete records for good; a source takes everything that came from it along.

        A text that was corrected takes its former wordings along; one of these goes alone.

        Raises:
            RecordNotFoundError: one of the ids fits no record, several, or an adapter; nothing
                was deleted.
        """
        with self._db.write() as run:
            targets = self._targets(list(ids))
            stale = self._delete(run, targets)
            # The ids are kept so that a backup that is restored does not bring it back.
            self._note(run, "forgotten", ids=targets.all, adapters=len(stale))
        return ForgetReport(tuple(targets.all), stale, self.finish_purge())

    def replace_source(self, old_id: str, new_id: str) -> ForgetReport:
        """Forget the source `old_id`, whose newer version is stored as `new_id`.

        Passages that are the same in both keep their ids, vectors and lineage: what was trained
        on them stays fresh. The rest of the old source is forgotten, in the same transaction.

        Raises:
            RecordNotFoundError: one of the sources is not there; nothing was changed.
        """
        with self._db.write() as run:
            self._need_source(new_id)
            twins = self._keep_what_is_the_same(run, old_id, new_id)
            run(
                "DELETE FROM record WHERE id IN (SELECT value FROM json_each(?))", (as_list(twins),)
            )
            targets = self._targets([old_id])
            stale = self._delete(run, targets)
            self._note(run, "replaced", source=new_id, same=len(twins), gone=len(targets.records))
        return ForgetReport(tuple(targets.all), stale, self.finish_purge())

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

    def due(self, retention: RetentionSettings, now: float | None = None) -> list[str]:
        """Return the ids of what has been kept as long as it may be; changes nothing.

        Args:
            retention: days by kind, counted from when a record was stored; 0 keeps it.
            now: seconds since 1970; the clock if None.
        """
        records, feedback = self._due(retention, time.time() if now is None else now)
        return [*records, *feedback]

    def expire(self, retention: RetentionSettings, now: float | None = None) -> ForgetReport:
        """Delete what has been kept as long as it may be.

        Files of adapters that go stale by it are kept; `adapters.forgetting.expire` shreds them.

        Args:
            retention: days by kind; the profile's own count more.
            now: seconds since 1970; the clock if None.
        """
        now = time.time() if now is None else now
        retention = self.retention(retention)
        if not self.due(retention, now):  # the usual case needs no write
            return ForgetReport((), (), self.finish_purge())
        with self._db.write() as run:
            records, feedback = self._due(retention, now)
            targets = _Targets(records, [], self._feedback_of(records, feedback))
            stale = self._delete(run, targets)
            self._note(run, "expired", ids=targets.all, adapters=len(stale))
        return ForgetReport(tuple(targets.all), stale, self.finish_purge())

    def _due(self, retention: RetentionSettings, now: float) -> tuple[list[str], list[str]]:
        """Return the ids of the records, and of the feedback, that are due."""
        conditions: list[str] = ["expires <= ?"]
        values: list[object] = [now]
        for kind, days in (
            ("fact", retention.fact_days),
            ("passage", retention.sample_days),
            ("turn", retention.turn_days),
        ):
            if days > 0:
                conditions.append("kind = ? AND id < ?")
                values += [kind, first_id_at(now - days * _DAY)]
        old = retention.feedback_days
        last_feedback = first_id_at(now - old * _DAY) if old > 0 else ""
        rows = self._db.rows(
            f"SELECT 0, id FROM record WHERE {' OR '.join(f'({c})' for c in conditions)}"
            " UNION ALL SELECT 1, id FROM feedback WHERE id < ?",
            (*values, last_feedback),
        )
        records = [record_id for is_feedback, record_id in rows if not is_feedback]
        return records, [record_id for is_feedback, record_id in rows if is_feedback]

    def _targets(self, ids: Sequence[str]) -> _Targets:
        records: dict[str, None] = {}
        sources: dict[str, None] = {}
        feedback: dict[str, None] = {}
        by_table = {"record": records, "source": sources, "feedback": feedback}
        for record_id in ids:
            found = self._ids_from(record_id)
            if len(found) != 1:
                self.get(record_id)  # says what is wrong with it
            ((table, full),) = found
            if table == "adapter":
                row = cast("AdapterRow", self.get(full))
                raise RecordNotFoundError(
                    f"{full} is the adapter '{row.name}'; `ondevice adapter remove` removes it."
                )
            by_table[table][full] = None
        for (member,) in self._db.rows(
            "SELECT id FROM record WHERE source_id IN (SELECT value FROM json_each(?)) ORDER BY id",
            (as_list(list(sources)),),
        ):
            records[member] = None
        for former in former_wordings(self._links(), records):
            records[former] = None
        gone = list(records)
        return _Targets(gone, list(sources), self._feedback_of(gone, list(feedback)))

    def _feedback_of(self, records: Sequence[str], feedback: Sequence[str]) -> list[str]:
        rows = self._db.rows(
            "SELECT id FROM feedback WHERE turn_id IN (SELECT value FROM json_each(?))"
            " OR id IN (SELECT value FROM json_each(?)) ORDER BY id",
            (as_list(records), as_list(feedback)),
        )
        return [row[0] for row in rows]

    def _delete(self, run: Run, targets: _Targets) -> tuple[str, ...]:
        """Delete and return the names of the adapters that are stale by it."""
        stale = self._mark_stale(run, targets.all)
        records = (as_list(targets.records),)
        chosen = "IN (SELECT value FROM json_each(?))"
        run(f"DELETE FROM memory_used WHERE memory_id {chosen}", records)
        run(f"DELETE FROM feedback WHERE id {chosen}", (as_list(targets.feedback),))
        for record_id, first in list(without_first(self._links(), set(targets.records))):
            run("UPDATE record SET corrects = ? WHERE id = ?", (first, record_id))
        # Facts, vectors and references go by the foreign keys, index entries by a trigger.
        run(f"DELETE FROM record WHERE id {chosen}", records)
        run(f"DELETE FROM source WHERE id {chosen}", (as_list(targets.sources),))
        self._bump(run)
        self._want_purge(run)
        return stale

    def _links(self) -> list[Link]:
        """Return all corrections, each with the id of the first wording and its state."""
        sql = "SELECT id, corrects, state FROM record WHERE corrects IS NOT NULL"
        return cast("list[Link]", self._db.rows(sql))

    def _related_turns(self, targets: _Targets) -> tuple[Turn, ...]:
        """Return turns that stay although they say what is forgotten.

        They are the turn that a forgotten fact was taken from (the person's last one before it
        in its conversation), and the answers of that conversation, or that were given one of the
        forgotten records, that share one of its words.
        """
        found: dict[str, Turn] = {}
        for record in self._records(*_among("r.id", targets.records)):
            origin = record.source_id if isinstance(record, Fact) else None
            turns = self._records(
                "WHERE r.kind = 'turn' AND r.source_id = ?1 AND r.speaker = 'user'"
                " AND r.id = (SELECT max(id) FROM record WHERE kind = 'turn' AND source_id = ?1"
                " AND speaker = 'user' AND id < ?2)",
                (origin, record.id),
            )
            words = _words(record.text)
            answers = self._records(
                "WHERE r.kind = 'turn' AND r.speaker = 'assistant' AND (r.source_id = ?1"
                " OR r.number IN (SELECT number FROM memory_used WHERE memory_id = ?2))",
                (origin, record.id),
            )
            turns += [answer for answer in answers if words & _words(answer.text)]
            found.update({turn.id: cast("Turn", turn) for turn in turns})
        chosen = set(targets.records)
        return tuple(found[turn_id] for turn_id in sorted(found) if turn_id not in chosen)


def _among(column: str, ids: Sequence[str]) -> tuple[str, tuple[str]]:
    return f"WHERE {column} IN (SELECT value FROM json_each(?)) ORDER BY {column}", (as_list(ids),)


def _words_of(text: str) -> set[str]:
    """Return the words of a text; a letter with its accent is one, however it is put together."""
    return set(re.findall(r"\w+", _folded(text)))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _holds(text: str, wanted: set[str]) -> bool:
    """Whether all `wanted` words stand in `text`."""
    missing = wanted - _words_of(text)
    return not missing or all(_UNSPACED.search(w) and w in _folded(text) for w in missing)


# Thai, Lao, Burmese, Khmer, Japanese, Chinese; and Korean, whose words have endings.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
_HIRAGANA = re.compile("[\u3040-\u309f]+")


def _words(text: str) -> frozenset[str]:
    """Return the words that can give a record away; "the user" stands in every note.

    Where words are written without spaces they are pairs of letters.
    """
    text = _folded(text)
    runs = re.findall(f"{_UNSPACED.pattern}{{2,}}", text)
    pairs = {run[i : i + 2] for run in runs for i in range(len(run) - 1)}
    pairs = {pair for pair in pairs if not _HIRAGANA.fullmatch(pair)}  # endings and particles
    return (frozenset(re.findall(r"\w{3,}", text)) | pairs) - _COMMON


_COMMON = frozenset(
    ["the", "user", "and", "are", "was", "has", "have", "with", "for", "from", "that", "this"]
)
