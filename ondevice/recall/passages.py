"""Imported text as passages: cut where the author paused, embedded, and stored in batches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ondevice.settings import RecallSettings

if TYPE_CHECKING:
    from ondevice.profile.importers import ImportedDocument
    from ondevice.profile.records import NewPassage
    from ondevice.profile.store import Profile
    from ondevice.recall.embedder import Embedder

BATCH_PASSAGES = 256  # one transaction and one run of the embedder

_PARAGRAPH = re.compile(r"\n[ \t]*\n+")
_SENTENCE = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|\n+")


@dataclass(frozen=True)
class IngestReport:
    """What an import did."""

    documents: int  # imported now
    passages: int
    unchanged: int  # documents that were there already, by SHA-256


def cut(text: str, count_tokens: Callable[[str], int], limit: int) -> Iterator[str]:
    """Yield `text` in passages of at most `limit` tokens.

    Paragraphs are put together while they fit; one too long is cut between
    sentences, a sentence too long between words.
    """
    held: list[str] = []
    held_tokens = 0
    for piece, separator in _pieces(text, count_tokens, limit):
        tokens = count_tokens(piece)
        if held and held_tokens + tokens > limit:
            yield "".join(held).strip()
            held, held_tokens = [], 0
        held += [separator if held else "", piece]
        held_tokens += tokens
    if held:
        yield "".join(held).strip()


def _pieces(text: str, count_tokens: Callable[[str], int], limit: int) -> Iterator[tuple[str, str]]:
    """Yield parts of at most `limit` tokens, each with what stood between it and the last."""
    for paragraph in _PARAGRAPH.split(text):
        paragraph = paragraph.strip()
        if not paragraph:
            continue
        if count_tokens(paragraph) <= limit:
            yield paragraph, "\n\n"
            continue
        separator = "\n\n"
        for line in _SENTENCE.split(paragraph):
            if not line.strip():
                continue
            if count_tokens(line) <= limit:
                yield line, separator
            else:
                for part in _words(line, count_tokens, limit):
                    yield part, separator
            separator = " "


def _words(line: str, count_tokens: Callable[[str], int], limit: int) -> Iterator[str]:
    """Yield `line` cut by bisection: between words, or inside a word that is itself too long."""
    while line:
        low, high = 1, len(line)
        while low < high:  # the longest start that fits
            middle = (low + high + 1) // 2
            if count_tokens(line[:middle]) <= limit:
                low = middle
            else:
                high = middle - 1
        end = low
        if end < len(line):
            space = line.rfind(" ", 1, end + 1)
            end = space if space > 0 else end
        yield line[:end].strip()
        line = line[end:].strip()


def ingest(
    profile: Profile,
    embedder: Embedder,
    documents: Iterable[ImportedDocument],
    progress: Callable[[int, int | None], None] | None = None,
    *,
    scope: str | None = None,
    settings: RecallSettings | None = None,
) -> IngestReport:
    """Store documents as passages with their vectors; a document known by its SHA-256 is skipped.

    Each batch is one transaction. An import that was cut off is taken up again
    by importing the same file: the half-stored source is replaced.

    Args:
        profile: where to.
        embedder: makes the vectors.
        documents: streamed; only one batch is in memory.
        progress: called with (passages stored, total or None) after each batch.
        scope: the context that the passages belong to.
        settings: for the size of a passage.

    Raises:
        ImportSourceError: a file cannot be read; what was stored before it stays.
    """
    limit = (settings or RecallSettings()).passage_tokens
    known = {source.sha256 for source in profile.sources() if source.sha256}
    imported = stored = unchanged = 0
    for document in documents:
        if document.sha256 in known:
            unchanged += 1
            continue
        _drop_half_stored(profile, document.name)
        source = profile.add_source("import", document.name, scope=scope)
        for batch in _batches(_passages(document, embedder, limit, scope)):
            vectors = embedder.embed([passage.text for passage in batch])
            profile.add_passages(source.id, batch, vectors)
            stored += len(batch)
            if progress is not None:
                progress(stored, None)
        # Only now: an import that was cut off is not taken for a whole one.
        profile.complete_source(source.id, document.sha256)
        known.add(document.sha256)
        imported += 1
    return IngestReport(documents=imported, passages=stored, unchanged=unchanged)


def _drop_half_stored(profile: Profile, name: str) -> None:
    for source in profile.sources("import"):
        if source.sha256 is None and source.name == name:
            profile.forget_source(source.id)


def _passages(
    document: ImportedDocument, embedder: Embedder, limit: int, scope: str | None
) -> Iterator[NewPassage]:
    from ondevice.profile.records import NewPassage

    for chunk in document.chunks:
        # The headings above a passage say what it is about; it is found and read by them too.
        above = f"{chunk.context}\n" if chunk.context else ""
        room = max(limit // 2, limit - embedder.count_tokens(above)) if above else limit
        for text in cut(chunk.text, embedder.count_tokens, room):
            yield NewPassage(
                text=above + text, time=chunk.time, speaker=chunk.speaker or chunk.role, scope=scope
            )


def _batches(passages: Iterable[NewPassage]) -> Iterator[list[NewPassage]]:
    batch: list[NewPassage] = []
    for passage in passages:
        batch.append(passage)
        if len(batch) == BATCH_PASSAGES:
            yield batch
            batch = []
    if batch:
        yield batch
