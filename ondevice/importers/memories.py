"""What another assistant has noted about the person, pasted into a text file.

Its statements become facts that wait for approval: another program wrote them,
so they are no samples of how the person writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from ondevice.importers.document import (
    ImportedChunk,
    ImportedDocument,
    Importer,
    ImportFile,
    ImportOptions,
    lines_of,
)

MEMORY = "memory"  # the role of a statement about the person
MAX_STATEMENT = 500  # characters

_BULLET = re.compile(r"\s*(?:[-*•–]|\d{1,3}[.)])\s+")
_DATE = re.compile(r"\[?(\d{4}-\d{2}-\d{2})\]?\s*[-–:|]\s*")
_ABOUT = re.compile(r"(?i)(?:the )?user(?:['’]s)?\b|(?:name|wohnort|location|occupation)\s*:")


def _statement(line: str) -> tuple[str, float | None]:
    """Return a line without its bullet and date, and the date."""
    bullet = _BULLET.match(line)
    text = line[bullet.end() if bullet else 0 :].strip()
    dated = _DATE.match(text)
    if dated is None:
        return text, None
    try:
        time = datetime.fromisoformat(dated[1]).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return text, None
    return text[dated.end() :].strip(), time


def _recognises(file: ImportFile, head: bytes) -> bool:
    if file.suffix not in (".txt", ".md", ".text", ".markdown", ""):
        return False
    lines = [line for line in head.decode("utf-8", "replace").splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(("#", "```"))]
    about = sum(bool(_ABOUT.match(_statement(line)[0])) for line in lines)
    dated = sum(_statement(line)[1] is not None for line in lines)
    return len(lines) > 0 and (2 * about > len(lines) or (dated == len(lines) > 1))


def documents(file: ImportFile, options: ImportOptions) -> Iterator[ImportedDocument]:
    """Yield the statements of a file.

    Raises:
        ImportSourceError: it cannot be read, or is not text.
    """
    yield ImportedDocument(f"Memories: {file.name}", file.sha256(), _chunks(file, options))


def _chunks(file: ImportFile, options: ImportOptions) -> Iterator[ImportedChunk]:
    for _, line in lines_of(file):
        if line.startswith(("#", "```")) or not line.strip():
            continue
        text, time = _statement(line)
        if len(text) > MAX_STATEMENT:
            options.left_out["statements that are too long"] += 1
        elif text:
            yield ImportedChunk(text, MEMORY, time)


IMPORTER = Importer("memories", "memories of another assistant", _recognises, documents)
