"""Imported text as passages: cut where the author paused, embedded, and stored in batches."""

from __future__ import annotations

import dataclasses
import itertools
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ondevice.errors import ImportSourceError
from ondevice.importers.document import Remark
from ondevice.importers.memories import MEMORY
from ondevice.memory.embedding import Embedding
from ondevice.memory.facts import candidate_for
from ondevice.memory.forming.secrets import holds_secret
from ondevice.settings import RecallSettings
from ondevice.store.records import ANY_SCOPE, NewPassage
from ondevice.store.table import storable

if TYPE_CHECKING:
    from ondevice.importers import ImportedDocument, ImportOptions
    from ondevice.memory.embedders.protocol import Embedder
    from ondevice.store.profile import Profile
    from ondevice.store.records import Passage
    from ondevice.store.vectors import Embedded

# One transaction and one run of the embedder: of so many texts it makes batches of like lengths.
BATCH_PASSAGES = 512
FIRST_PASSAGES = 64  # the first ones are stored soon; as many more as the machine is fast
BATCH_SECONDS = 4.0  # a batch that takes longer makes the next one smaller: Ctrl-C loses one

# A token of prose has four or five characters; so many characters count as one at least. A word
# without end is a single token to the tokenizer, but would fill the prompt.
MAX_TOKEN_CHARACTERS = 16

_PARAGRAPH = re.compile(r"\n[ \t]*\n+")
_SENTENCE = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|\n+")


@dataclass(frozen=True)
class IngestReport:
    """What an import did."""

    documents: int  # imported now
    passages: int
    unchanged: int  # documents that were there already, by SHA-256
    facts: int = 0  # statements of other assistants, which wait for approval
    formed: int = 0  # statements that the person's own words make, used from now on
    waiting: int = 0  # such that are not certain, and wait for approval
    left_out: dict[str, int] = field(default_factory=dict)  # reason -> number of messages
    skipped: tuple[Remark, ...] = ()  # files, and places in them, that could not be read
    guessed: tuple[Remark, ...] = ()  # files whose encoding was concluded from their content


def cut(text: str, count_tokens: Callable[[str], int], limit: int) -> Iterator[str]:
    """Yield `text` in passages of at most `limit` tokens.

    Paragraphs are put together while they fit; one too long is cut between
    sentences, a sentence too long between words.
    """

    def measure(text: str) -> int:
        at_least = len(text) // MAX_TOKEN_CHARACTERS
        return at_least if at_least > limit else max(at_least, count_tokens(text))

    held: list[str] = []
    held_tokens = 0
    for piece, tokens, separator in _pieces(text, measure, limit):
        if held and held_tokens + tokens > limit:
            yield "".join(held).strip()
            held, held_tokens = [], 0
        held += [separator if held else "", piece]
        held_tokens += tokens
    if held:
        yield "".join(held).strip()


def _pieces(
    text: str, count_tokens: Callable[[str], int], limit: int
) -> Iterator[tuple[str, int, str]]:
    """Yield parts of at most `limit` tokens, their tokens, and what stood before them."""
    for paragraph in _PARAGRAPH.split(text):
        paragraph = paragraph.strip()
        if not paragraph:
            continue
        if (tokens := count_tokens(paragraph)) <= limit:
            yield paragraph, tokens, "\n\n"
            continue
        separator = "\n\n"
        for line in _SENTENCE.split(paragraph):
            if not line.strip():
                continue
            if (tokens := count_tokens(line)) <= limit:
                yield line, tokens, separator
            else:
                for part in _words(line, count_tokens, limit):
                    yield part, count_tokens(part), separator
            separator = " "


def _words(line: str, count_tokens: Callable[[str], int], limit: int) -> Iterator[str]:
    """Yield `line` cut by bisection: between words, or inside a word that is itself too long."""
    at = 0
    while at < len(line):
        window = line[at : at + limit * MAX_TOKEN_CHARACTERS]  # never the rest of a huge line
        low, high = 1, len(window)
        while low < high:  # the longest start that fits
            middle = (low + high + 1) // 2
            if count_tokens(window[:middle]) <= limit:
                low = middle
            else:
                high = middle - 1
        end = low
        if at + end < len(line):
            space = line.rfind(" ", at + 1, at + end + 1) - at
            end = space if space > 0 else end
        if part := window[:end].strip():
            yield part
        at += end


