"""Markdown notes: the text under each heading.

Front matter (a block between `---` lines at the start) is metadata and not
text; its `date` or `created` is the note's time.  A heading is not a chunk of
its own: it is the context of what follows.  Of Obsidian's links the words that
a reader sees are kept; embedded files and comments are not text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from ondevice.errors import ImportSourceError
from ondevice.importers.document import (
    ImportedChunk,
    ImportedDocument,
    Importer,
    ImportFile,
    ImportOptions,
    lines_of,
)
from ondevice.importers.text import Stretch

# Each of these looks at a character once, or a fixed number of times, whatever a line holds.
_HEADING = re.compile(r" {0,3}(#{1,6})\s+(.*)")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_FIELD = re.compile(r"([\w-]+)\s*:\s*(.*)")
_EMBED = re.compile(r"!\[\[[^\[\]\n]{0,500}\]\]")
_WIKILINK = re.compile(
    r"\[\[([^\[\]|#\n]{0,500})(?:#\^?([^\[\]|\n]{0,500}))?(?:\|([^\[\]\n]{0,500}))?\]\]"
)
_COMMENT = re.compile(r"%%.*?%%", re.DOTALL)
_BLOCK_ID = re.compile(r"(?m)(?<![ \t])[ \t]+\^[\w-]+$")
_SEPARATOR = " › "


def documents(file: ImportFile, options: ImportOptions) -> Iterator[ImportedDocument]:
    """Yield a note."""
    yield ImportedDocument(file.name, file.sha256(), chunks(file), file.identity)


def chunks(path: ImportFile) -> Iterator[ImportedChunk]:
    """Yield the sections of a Markdown file, each with the headings above it as context.

    Raises:
        ImportSourceError: the file cannot be read, is not UTF-8 text, or says nothing.
    """
    metadata, lines = _front_matter(lines_of(path))
    time = _time(metadata)
    headings: list[tuple[int, str]] = []
    section, said = Stretch(), False
    fence: str | None = None

    def context() -> str | None:
        return _SEPARATOR.join(title for _, title in headings) or None

    for line in lines:
        heading = None if fence else _HEADING.match(line)
        mark = _FENCE.match(line)
        if mark is not None:  # inside a fence '#' is a comment and an empty line parts nothing
            if fence is None:
                fence = mark[1]
            elif mark[1].startswith(fence):
                fence = None
        if heading is None:
            section.add(line)
        gap = not line.strip() and fence is None
        ends = heading is not None or section.is_full(at_gap=gap)
        if ends and (text := readable(section.take())):
            said = True
            yield ImportedChunk(text, time=time, context=context(), metadata=metadata)
        if heading is not None:
            headings = [pair for pair in headings if pair[0] < len(heading[1])]
            headings.append((len(heading[1]), readable(_title(heading[2]))))
    if text := readable(section.take()):
        yield ImportedChunk(text, time=time, context=context(), metadata=metadata)
    elif not said:
        # A note that is only headings still says something.
        if not headings:
            raise ImportSourceError(f"{path} holds no text; choose another file.")
        yield ImportedChunk(
            _SEPARATOR.join(title for _, title in headings), time=time, metadata=metadata
        )


def _title(text: str) -> str:
    """Return a heading without the marks that may close it: `Roses ##`."""
    text = text.strip()
    open_end = text.rstrip("#")
    return open_end.rstrip() if not open_end or open_end[-1].isspace() else text


def readable(text: str) -> str:
    """Return Markdown with Obsidian's own marks as a reader sees them."""
    text = _COMMENT.sub("", _EMBED.sub("", text))
    text = _WIKILINK.sub(lambda link: (link[3] or link[1] or link[2] or "").strip(), text)
    return _BLOCK_ID.sub("", text).strip("\n")


def _time(metadata: dict[str, str]) -> float | None:
    for name in ("date", "created"):
        try:
            return datetime.fromisoformat(metadata[name]).timestamp()
        except (KeyError, ValueError, OverflowError):
            continue
    return None


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


IMPORTER = Importer(
    "markdown", "Markdown", lambda file, _: file.suffix in (".md", ".markdown"), documents
)
