"""Plain text: paragraphs, parted by empty lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ondevice.errors import ImportSourceError
from ondevice.profile.importers.document import ImportedChunk, lines_of

MAX_PARAGRAPH = 20_000  # characters; a text without empty lines is parted here


def chunks(path: Path) -> Iterator[ImportedChunk]:
    """Yield the paragraphs of a text file.

    Raises:
        ImportSourceError: the file cannot be read, is not UTF-8 text, or says nothing.
    """
    paragraph: list[str] = []
    length, said = 0, False
    for _, line in lines_of(path):
        if line.strip():
            paragraph.append(line.rstrip())
            length += len(line)
        if paragraph and (not line.strip() or length >= MAX_PARAGRAPH):
            said = True
            yield ImportedChunk("\n".join(paragraph))
            paragraph, length = [], 0
    if paragraph:
        yield ImportedChunk("\n".join(paragraph))
    elif not said:
        raise ImportSourceError(f"{path} holds only empty lines.")
