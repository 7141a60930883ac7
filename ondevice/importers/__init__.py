"""Files of other programs, read piece by piece.

`read` walks the given paths, recognises the formats by their content, and
yields documents.  A document's chunks are read from the file as they are asked
for, so that a file of any size needs little memory.  `preview` tells what
`read` would yield, and what is left out and why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from ondevice.errors import ImportSourceError, explain
from ondevice.importers import (
    archive,
    chatgpt,
    claude,
    jsonl,
    mail,
    markdown,
    memories,
    telegram,
    text,
    whatsapp,
)
from ondevice.importers.document import (
    DATES_UNCLEAR,
    ImportedChunk,
    ImportedDocument,
    Importer,
    ImportFile,
    ImportOptions,
    on_disk,
)
from ondevice.importers.meter import Meter

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
_SUFFIXES = (".md", ".markdown", ".txt", ".text", ".jsonl", ".ndjson", ".json", ".mbox", ".mbx")


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


def read(
    paths: Iterable[Path | ImportFile], options: ImportOptions | None = None
) -> Iterator[ImportedDocument]:
    """Yield the documents at `paths`, in a fixed order; an `ImportFile` need not be on disk.

    A file given by name is read whatever its suffix (as text, if it is unknown). In folders and
    zip archives, searched to the bottom, only files of known formats are read; hidden files and
    folders, such as `.obsidian`, are skipped.

    Raises:
        ImportSourceError: a path is missing, a folder has nothing to import, or a file is empty,
            damaged or no text. Errors inside a file come while its chunks are iterated.
    """
    options = options or ImportOptions()
    for _, documents in _files(paths, options):
        yield from documents


def preview(
    paths: Iterable[Path | ImportFile], options: ImportOptions | None = None
) -> Iterator[Preview]:
    """Yield, file by file, what `read` would take from `paths`; nothing is stored.

    Raises:
        ImportSourceError: as `read`, but not where it is only not known who the person is.
    """
    said = options or ImportOptions()
    options = replace(said, must_know_me=False, left_out=Counter())
    counted: Counter[str] = Counter()
    for shown, documents in _files(paths, options):
        for document in documents:
            shown.documents += 1
            for chunk in document.chunks:
                _count(shown, chunk)
        shown.left_out = dict(options.left_out - counted)
        counted = options.left_out.copy()
        shown.senders, options.senders = options.senders, Counter()
        yield shown
    if rest := options.left_out - counted:  # files that were passed over after the last one
        yield Preview("", "other files", left_out=dict(rest))


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
    head = file.head()
    return next((importer for importer in IMPORTERS if importer.recognises(file, head)), None)


def _files(
    paths: Iterable[Path | ImportFile], options: ImportOptions
) -> Iterator[tuple[Preview, Iterator[ImportedDocument]]]:
    """Yield each file with what is in it, not read yet."""
    sources = [path if isinstance(path, ImportFile) else Path(path) for path in paths]
    for path in sources:
        options.meter.expect(_size(path))
    for path in sources:
        if isinstance(path, ImportFile):
            yield from _one(path, options)
        elif path.is_dir():
            if mail.is_maildir(path):
                yield Preview(str(path), "Maildir"), mail.maildir(path, path.name, options)
                continue
            files, maildirs = list(_files_below(path)), list(_maildirs_below(path))
            if files or not maildirs:
                yield from _several(files, f"The folder {path}", options)
            for folder in maildirs:
                name = folder.relative_to(path).as_posix()
                yield Preview(name, "Maildir"), mail.maildir(folder, name, options)
        elif path.is_file():
            yield from _one(on_disk(path), options)
        elif path.exists():
            raise ImportSourceError(f"{path} is neither a file nor a folder; give one of these.")
        else:
            raise ImportSourceError(f"There is no file or folder {path}; check the path.")


def _one(
    file: ImportFile, options: ImportOptions
) -> Iterator[tuple[Preview, Iterator[ImportedDocument]]]:
    if file.suffix == ".zip":
        yield from _several(archive.members(file), str(file), options)
    else:
        importer = _importer(file) or _unknown(file)
        yield Preview(file.name, importer.title), _metered(importer, file, options)


def _size(source: Path | ImportFile) -> int:
    """Return the bytes of `source` that would be read, or passed over; 0 if there is nothing."""
    if isinstance(source, ImportFile):
        file = source
    elif source.is_dir():
        if mail.is_maildir(source):
            return mail.size_of_maildir(source)
        below = sum(one.size for one in _files_below(source))
        return below + sum(mail.size_of_maildir(folder) for folder in _maildirs_below(source))
    elif source.is_file():
        file = on_disk(source)
    else:
        return 0
    if file.suffix == ".zip":
        return sum(one.size for one in archive.members(file) if one.suffix in _SUFFIXES)
    return file.size


def _metered(
    importer: Importer, file: ImportFile, options: ImportOptions
) -> Iterator[ImportedDocument]:
    yield from importer.documents(replace(file, meter=options.meter), options)
    options.meter.passed(file.size)


def _unknown(file: ImportFile) -> Importer:
    """Return the importer of text for a file that no format claims, unless it is JSON."""
    if file.suffix == ".json" and file.head().strip():
        raise ImportSourceError(
            f"{file} is JSON, but no export of ChatGPT, Claude or Telegram; convert it to JSONL "
            'with one {"role", "content"} a line.'
        )
    return text.IMPORTER


def _several(
    files: Sequence[ImportFile], place: str, options: ImportOptions
) -> Iterator[tuple[Preview, Iterator[ImportedDocument]]]:
    """Yield the files of a folder or archive whose format is known.

    Where an export lies, what lies beside and below it are its attachments.
    """
    known: list[tuple[ImportFile, Importer]] = []
    for file in files:
        if file.suffix in _SUFFIXES and (importer := _importer(file)) is not None:
            known.append((file, importer))
        elif file.suffix in _SUFFIXES:
            options.left_out["files of unknown format"] += 1
            options.meter.passed(file.size)
    exports = {
        PurePosixPath(file.name).parent
        for file, importer in known
        if (importer.is_export and importer not in (mail.IMPORTER, whatsapp.IMPORTER))
        or (importer is whatsapp.IMPORTER and file.path.suffix.lower() == ".zip")
    }
    if not known and not files:
        raise ImportSourceError(
            f"{place} has no file to import; put one there that ends in one of: "
            f"{', '.join(_SUFFIXES)}."
        )
    for file, importer in known:
        if not importer.is_export and not exports.isdisjoint(PurePosixPath(file.name).parents):
            options.left_out["files beside an export, which may be attached to it"] += 1
            options.meter.passed(file.size)
            continue
        yield Preview(file.name, importer.title), _metered(importer, file, options)
    if not known:
        raise ImportSourceError(
            f"{place} has no file in a format that can be imported; `ondevice import --help` "
            "lists them."
        )


def _files_below(folder: Path, top: Path | None = None) -> Iterator[ImportFile]:
    top = top or folder
    for entry in _entries(folder):
        if entry.is_dir():
            if not mail.is_maildir(entry):
                yield from _files_below(entry, top)
        elif _leads_out(entry, top):
            continue  # whoever drops a folder here does not mean what lies elsewhere
        elif entry.is_file() and entry.suffix.lower() in _SUFFIXES and entry.stat().st_size:
            yield on_disk(entry, entry.relative_to(top).as_posix())  # an empty note is no mistake


def _leads_out(entry: Path, top: Path) -> bool:
    if not entry.is_symlink():
        return False
    try:
        return not entry.resolve().is_relative_to(top.resolve())
    except (OSError, RuntimeError):  # it leads round in a circle
        return True


def _maildirs_below(folder: Path) -> Iterator[Path]:
    for entry in _entries(folder, hidden=mail.is_maildir(folder)):
        if entry.is_dir():
            if mail.is_maildir(entry):
                yield entry
            yield from _maildirs_below(entry)


def _entries(folder: Path, *, hidden: bool = False) -> list[Path]:
    """Return what is in a folder, without hidden things and links that may lead out or round."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise ImportSourceError(f"The folder {folder} cannot be read: {explain(error)}.") from error
    return [
        entry
        for entry in entries
        if (hidden or not entry.name.startswith("."))
        and not (entry.is_symlink() and entry.is_dir())
    ]
