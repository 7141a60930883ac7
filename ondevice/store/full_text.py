"""The full-text index: what keeps it true to the records, and how words are put to it.

It holds the terms that `index_text` makes of each text. What is deleted from it must be just what
was added, or traces of a forgotten text stay. So the index is made anew when the terms change:
with a newer version of the program, or of the Unicode tables that come with Python.
"""

from __future__ import annotations

import unicodedata

from ondevice.ground.words import backward, index_text, is_unspaced, pairs_of, words_in
from ondevice.store.database import Database

TERMS = 1  # to be raised whenever `index_text` makes other terms of a text
INDEXED_AT_ONCE = 2000  # records a transaction: about a quarter of a second


def keep_current(database: Database) -> None:
    """Let the triggers index what is written, and index what is not yet or was in another way.

    It goes on where a killed process has stopped. Meanwhile others may write: the triggers leave
    alone what is not indexed yet.
    """
    database.define("index_text", 1, index_text)
    if not database.is_writable:
        return
    wanted = _kind_of_terms()
    if database.value("SELECT value FROM meta WHERE key = 'terms'") != wanted:
        with database.write() as run:
            run("INSERT INTO search (search) VALUES ('delete-all')")
            run("INSERT OR REPLACE INTO meta VALUES ('terms', ?), ('indexed_to', 0)", (wanted,))
    while database.value("SELECT 1 FROM meta WHERE key = 'indexed_to'"):
        _index_some(database)


def _kind_of_terms() -> int:
    major, minor, _ = map(int, unicodedata.unidata_version.split("."))
    return TERMS * 1_000_000 + major * 1000 + minor


def _index_some(database: Database) -> None:
    with database.write() as run:
        frontier = run("SELECT value FROM meta WHERE key = 'indexed_to'")
        if not frontier:  # another process has done the last of it
            return
        reached = run(
            "SELECT max(number) FROM"
            " (SELECT number FROM record WHERE number > ? ORDER BY number LIMIT ?)",
            (frontier[0][0], INDEXED_AT_ONCE),
        )[0][0]
        if reached is None:
            run("DELETE FROM meta WHERE key = 'indexed_to'")
            return
        run(
            "INSERT INTO search (rowid, text) SELECT number, text FROM indexed"
            " WHERE number > ? AND number <= ?",
            (frontier[0][0], reached),
        )
        run("UPDATE meta SET value = ? WHERE key = 'indexed_to'", (reached,))


def expression(term: str) -> str:
    """Return a word or a phrase as FTS5 reads it.

    A star at its end stands for any ending, one before a word for what it is put together with.
    """
    if term.startswith("*") and (words := words_in(term)):
        return f'"{backward(words[0])}" *'
    stem = term.removesuffix("*")
    phrase = [part for word in words_in(stem) for part in _parts(word)]
    return '"' + " ".join(phrase) + ('" *' if phrase and stem != term else '"')


def all_beginnings(text: str) -> str:
    """Return what finds the texts where every word of `text` begins a word; empty without words."""
    return " AND ".join(expression(f"{word}*") for word in words_in(text))


def _parts(word: str) -> list[str]:
    return pairs_of(word) if is_unspaced(word) else [word]
