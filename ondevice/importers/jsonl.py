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
    MAX_REMARKS,
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
    `time` is optional: seconds since 1970 or ISO 8601 (UTC unless it says otherwise). A line that
    is no such message is noted in the options as skipped.

    Raises:
        ImportSourceError: the file cannot be read, or no line is such a message.
    """
    wrong: list[
        tuple[int, ImportSourceError]
    ] = []  # before the first message: perhaps all of them are
    said = False

    def skip(number: int, error: ImportSourceError) -> None:
        if said:
            options.skip(f"{path.name}, line {number}", error.notice)
        elif len(wrong) < MAX_REMARKS:
            wrong.append((number, error))

    for number, line in lines_of(path, bad=skip):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            ((_, value),) = json_lines([(number, line)], str(path))
            chunk = _message(value, place, options)
        except ImportSourceError as error:
            skip(number, error)
            continue
        if not said:
            said = True
            for at, why in wrong:
                skip(at, why)
        if chunk.text.strip():
            yield chunk
    if not said:
        if wrong:
            raise wrong[0][1]
        raise ImportSourceError(f"{path} holds no messages; choose another file.")


def _message(value: object, place: str, options: ImportOptions) -> ImportedChunk:
    """Return what a line says.

    Raises:
        ImportSourceError: it is no message.
    """
    if not isinstance(value, dict):
        raise ImportSourceError(
            f"{place}: this is not a message; write a JSON object with 'role' and 'content'."
        )
    content, role = value.get("content"), value.get("role")
    if not isinstance(content, str) or not isinstance(role, str) or not role.strip():
        raise ImportSourceError(
            f"{place}: the message lacks 'role' or 'content'; write both, as text."
        )
    moment = _time(value.get("time"), place)
    speaker = value.get("speaker", value.get("name"))
    if not isinstance(speaker, str):
        speaker = None if role in ROLES else role
    if options.is_me(speaker):
        role, speaker = "user", None
    elif speaker is not None:
        speaker = speaker_name(speaker)
    content = whole(content, options.left_out)
    return ImportedChunk(content, role if role in ROLES else None, moment, speaker)


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
        f"{place}: 'time' is not a time; write seconds since 1970, or a date such as "
        "2024-05-01T18:30:00Z."
    )


IMPORTER = Importer("jsonl", "JSON Lines", lambda file, _: file.suffix in JSON_LINES, documents)
