"""The schema, as numbered steps that each commit together with their record.

A step is never edited once it was released: a change is a new step.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ondevice.errors import ProfileError
from ondevice.store.database import Database

_INITIAL = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('generation', 0), ('purge_pending', 0);

CREATE TABLE source (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    sha256 TEXT,
    time REAL NOT NULL,
    scope TEXT
);
CREATE INDEX source_by_sha256 ON source (sha256) WHERE sha256 IS NOT NULL;

-- Facts, passages and turns: everything that has a text to be found.
CREATE TABLE record (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    time REAL NOT NULL,
    state TEXT NOT NULL DEFAULT 'active',
    scope TEXT,
    learn INTEGER NOT NULL DEFAULT 1,
    source_id TEXT REFERENCES source (id) ON DELETE CASCADE,
    position INTEGER,
    speaker TEXT,
    expires REAL
);
CREATE INDEX record_by_source ON record (source_id, position) WHERE source_id IS NOT NULL;
CREATE INDEX record_by_kind ON record (kind, id);
-- All that a search index in memory needs, without the pages that hold the texts.
CREATE INDEX record_outline
    ON record (number, id, kind, time, state, scope, source_id, speaker);
CREATE INDEX record_by_expiry ON record (expires) WHERE expires IS NOT NULL;

CREATE TABLE fact (
    number INTEGER PRIMARY KEY REFERENCES record (number) ON DELETE CASCADE,
    category TEXT NOT NULL,
    subject TEXT,
    valid_from REAL NOT NULL,
    valid_to REAL,
    pinned INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX fact_by_subject ON fact (subject) WHERE subject IS NOT NULL;

CREATE TABLE memory_used (
    number INTEGER NOT NULL REFERENCES record (number) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    memory_id TEXT NOT NULL,
    PRIMARY KEY (number, position)
) WITHOUT ROWID;
CREATE INDEX memory_used_by_memory ON memory_used (memory_id);

CREATE TABLE feedback (
    id TEXT PRIMARY KEY,
    turn_id TEXT NOT NULL REFERENCES record (id) ON DELETE CASCADE,
    verdict TEXT NOT NULL,
    text TEXT,
    time REAL NOT NULL
);
CREATE INDEX feedback_by_turn ON feedback (turn_id);

-- The id stands here too, so that loading all vectors touches no other table.
CREATE TABLE vector (
    number INTEGER PRIMARY KEY REFERENCES record (number) ON DELETE CASCADE,
    id TEXT NOT NULL,
    value BLOB NOT NULL
);

CREATE TABLE adapter (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    file_sha256 TEXT NOT NULL,
    base_sha256 TEXT NOT NULL,
    rank INTEGER NOT NULL,
    alpha REAL NOT NULL,
    scale REAL NOT NULL,
    state TEXT NOT NULL,
    created REAL NOT NULL,
    scope TEXT,
    provenance TEXT NOT NULL
);
CREATE TABLE adapter_record (
    adapter_id TEXT NOT NULL REFERENCES adapter (id) ON DELETE CASCADE,
    record_id TEXT NOT NULL,
    PRIMARY KEY (adapter_id, record_id)
) WITHOUT ROWID;
CREATE INDEX adapter_record_by_record ON adapter_record (record_id);

-- The text is stored once, in `record`; with 'secure-delete' a deleted row's
-- tokens are taken out of the index at once instead of being marked.
CREATE VIRTUAL TABLE search USING fts5 (
    text,
    content = 'record',
    content_rowid = 'number',
    tokenize = 'porter unicode61 remove_diacritics 2'
);
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER record_added AFTER INSERT ON record BEGIN
    INSERT INTO search (rowid, text) VALUES (new.number, new.text);
END;
CREATE TRIGGER record_deleted AFTER DELETE ON record BEGIN
    INSERT INTO search (search, rowid, text) VALUES ('delete', old.number, old.text);
END;
CREATE TRIGGER record_reworded AFTER UPDATE OF text ON record BEGIN
    INSERT INTO search (search, rowid, text) VALUES ('delete', old.number, old.text);
    INSERT INTO search (rowid, text) VALUES (new.number, new.text);
END;
"""

