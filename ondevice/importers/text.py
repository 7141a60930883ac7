"""Plain text: stretches of paragraphs, as the author parted them by empty lines."""

from __future__ import annotations

from collections.abc import Iterator

from ondevice.errors import ImportSourceError
from ondevice.importers.document import (
    ImportedChunk,
    ImportedDocument,
    Importer,
    ImportFile,
    ImportOptions,
    lines_of,
)

# Characters. A stretch ends at the first empty line after so many, or anywhere after twice as many.
MAX_STRETCH = 20_000


def documents(file: ImportFile, options: ImportOptions) -> Iterator[ImportedDocument]:
    """Yield a text file."""
    yield ImportedDocument(file.name, file.sha256(), chunks(file), file.identity)


def chunks(path: ImportFile) -> Iterator[ImportedChunk]:
    """Yield a text file in stretches of whole paragraphs.

    Raises:
        ImportSourceError: the file cannot be read, is not UTF-8 text, or says nothing.
    """
    stretch, said = Stretch(), False
    for _, line in lines_of(path):
        stretch.add(line)
        if stretch.is_full(at_gap=not line.strip()):
            said = True
            yield ImportedChunk(stretch.take())
    if text := stretch.take():
        yield ImportedChunk(text)
    elif not said:
        raise ImportSourceError(f"{path} holds only empty lines; choose another file.")


class Stretch:
    """Lines that are collected until there are enough of them."""

    def __init__(self) -> None:
        """Start without lines."""
        self._lines: list[str] = []
        self._length = 0

    def add(self, line: str) -> None:
        """Append a line."""
        self._lines.append(line.rstrip())
        self._length += len(line)

    def is_full(self, *, at_gap: bool) -> bool:
        """Whether to end here; `at_gap` says that the author parted the text here."""
        return self._length >= (MAX_STRETCH if at_gap else 2 * MAX_STRETCH)

    def take(self) -> str:
        """Return the lines without empty ones at both ends, and start anew."""
        text = "\n".join(self._lines).strip("\n")
        self._lines, self._length = [], 0
        return text


IMPORTER = Importer("text", "text", lambda file, _: file.suffix in (".txt", ".text"), documents)
