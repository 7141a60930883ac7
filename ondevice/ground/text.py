"""Text files, line by line: UTF-8 with or without a byte order mark, JSON Lines; visible text."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from ondevice.errors import ImportSourceError, explain

JSON_LINES = (".jsonl", ".ndjson")

# A line longer than this is not what a person wrote; reading on would fill the memory.
MAX_LINE_BYTES = 8 * 1024 * 1024


_CONTROL = re.compile(r"(?!\r?\n|\t)[\x00-\x1f\x7f-\x9f]")


def visible(text: str) -> str:
    """Return `text` with control characters written out, as `\\x1b`: a terminal obeys them.

    What was imported, or what a model says, could otherwise repaint the screen, rename the window
    or write into the clipboard.
    """
    return _CONTROL.sub(lambda control: f"\\x{ord(control[0]):02x}", text)


def lines_of(
    file: BinaryIO, name: str, bad: Callable[[int, ImportSourceError], None] | None = None
) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text, without its end, of each line.

    Args:
        file: opened for reading bytes, at its beginning.
        name: how errors call it.
        bad: called with the number of a line that is no text, which is passed over, and why.

    Raises:
        ImportSourceError: the file cannot be read or, without `bad`, is not UTF-8 text.
    """
    number = 0
    while raw := _raw_line(file, name):
        number += 1
        if number == 1:
            raw = raw.removeprefix(codecs.BOM_UTF8)
        try:
            line = _decoded(raw, f"{name}, line {number}")
        except ImportSourceError as error:
            if bad is None:
                raise
            bad(number, error)
            while len(raw) > MAX_LINE_BYTES and not raw.endswith(b"\n"):  # what is left of it
                raw = _raw_line(file, name)
            continue
        yield number, line


def _raw_line(file: BinaryIO, name: str) -> bytes:
    try:
        return file.readline(MAX_LINE_BYTES + 1)
    except OSError as error:
        raise ImportSourceError(f"{name} cannot be read: {explain(error)}.") from error


def _decoded(raw: bytes, place: str) -> str:
    if len(raw) > MAX_LINE_BYTES:
        raise ImportSourceError(
            f"{place}: the line is longer than {MAX_LINE_BYTES >> 20} MB; check that this is text, "
            "and break it up."
        )
    try:
        line = raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ImportSourceError(
            f"{place}: this is not UTF-8 text; convert the file first, or choose another one."
        ) from error
    if "\0" in line:
        raise ImportSourceError(
            f"{place}: this is not text but a binary file; choose another file."
        )
    return line


def json_lines(lines: Iterable[tuple[int, str]], name: str) -> Iterator[tuple[str, object]]:
    """Yield the value of each line that is not empty, with the place that errors name.

    Raises:
        ImportSourceError: a line is not JSON.
    """
    for number, line in lines:
        if not line.strip():
            continue
        place = f"{name}, line {number}"
        try:
            yield place, json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ImportSourceError(
                f"{place}: this is not JSON; correct or delete the line."
            ) from error