def ingest(
    profile: Profile,
    embedder: Embedder,
    documents: Iterable[ImportedDocument],
    progress: Callable[[int, int | None], None] | None = None,
    *,
    scope: str | None = None,
    settings: RecallSettings | None = None,
    options: ImportOptions | None = None,
) -> IngestReport:
    """Store documents as passages with their vectors; a document known by its SHA-256 is skipped.

    Each batch, which may hold parts of several documents, is one transaction. An import that was
    cut off goes on where it stopped when the same file is imported again. A new version of a
    document takes the place of the old one. Statements of other assistants become pending facts.

    Args:
        profile: where to.
        embedder: makes the vectors.
        documents: streamed; only one batch is in memory.
        progress: called with (passages stored, total or None) after each batch.
        scope: the context that the passages belong to.
        settings: for the size of a passage.
        options: those that `documents` are read with: what they note comes into the report.

    Raises:
        ImportSourceError: reading cannot go on; what was read before is stored.
    """
    limit = (settings or RecallSettings()).passage_tokens
    writer = _Writer(profile, embedder, progress, scope)
    try:
        for document in documents:
            if writer.begin(document):
                for passage in _passages(document, embedder, limit, scope):
                    writer.add(passage)
                if document.damage.why is None:
                    writer.end()
                else:
                    writer.break_off()
    except ImportSourceError:
        writer.flush()
        raise
    writer.flush()
    if options is None:
        return writer.report
    return dataclasses.replace(
        writer.report,
        left_out=dict(options.left_out),
        skipped=tuple(options.skipped),
        guessed=tuple(options.guessed),
    )


@dataclass
class _Target:
    """A document on its way into the store."""

    document: ImportedDocument
    source_id: str | None  # None until something of it is stored
    stored: Iterator[Passage]  # by an import that was cut off, in their order
    ended: bool = False
    broken: bool = False  # what is stored of it is kept for when the file is mended

    def has(self, passage: NewPassage) -> bool:
        """Whether an import that was cut off has stored `passage` as the next one; passes over it.

        If it is another one, the file is another one too, and the rest of `stored` is of no use.
        """
        held = next(self.stored, None)
        if held is None:
            return False
        if held.text == passage.text:
            return True
        self.stored = itertools.chain([held], self.stored)
        return False

    def take_rest(self) -> list[str]:
        """Return the ids of what was stored and is not in the file any more."""
        rest = [passage.id for passage in self.stored]
        self.stored = iter(())
        return rest


