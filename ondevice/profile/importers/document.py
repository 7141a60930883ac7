"""What importers yield, and how they read text without trusting it."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ondevice._files import sha256_of
from ondevice.errors import ImportSourceError

# A line longer than this is not what a person wrote; reading on would fill the memory.
MAX_LINE_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class ImportedChunk:
    """A stretch of a note, or one message of a conversation."""

    text: str
    role: str | None = None  # "user", "assistant" or "system", in conversations
    time: float | None = None  # seconds since 1970
    speaker: str | None = None
    context: str | None = None  # the headings above it, such as "Garden › Roses"
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ImportedDocument:
    """One file; its chunks can be iterated once."""

    name: str
    sha256: str
    chunks: Iterable[ImportedChunk]


def hash_of(path: Path) -> str:
    """Return the SHA-256 of the file, in hexadecimal digits.

    Raises:
        ImportSourceError: it cannot be read or is empty.
    """
    try:
        if path.stat().st_size == 0:
            raise ImportSourceError(f"{path} is empty.")
        return sha256_of(path)
    except OSError as error:
        raise ImportSourceError(f"{path} cannot be read: {error.strerror}.") from error


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text, without its end, of each line.

    Raises:
        ImportSourceError: the file cannot be read or is not UTF-8 text.
    """
    number = 0
    try:
        with path.open("rb") as file:
            while raw := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if number == 1:
                    raw = raw.removeprefix(codecs.BOM_UTF8)
                if len(raw) > MAX_LINE_BYTES:
                    raise ImportSourceError(f"{path}, line {number}: the line is too long.")
                if b"\0" in raw:
                    raise ImportSourceError(
                        f"{path}, line {number}: this is not text but a binary file."
                    )
                yield number, raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ImportSourceError(
            f"{path}, line {number}: this is not UTF-8 text; convert the file first."
        ) from error
    except OSError as error:
        raise ImportSourceError(f"{path} cannot be read: {error.strerror}.") from error