_LEARNING = """
-- How an adapter came about: method, recipe, steps, metrics, decision, and what it began at.
ALTER TABLE adapter ADD COLUMN training TEXT NOT NULL DEFAULT '{}';
-- What was active after each change, to be rolled back: [[adapter id, scale], …].
CREATE TABLE activation (
    number INTEGER PRIMARY KEY,
    time REAL NOT NULL,
    active TEXT NOT NULL
);
-- What answered, beside the memories that the turn lists: model, adapters, form of the notes.
ALTER TABLE feedback ADD COLUMN answered_by TEXT NOT NULL DEFAULT '{}';
"""

_OWNERSHIP = """
-- What stays the same when an import changes, such as a path: importing it again replaces it.
ALTER TABLE source ADD COLUMN key TEXT;
CREATE INDEX source_by_key ON source (key) WHERE key IS NOT NULL;
-- What happened, in numbers and ids: never a text.
CREATE TABLE event (
    number INTEGER PRIMARY KEY,
    time REAL NOT NULL,
    kind TEXT NOT NULL,
    about TEXT NOT NULL
);
-- Copies of the profile that were made. One holds every record with a smaller id than its own,
-- unless that was forgotten before.
CREATE TABLE copy (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    path TEXT NOT NULL,
    time REAL NOT NULL
);
"""

_CORRECTIONS = """
-- Of a passage or turn that was corrected: the id of its first wording, which is superseded.
ALTER TABLE record ADD COLUMN corrects TEXT;
CREATE INDEX record_by_correction ON record (corrects) WHERE corrects IS NOT NULL;
"""

_EMBEDDERS = """
-- What has made vectors: the SHA-256 is of everything that decides one.
CREATE TABLE embedder (
    number INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    dimensions INTEGER NOT NULL
);
-- There was one only so far.
INSERT INTO embedder
    SELECT 1, '8a70b1dd8c67148ed3cb824ec3e0d6582b38ed57e12240a223921cdda5c12297', 'minilm', 384
    WHERE EXISTS (SELECT 1 FROM vector);
ALTER TABLE vector RENAME TO unstamped;
-- `place` grows with every vector: whoever has all up to one reads the later ones only, and a
-- vector never moves to another page, where a copy of it could be left.
CREATE TABLE vector (
    place INTEGER PRIMARY KEY,
    number INTEGER NOT NULL REFERENCES record (number) ON DELETE CASCADE,
    embedder INTEGER NOT NULL REFERENCES embedder (number),
    id TEXT NOT NULL,
    value BLOB NOT NULL,
    UNIQUE (number, embedder)
);
INSERT INTO vector (number, embedder, id, value)
    SELECT number, 1, id, value FROM unstamped ORDER BY number;
DROP TABLE unstamped;
"""

_EVERY_SCRIPT = """
-- What is indexed are the terms that `index_text` makes of a text; `full_text.py` fills the table
-- and holds its frontier: records with a greater number than that are not indexed yet.
DROP TRIGGER record_added;
DROP TRIGGER record_deleted;
DROP TRIGGER record_reworded;
DROP TABLE search;
DROP VIEW IF EXISTS indexed;
DELETE FROM meta WHERE key = 'terms';
CREATE VIEW indexed AS SELECT number, index_text(text) AS text FROM record;
-- Terms are folded and stand apart by spaces, so 'ascii' leaves them as they are.
CREATE VIRTUAL TABLE search USING fts5 (
    text,
    content = 'indexed',
    content_rowid = 'number',
    tokenize = 'porter ascii'
);
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER record_added AFTER INSERT ON record
WHEN NOT EXISTS (SELECT 1 FROM meta WHERE key = 'indexed_to' AND value < new.number) BEGIN
    INSERT INTO search (rowid, text) VALUES (new.number, index_text(new.text));
END;
CREATE TRIGGER record_deleted AFTER DELETE ON record
WHEN NOT EXISTS (SELECT 1 FROM meta WHERE key = 'indexed_to' AND value < old.number) BEGIN
    INSERT INTO search (search, rowid, text) VALUES ('delete', old.number, index_text(old.text));
END;
CREATE TRIGGER record_reworded AFTER UPDATE OF text ON record
WHEN NOT EXISTS (SELECT 1 FROM meta WHERE key = 'indexed_to' AND value < new.number) BEGIN
    INSERT INTO search (search, rowid, text) VALUES ('delete', old.number, index_text(old.text));
    INSERT INTO search (rowid, text) VALUES (new.number, index_text(new.text));
END;
"""