class _Writer:
    """Collects passages of many documents and stores them in batches."""

    def __init__(
        self,
        profile: Profile,
        embedder: Embedder,
        progress: Callable[[int, int | None], None] | None,
        scope: str | None,
    ) -> None:
        self._profile, self._progress = profile, progress
        self._embedding = Embedding(profile, embedder)
        self._scope = scope
        self._known = {s.sha256: s.id for s in profile.sources.all() if s.sha256}
        self._half = {s.key or s.name: s for s in profile.sources.all("import") if s.sha256 is None}
        self._in_file: set[str] = set()  # ids of sources that the file being read holds
        self._known_facts = {fact.text for fact in profile.facts.all(scope=ANY_SCOPE)}
        self._targets: list[_Target] = []
        self._batch: list[tuple[_Target, NewPassage]] = []
        self._batch_size = FIRST_PASSAGES
        self.report = IngestReport(0, 0, 0)

    def begin(self, document: ImportedDocument) -> bool:
        """Start a document; False if it is stored already."""
        key = storable(document.key) if document.key is not None else None
        document = dataclasses.replace(document, key=key)
        if key is not None:
            if any(target.document.key == key for target in self._targets):
                self.flush()
            if not document.is_another:  # those of this key that were read are of another file
                self._in_file -= {source.id for source in self._profile.sources.by_key(key)}
        if document.sha256 in self._known:
            self._in_file.add(self._known[document.sha256])
            self._count(unchanged=1)
            return False
        self._known[document.sha256] = ""  # it has no id yet
        half = self._half.pop(key or document.name, None)
        stored = self._profile.passages.imported(half.id) if half is not None else iter(())
        self._targets.append(_Target(document, half.id if half is not None else None, stored))
        return True

    def add(self, passage: NewPassage) -> None:
        """Add a passage of the document that was begun last."""
        target = self._targets[-1]
        if target.has(passage):
            return
        if rest := target.take_rest():  # the file is another one than that which was cut off
            self._profile.forget(rest)
        self._batch.append((target, passage))
        if len(self._batch) >= min(self._batch_size, BATCH_PASSAGES):
            began = time.monotonic()
            self.flush()
            if time.monotonic() - began > BATCH_SECONDS:
                self._batch_size = max(FIRST_PASSAGES, self._batch_size // 2)
            else:
                self._batch_size = min(BATCH_PASSAGES, self._batch_size * 2)

    def end(self) -> None:
        """Note that the document begun last is complete."""
        target = self._targets[-1]
        if rest := target.take_rest():
            self._profile.forget(rest)
        target.ended = True

    def break_off(self) -> None:
        """Note that no more can be read of the document begun last."""
        target = self._targets[-1]
        target.broken = True
        self._known.pop(target.document.sha256, None)

    def flush(self) -> None:
        """Store what was collected, in one transaction."""
        vectors = self._embedding.embed([passage.text for _, passage in self._batch])
        with self._profile.transaction():
            first = 0
            for target in self._targets:
                passages = [passage for owner, passage in self._batch if owner is target]
                if passages:
                    last = first + len(passages)
                    self._store(target, passages, vectors.some(slice(first, last)))
                    first = last
                if target.ended and target.source_id is not None:
                    # Only now: an import that was cut off is not taken for a whole one.
                    self._complete(target.source_id, target.document)
        self._profile.finish_purge()
        self._count(passages=len(self._batch))
        self._batch = []
        self._targets = [one for one in self._targets if not (one.ended or one.broken)]
        if self._progress is not None:
            self._progress(self.report.passages, None)

    def _complete(self, source_id: str, document: ImportedDocument) -> None:
        """Note that a document is stored as a whole, in the place of its older version."""
        self._profile.sources.complete(source_id, document.sha256)
        self._known[document.sha256] = source_id
        self._in_file.add(source_id)
        self._count(documents=1)
        older = self._profile.sources.by_key(document.key) if document.key is not None else []
        for source in older:
            if source.sha256 is not None and source.id not in self._in_file:
                self._profile.replace_source(source.id, source_id)
                self._known.pop(source.sha256, None)
                break  # another one is the older version of another document

    def _store(self, target: _Target, passages: Sequence[NewPassage], vectors: Embedded) -> None:
        document = target.document
        if target.source_id is None:
            target.source_id = self._profile.sources.add(
                "import", document.name, scope=self._scope, key=document.key
            ).id
        statements = [n for n, passage in enumerate(passages) if passage.speaker == MEMORY]
        for number in statements:
            self._store_fact(target.source_id, passages[number], vectors.some([number]))
        if len(statements) < len(passages):
            texts = [n for n in range(len(passages)) if n not in set(statements)]
            made = self._profile.passages.add(
                target.source_id, [passages[n] for n in texts], vectors.some(texts)
            )
            self._correct_what_grew(target, made)

    def _correct_what_grew(self, target: _Target, made: Sequence[Passage]) -> None:
        """Correct passages that begin with a text which was corrected in the older version.

        A diary goes on where it ended: what stands there still is still wrong. A passage that is
        the same as before needs nothing, it is the corrected one itself.
        """
        key = target.document.key
        older = self._profile.sources.by_key(key) if key is not None else []
        for source in older:
            if source.id == target.source_id:
                continue
            for former, text in self._profile.corrections.corrected_in(source.id):
                for passage in made:
                    rest = passage.text.removeprefix(former.text)
                    if (
                        (passage.position, passage.speaker) == (former.position, former.speaker)
                        and rest != passage.text
                        and rest[:1].isspace()
                    ):
                        better = text + rest
                        vector = self._embedding.embed([better])
                        self._profile.corrections.correct(passage.id, better, vector=vector)

    def _store_fact(self, source_id: str, statement: NewPassage, vector: Embedded) -> None:
        """Store a statement of another assistant; it waits for approval."""
        candidate = candidate_for(statement.text)
        if candidate.text in self._known_facts or holds_secret(candidate.text):
            return
        self._known_facts.add(candidate.text)
        self._profile.facts.add(
            candidate.text,
            category=candidate.category,
            subject=candidate.subject,
            state="pending",
            source_id=source_id,
            scope=self._scope,
            vector=vector,
            time=statement.time,
        )
        self._count(facts=1)

    def _count(self, **more: int) -> None:
        counts = {name: getattr(self.report, name) + number for name, number in more.items()}
        self.report = dataclasses.replace(self.report, **counts)


def _passages(
    document: ImportedDocument, embedder: Embedder, limit: int, scope: str | None
) -> Iterator[NewPassage]:
    for chunk in document.chunks:
        # The headings above a passage say what it is about; it is found and read by them too.
        above = f"{storable(chunk.context)}\n" if chunk.context else ""
        room = max(limit // 2, limit - embedder.count_tokens(above)) if above else limit
        for text in cut(storable(chunk.text), embedder.count_tokens, room):
            yield NewPassage(
                text=above + text,
                time=chunk.time,
                speaker=chunk.voice and storable(chunk.voice),
                scope=scope,
                learn=chunk.is_own,  # what others wrote is context and no sample
            )
