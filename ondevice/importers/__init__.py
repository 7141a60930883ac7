"""Files of other programs, read piece by piece.

`read` walks the given paths, recognises the formats by their content, and
yields documents.  A document's chunks are read from the file as they are asked
for, so that a file of any size needs little memory.  `preview` tells what
`read` would yield, and what is left out and why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from ondevice.errors import ImportSourceError, ImportStoppedError
from ondevice.importers import (
    chatgpt,
    claude,
    encoding,
    jsonl,
    mail,
    markdown,
    memories,
    telegram,
    text,
    walk,
    whatsapp,
)
from ondevice.importers.document import (
    DATES_UNCLEAR,
    ImportedChunk,
    ImportedDocument,
    Importer,
    ImportFile,
    ImportOptions,
    Remark,
    on_disk,
)
from ondevice.importers.meter import Meter
from ondevice.remedies import Remedy, within

__all__ = [
    "DATES_UNCLEAR",
    "IMPORTERS",
    "ImportFile",
    "ImportOptions",
    "ImportedChunk",
    "ImportedDocument",
    "Importer",
    "Meter",
    "Preview",
    "Remark",
    "detect",
    "preview",
    "read",
]

# The first one that recognises a file reads it.
IMPORTERS: tuple[Importer, ...] = (
    chatgpt.IMPORTER,
    claude.IMPORTER,
    telegram.IMPORTER,
    whatsapp.IMPORTER,
    mail.IMPORTER,
    memories.IMPORTER,
    jsonl.IMPORTER,
    markdown.IMPORTER,
    text.IMPORTER,
)


@dataclass
class Preview:
    """What an import would take from one file.

    Attributes:
        file: its name.
        format: what it was recognised as.
        documents: notes, chats, conversations or mailboxes.
        own: pieces of the person's own words.
        others: name -> pieces of theirs, kept as context only.
        facts: statements that will wait for approval.
        left_out: reason -> number of messages.
        skipped: what of it cannot be read, or not without more being said, and why.
        guessed: what is said of its encoding, if it does not tell it.
        first: time of the oldest piece, in seconds since 1970.
        last: time of the newest one.
        senders: addresses that mails of others came from -> how many.
    """

    file: str
    format: str
    documents: int = 0
    own: int = 0
    others: Counter[str] = field(default_factory=Counter)
    facts: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    first: float | None = None
    last: float | None = None
    senders: Counter[str] = field(default_factory=Counter)
    skipped: list[Remark] = field(default_factory=list)
    guessed: list[Remark] = field(default_factory=list)


def read(
    paths: Iterable[Path | ImportFile], options: ImportOptions | None = None
) -> Iterator[ImportedDocument]:
    """Yield the documents at `paths`, in a fixed order; an `ImportFile` need not be on disk.

    A file given by name is read whatever its suffix (as text, if it is unknown). In folders and
    zip archives, searched to the bottom, only files of known formats are read; hidden files and
    folders, such as `.obsidian`, are skipped. Of archives in folders only exports are read.

    One file costs no other: what cannot be read of a folder, an archive or several paths is noted
    in the options as `skipped`, and the rest is read. A document of which only the beginning can
    be read ends there, and its `damage` says why.

    Raises:
        ImportSourceError: nothing at all can be read, or `paths` is one file that is missing,
            empty, damaged or no text. Errors inside of that come while its chunks are iterated.
    """
    yield from (
        document
        for _, documents in _Reading(options or ImportOptions()).files(paths)
        for document in documents
    )


def preview(
    paths: Iterable[Path | ImportFile], options: ImportOptions | None = None
) -> Iterator[Preview]:
    """Yield, file by file, what `read` would take from `paths`; nothing is stored.

    Raises:
        ImportSourceError: as `read`, but not where it is only not known who the person is.
    """
    said = options or ImportOptions()
    options = replace(said, must_know_me=False, left_out=Counter(), skipped=[], guessed=[])
    others = Preview("", "other files")  # files that are passed over
    for shown, documents in _Reading(options).files(paths):
        _move_remarks(options, others)
        for document in documents:
            shown.documents += 1
            for chunk in document.chunks:
                _count(shown, chunk)
        _move_remarks(options, shown)
        yield shown
    _move_remarks(options, others)
    if others.left_out or others.skipped:
        yield others


def _move_remarks(options: ImportOptions, shown: Preview) -> None:
    """Let `shown` tell what was noted since the last time."""
    shown.left_out = dict(Counter(shown.left_out) + options.left_out)
    shown.skipped += options.skipped
    shown.guessed += options.guessed
    shown.senders.update(options.senders)
    options.left_out.clear()
    options.senders.clear()
    options.skipped.clear()
    options.guessed.clear()


def _count(shown: Preview, chunk: ImportedChunk) -> None:
    if chunk.role == memories.MEMORY:
        shown.facts += 1
    elif chunk.is_own:
        shown.own += 1
    else:
        shown.others[chunk.voice or ""] += 1
    if chunk.time is not None:
        shown.first = chunk.time if shown.first is None else min(shown.first, chunk.time)
        shown.last = chunk.time if shown.last is None else max(shown.last, chunk.time)


def detect(path: Path) -> Importer | None:
    """Return the importer for a file, None if no format is recognised.

    Raises:
        ImportSourceError: it cannot be read.
    """
    return _importer(on_disk(path))


def _importer(file: ImportFile) -> Importer | None:
    head = encoding.head_of(file.head())
    return next((importer for importer in IMPORTERS if importer.recognises(file, head)), None)


_Found = Iterator[tuple[Preview, Iterator[ImportedDocument]]]


class _Reading:
    """One walk over files, of which a bad one costs no other."""

    def __init__(self, options: ImportOptions) -> None:
        self._options = options
        self._strict = False  # one file that was named: whoever reads it learns of its error
        self._errors: list[ImportSourceError] = []
        self._n_read = 0  # documents of which there was something, or that nobody looked into

    def files(self, paths: Iterable[Path | ImportFile]) -> _Found:
        """Yield each file with what is in it, not read yet.

        Raises:
            ImportSourceError: nothing of all of it can be read.
        """
        sources = [path if isinstance(path, ImportFile) else Path(path) for path in paths]
        found = list(walk.places(sources))
        self._strict = len(sources) == 1 and len(found) == 1 and found[0].single
        for place in found:
            self._options.meter.expect(place.size)
        for place in found:
            for name, error in place.unread:
                self._skip(name, error)
            if place.single:
                yield from self._single(place.files[0])
            elif place.files or not place.holds_more:
                yield from self._several(place)
            for folder, name in place.maildirs:
                mails = mail.maildir(folder, name, self._options)
                yield Preview(name, "Maildir"), self._guarded(mails, name)
        if not self._n_read and (self._errors or self._options.skipped):
            raise self._nothing()

    def _nothing(self) -> ImportSourceError:
        if not self._errors:  # the file could be read, but none of what is in it
            return ImportSourceError(self._options.skipped[0].why)
        first, *more = self._errors
        if not more:
            return first
        told = f"Nothing of {len(self._errors)} can be read; the first: "
        return ImportSourceError(within(told, first.notice))

    def _skip(self, name: str, error: ImportSourceError, size: int = 0) -> None:
        self._errors.append(error)
        self._options.skip(name, error.notice)
        self._options.meter.passed(size)

    def _single(self, file: ImportFile) -> _Found:
        try:
            importer = _importer(file) or _unknown(file)
        except ImportStoppedError:
            raise
        except ImportSourceError as error:
            self._skip(file.name, error, file.size)
            return
        yield Preview(file.name, importer.title), self._documents(importer, file)

    def _several(self, place: walk.Place) -> _Found:
        """Yield the files of a folder or archive whose format is known.

        Where an export lies, what lies beside and below it are its attachments.
        """
        n_errors = len(self._errors)
        known = list(self._known(place.files))
        exports = {
            PurePosixPath(file.name).parent
            for file, importer in known
            if (importer.is_export and importer not in (mail.IMPORTER, whatsapp.IMPORTER))
            or (importer is whatsapp.IMPORTER and file.path.suffix.lower() == walk.ARCHIVE)
        }
        if place.nested and not any(importer.is_export for _, importer in known):
            why = f"{place.title} is an archive without an export; give it by name to import it."
            size = sum(file.size for file, _ in known)
            self._skip(place.title, ImportSourceError(why), size)
            return
        for file, importer in known:
            beside = not exports.isdisjoint(PurePosixPath(file.name).parents)
            if not importer.is_export and (beside or place.nested):
                self._options.left_out["files beside an export, which may be attached to it"] += 1
                self._options.meter.passed(file.size)
                continue
            yield Preview(file.name, importer.title), self._documents(importer, file)
        if not known and len(self._errors) == n_errors and not place.holds_more:
            self._skip(place.title, _no_file(place))

    def _known(self, files: Iterable[ImportFile]) -> Iterator[tuple[ImportFile, Importer]]:
        """Yield those of `files` whose format is known, and note what of the others matters."""
        for file in files:
            if file.suffix not in walk.SUFFIXES:
                continue
            try:
                if not file.size:
                    raise ImportSourceError(f"{file} is empty; choose another file.")
                importer = _importer(file)
            except ImportStoppedError:
                raise
            except ImportSourceError as error:
                self._skip(file.name, error, file.size)
                continue
            if importer is not None:
                yield file, importer
            else:
                self._options.left_out["files of unknown format"] += 1
                self._options.meter.passed(file.size)

    def _documents(self, importer: Importer, file: ImportFile) -> Iterator[ImportedDocument]:
        return self._guarded(self._metered(importer, file), file.name)

    def _metered(self, importer: Importer, file: ImportFile) -> Iterator[ImportedDocument]:
        try:
            watched = replace(file, meter=self._options.meter)
            if importer is not mail.IMPORTER:  # each part of a mail has an encoding of its own
                watched = encoding.readable(watched, self._options)
            yield from importer.documents(watched, self._options)
        finally:
            self._options.meter.passed(file.size)

    def _guarded(
        self, documents: Iterator[ImportedDocument], name: str
    ) -> Iterator[ImportedDocument]:
        """Yield `documents`; an error among or in them is noted, and costs no other file."""
        if self._strict:
            yield from self._counted(documents)
            return
        try:
            for document in documents:
                self._n_read += 1
                yield replace(document, chunks=self._chunks(document, name))
        except ImportStoppedError:
            raise
        except ImportSourceError as error:
            self._skip(name, error)

    def _counted(self, documents: Iterator[ImportedDocument]) -> Iterator[ImportedDocument]:
        for document in documents:
            self._n_read += 1
            yield document

    def _chunks(self, document: ImportedDocument, name: str) -> Iterator[ImportedChunk]:
        anything = False
        try:
            for chunk in document.chunks:
                anything = True
                yield chunk
        except ImportStoppedError:
            raise
        except ImportSourceError as error:
            document.damage.why = error.notice
            self._n_read -= not anything
            self._skip(name, error)


def _unknown(file: ImportFile) -> Importer:
    """Return the importer of text for a file that no format claims, unless it is JSON."""
    if file.suffix == ".json" and file.head().strip():
        raise ImportSourceError(
            f"{file} is JSON, but not an export of ChatGPT, Claude or Telegram; convert it to "
            'JSONL with one {"role", "content"} a line.'
        )
    return text.IMPORTER


def _no_file(place: walk.Place) -> ImportSourceError:
    if not place.files:
        return ImportSourceError(
            f"{place.title} has no file to import; put one there that ends in one of: "
            f"{', '.join(walk.SUFFIXES)}."
        )
    return ImportSourceError(
        f"{place.title} has no file in a format that can be imported.", Remedy.LIST_FORMATS
    )