_ORIGINS = """
-- The passages and turns that a statement was drawn from. One that the person made or worded
-- themselves, and that a text says too, has itself among them.
CREATE TABLE origin (
    fact INTEGER NOT NULL REFERENCES record (number) ON DELETE CASCADE,
    record INTEGER NOT NULL REFERENCES record (number) ON DELETE CASCADE,
    PRIMARY KEY (fact, record)
) WITHOUT ROWID;
CREATE INDEX origin_by_record ON origin (record);
-- The person's own words from which no statements were drawn yet.
CREATE TABLE unformed (
    number INTEGER PRIMARY KEY REFERENCES record (number) ON DELETE CASCADE
);
CREATE TRIGGER record_to_form AFTER INSERT ON record
WHEN (new.kind = 'passage' AND coalesce(new.speaker, 'user') = 'user')
    OR (new.kind = 'turn' AND new.speaker = 'user')
BEGIN
    INSERT INTO unformed (number) VALUES (new.number);
END;
-- What was said in chats was read when it was said.
INSERT INTO unformed (number)
    SELECT number FROM record
    WHERE kind = 'passage' AND state = 'active' AND coalesce(speaker, 'user') = 'user';
"""


@dataclass(frozen=True)
class Migration:
    """One step of the schema."""

    number: int
    name: str
    sql: str


MIGRATIONS: Sequence[Migration] = (
    Migration(1, "records, search, vectors, adapters", _INITIAL),
    Migration(2, "how adapters were trained, activations, what answered", _LEARNING),
    Migration(3, "keys of sources, events, copies", _OWNERSHIP),
    Migration(4, "corrections of passages and turns", _CORRECTIONS),
    Migration(5, "vectors by several embedders", _EMBEDDERS),
    Migration(6, "full text in every script", _EVERY_SCRIPT),
    Migration(7, "where statements come from, and what is still to be read", _ORIGINS),
)


def migrate(database: Database, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """Bring the schema up to date and return the number of steps that were run.

    Raises:
        ProfileError: the database was written by a newer version of the program.
    """
    if _latest(database) == migrations[-1].number:
        return 0
    done = 0
    for migration in migrations:
        with database.write() as run:
            # Looked at inside the transaction: another process may have been faster.
            latest = _latest(database)
            if latest > migrations[-1].number:
                raise ProfileError(
                    f"{database.path} was written by a newer version of ondevice "
                    f"(schema {latest}, this one knows {migrations[-1].number}); upgrade ondevice."
                )
            if migration.number <= latest:
                continue
            for statement in _statements(migration.sql):
                run(statement)
            run(
                "CREATE TABLE IF NOT EXISTS migration"
                " (number INTEGER PRIMARY KEY, name TEXT NOT NULL, time REAL NOT NULL)"
            )
            run(
                "INSERT INTO migration VALUES (?, ?, ?)",
                (migration.number, migration.name, time.time()),
            )
            done += 1
    return done


def _latest(database: Database) -> int:
    if not database.rows("SELECT 1 FROM sqlite_master WHERE name = 'migration'"):
        return 0
    return int(database.value("SELECT coalesce(max(number), 0) FROM migration"))


def _statements(sql: str) -> list[str]:
    """Split a script; `executescript` would commit the transaction it stands in."""
    from sqlcipher3 import complete_statement

    statements, current = [], ""
    for line in sql.splitlines(keepends=True):
        current += line
        if complete_statement(current):
            statements.append(current)
            current = ""
    return statements
