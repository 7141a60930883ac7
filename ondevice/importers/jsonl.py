"""Conversations as JSON Lines: `{"role": …, "content": …, "time": …}`, one message a line."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from ondevice.errors import ImportSourceError
from ondevice.ground.text import JSON_LINES, json_lines
from ondevice.importers.document import (
    ImportedChunk,
    ImportedDocument,
    Importer,
    ImportFile,
    ImportOptions,
    lines_of,
    speaker_name,
)
from ondevice.importers.surrogates import whole

ROLES = ("user", "assistant", "system")
MOST_SECONDS = 6e10  # before and after 1970: the years 69 to 3871


def documents(file: ImportFile, options: ImportOptions) -> Iterator[ImportedDocument]:
    """Yield a conversation."""
    yield ImportedDocument(file.name, file.sha256(), chunks(file, options), file.identity)


def chunks(path: ImportFile, options: ImportOptions) -> Iterator[ImportedChunk]:
    """Yield the messages of a JSON Lines file.

    `role` is one of "user", "assistant", "system", or any name, which is then the speaker;
    `time` is optional: seconds since 1970 or ISO 8601 (UTC unless it says otherwise).

    Raises:
        ImportSourceError: the file cannot be read, or a line is not such a message.
    """
    said = False
    for place, message in json_lines(lines_of(path), str(path)):
        if not isinstance(message, dict):
            raise ImportSourceError(
                f"{place}: this is no message; write a JSON object with 'role' and 'content'."
            )
        content, role = message.get("content"), message.get("role")
        if not isinstance(content, str) or not isinstance(role, str) or not role.strip():
            raise ImportSourceError(
                f"{place}: the message lacks 'role' or 'content'; write both, as text."
            )
        moment = _time(message.get("time"), place)
        content = whole(content, options.left_out)
        speaker = message.get("speaker", message.get("name"))
        if not isinstance(speaker, str):
            speaker = None if role in ROLES else role
        said = True
        if options.is_me(speaker):
            role, speaker = "user", None
        elif speaker is not None:
            speaker = speaker_name(speaker)
        if content.strip():
            yield ImportedChunk(content, role if role in ROLES else None, moment, speaker)
    if not said:
        raise ImportSourceError(f"{path} holds no messages; choose another file.")


def _time(value: Any, place: str) -> float | None:
    if value is None:
        return None
    seconds = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value) if abs(value) < MOST_SECONDS else math.nan
    elif isinstance(value, str):
        with contextlib.suppress(ValueError, OverflowError):
            moment = datetime.fromisoformat(value)
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if abs(seconds) < MOST_SECONDS:
        return seconds
    raise ImportSourceError(
        f"{place}: 'time' is no time; write seconds since 1970, or a date such as "
        "2024-05-01T18:30:00Z."
    )


IMPORTER = Importer("jsonl", "JSON Lines", lambda file, _: file.suffix in JSON_LINES, documents)
