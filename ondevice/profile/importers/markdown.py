"""Markdown notes: paragraphs under their headings.

Front matter (a block between `---` lines at the start) is metadata and not
text.  A heading is not a chunk of its own: it is the context of what follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ondevice.errors import ImportSourceError
from ondevice.profile.importers.document import ImportedChunk, lines_of
from ondevice.profile.importers.text import MAX_PARAGRAPH

_HEADING = re.compile(r" {0,3}(#{1,6})\s+(.*?)(?:\s+#+)?\s*$")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_FIELD = re.compile(r"([\w-]+)\s*:\s*(.*)")
_SEPARATOR = " › "


def chunks(path: Path) -> Iterator[ImportedChunk]:
    """Yield the paragraphs of a Markdown file, each with the headings above it as context.

    Raises:
        ImportSourceError: the file cannot be read, is not UTF-8 text, or says nothing.
    """
    metadata, lines = _front_matter(lines_of(path))
    headings: list[tuple[int, str]] = []
    paragraph: list[str] = []
    fence: str | None = None
    said, length = False, 0

    def flush() -> Iterator[ImportedChunk]:
        if paragraph:
            text = "\n".join(paragraph)
            context = _SEPARATOR.join(title for _, title in headings) or None
            paragraph.clear()
            yield ImportedChunk(text, context=context, metadata=metadata)

    for line in lines:
        heading = None if fence else _HEADING.match(line)
        mark = _FENCE.match(line)
        if mark is not None:  # inside a fence '#' is a comment and an empty line parts nothing
            if fence is None:
                fence = mark[1]
            elif mark[1].startswith(fence):
                fence = None
        ends = heading is not None or (not line.strip() and fence is None)
        if not ends:
            paragraph.append(line.rstrip())
            length += len(line)
        if ends or length >= MAX_PARAGRAPH:
            said, length = said or bool(paragraph), 0
            yield from flush()
        if heading is not None:
            level = len(heading[1])
            headings = [pair for pair in headings if pair[0] < level]
            headings.append((level, heading[2].strip()))
    said = said or bool(paragraph)
    yield from flush()
    if not said:
        # A note that is only headings still says something.
        if not headings:
            raise ImportSourceError(f"{path} holds no text.")
        yield ImportedChunk(_SEPARATOR.join(title for _, title in headings), metadata=metadata)


def _front_matter(
    numbered: Iterator[tuple[int, str]],
) -> tuple[dict[str, str], Iterator[str]]:
    """Return the fields of the front matter and the lines after it."""
    metadata: dict[str, str] = {}
    held: list[str] = []
    for number, line in numbered:
        held.append(line)
        if number == 1:
            if line.rstrip() != "---":
                break
            continue
        if line.rstrip() in ("---", "..."):
            return metadata, (rest for _, rest in numbered)
        if found := _FIELD.match(line):
            metadata[found[1].lower()] = found[2].strip().strip("\"'")
        if number > 200:  # nobody closes it: it was a rule, not front matter
            break
    return {}, _chain(held, numbered)


def _chain(held: list[str], numbered: Iterator[tuple[int, str]]) -> Iterator[str]:
    yield from held
    for _, line in numbered:
        yield line
