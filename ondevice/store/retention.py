"""How long a profile keeps what, and hiding what is due before it is deleted.

Every read goes through the views that are made here, so a record that is due is gone for every
reader from that moment on, whenever it is purged.
"""

from __future__ import annotations

import dataclasses
import time

from ondevice.errors import ProfileError
from ondevice.settings import RetentionSettings
from ondevice.store.database import Database
from ondevice.store.ids import first_id_at
from ondevice.store.journal import Journal

_KEY = "retention_"
_DAY = 86400.0
_FIELDS = {
    "fact": "fact_days",
    "passage": "sample_days",
    "turn": "turn_days",
    "feedback": "feedback_days",
}
_OWN = "(SELECT value FROM main.meta WHERE key = '" + _KEY + "{field}')"

# A scalar subquery is evaluated once a statement, not once a row.
_LIVING = """
CREATE TEMP VIEW living AS SELECT * FROM main.record WHERE
    number NOT IN (SELECT number FROM main.record WHERE expires IS NOT NULL AND expires <= moment())
    AND id >= CASE kind
        WHEN 'fact' THEN (SELECT first_kept('fact', {fact}))
        WHEN 'passage' THEN (SELECT first_kept('passage', {passage}))
        ELSE (SELECT first_kept('turn', {turn})) END"""
_LIVING_FEEDBACK = """
CREATE TEMP VIEW living_feedback AS SELECT * FROM main.feedback WHERE
    id >= (SELECT first_kept('feedback', {feedback}))
    AND EXISTS (SELECT 1 FROM living WHERE living.id = turn_id)"""


class Retention:
    """Days by kind of record: this profile's own, else those of the settings."""

    def __init__(self, db: Database, journal: Journal, default: RetentionSettings) -> None:
        """Hide what is due in the open database `db`.

        Args:
            db: with the schema of `migrations`.
            journal: told when the days change.
            default: of the settings, for kinds of which the profile says nothing.
        """
        self._db = db
        self._journal = journal
        self._default = default
        self.clock = time.time  # seconds since 1970; tests set another one
        db.define("moment", 0, lambda: self.clock())
        db.define("first_kept", 2, self._first_kept_of)
        own = {kind: _OWN.format(field=field) for kind, field in _FIELDS.items()}
        db.rows(_LIVING.format(**own))
        db.rows(_LIVING_FEEDBACK.format(**own))

    def days(self) -> RetentionSettings:
        """Return how many days each kind of record is kept; 0 keeps it until it is forgotten."""
        rows = self._db.rows(
            "SELECT key, value FROM meta WHERE key LIKE 'retention\\_%' ESCAPE '\\'"
        )
        own = {str(key).removeprefix(_KEY): int(value) for key, value in rows}
        return dataclasses.replace(self._default, **own)

    def set(self, **days: int) -> RetentionSettings:
        """Keep kinds of records for so many days from now on; 0 keeps them until forgotten.

        Args:
            days: by the names of `RetentionSettings`, such as `turn_days=90`.

        Raises:
            ProfileError: there is no such kind, or the number is negative.
        """
        known = [field.name for field in dataclasses.fields(RetentionSettings)]
        for name, value in days.items():
            if name not in known:
                raise ProfileError(f"'{name}' is not kept by days; these are: {', '.join(known)}.")
            if not 0 <= value <= 100_000:
                raise ProfileError(f"{value} is not a number of days; give 0 (for ever) to 100000.")
        with self._db.write() as run:
            for name, value in days.items():
                run("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_KEY + name, value))
            self._journal.note_in(run, "retention", **days)
        return self.days()

    def due(self, days: RetentionSettings | None = None) -> tuple[list[str], list[str]]:
        """Return the ids of the records, and of the feedback, that are due; changes nothing.

        Args:
            days: as if kinds were kept so long; as they are if None.
        """
        days = self.days() if days is None else days
        conditions: list[str] = ["expires <= ?"]
        values: list[object] = [self.clock()]
        for kind in ("fact", "passage", "turn"):
            conditions.append("kind = ? AND id < ?")
            values += [kind, self._first_kept(getattr(days, _FIELDS[kind]))]
        records = self._db.rows(
            f"SELECT id FROM record WHERE {' OR '.join(f'({c})' for c in conditions)} ORDER BY id",
            values,
        )
        feedback = self._db.rows(
            "SELECT id FROM feedback WHERE id < ? ORDER BY id",
            (self._first_kept(days.feedback_days),),
        )
        return [row[0] for row in records], [row[0] for row in feedback]

    def _first_kept_of(self, kind: str, own_days: int | None) -> str:
        """Return the smallest id of this `kind` that is kept, for SQL."""
        default: int = getattr(self._default, _FIELDS[kind])
        return self._first_kept(default if own_days is None else own_days)

    def _first_kept(self, days: int) -> str:
        """Return the smallest id of what is kept for so many days; 0 keeps everything."""
        return first_id_at(self.clock() - days * _DAY) if days > 0 else ""
