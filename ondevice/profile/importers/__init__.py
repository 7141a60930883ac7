"""Files of other programs, read piece by piece.

`read` walks the given paths and yields one document a file.  A document's
chunks are read from the file as they are asked for, so that a file of any
size needs little memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ondevice.errors import ImportSourceError
from ondevice.profile.importers import jsonl, markdown, text
from ondevice.profile.importers.document import ImportedChunk, ImportedDocument, hash_of

__all__ = ["ImportedChunk", "ImportedDocument", "read"]

Reader = Callable[[Path], Iterator[ImportedChunk]]

READERS: dict[str, Reader] = {
    ".md": markdown.chunks,
    ".markdown": markdown.chunks,
    ".txt": text.chunks,
    ".text": text.chunks,
    ".jsonl": jsonl.chunks,
    ".ndjson": jsonl.chunks,
}


def read(paths: Iterable[Path]) -> Iterator[ImportedDocument]:
    """Yield the documents at `paths`, in a fixed order.

    A file given by name is read whatever its suffix (as text, if it is unknown). In folders,
    searched to the bottom, only files with a known suffix are read; hidden files and folders,
    such as `.obsidian`, are skipped.

    Raises:
        ImportSourceError: a path is missing, a folder has nothing to import, or a file is empty
            or no text. Errors inside a file come while its chunks are iterated.
    """
    for path in [Path(path) for path in paths]:
        if path.is_dir():
            files = list(_files_below(path))
            if not files:
                known = ", ".join(sorted(READERS))
                raise ImportSourceError(f"The folder {path} has no file to import ({known}).")
            for file in files:
                if file.stat().st_size:  # an empty note in a folder is no mistake
                    yield _document(file, file.relative_to(path).as_posix())
        elif path.is_file():
            yield _document(path, path.name)
        elif path.exists():
            raise ImportSourceError(f"{path} is neither a file nor a folder, so it is no import.")
        else:
            raise ImportSourceError(f"There is no file or folder {path}.")


def _document(path: Path, name: str) -> ImportedDocument:
    reader = READERS.get(path.suffix.lower(), text.chunks)
    return ImportedDocument(name, hash_of(path), reader(path))


def _files_below(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise ImportSourceError(f"The folder {folder} cannot be read.") from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_symlink() and entry.is_dir():
            continue  # it may lead out of the folder, or round in a circle
        if entry.is_dir():
            yield from _files_below(entry)
        elif entry.is_file() and entry.suffix.lower() in READERS:
            yield entry
