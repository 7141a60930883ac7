"""Halves of characters: JSON writes an emoji as two escapes, and programs lose one of them.

`\\ud83d\\ude00` is a character; each of the two alone is none, and a strict parser refuses the
whole file because of it.  Here the replacement character takes its place.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import BinaryIO

BROKEN = "broken characters, replaced by �"
REPLACEMENT = b"\\ufffd"

_HIGH = rb"u[dD][89abAB][0-9a-fA-F]{2}"
_LOW = rb"u[dD][c-fC-F][0-9a-fA-F]{2}"
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")  # a half, or half of a whole one
# What may be a half: quick to look for, and in hardly any block. (Of two backslashes before a `u`
# the first one may make the second one mean itself.)
_SUSPECT = re.compile(
    rb"\\(?:%b(?!\\%b)|%b(?<!\\%b\\%b)|\\%b)" % (_HIGH, _LOW, _LOW, _HIGH, _LOW, _HIGH)
)
_ESCAPE = re.compile(rb"\\(?:%b\\%b|(%b|%b)|.)" % (_HIGH, _LOW, _HIGH, _LOW), re.DOTALL)
_WHOLE_ESCAPE = re.compile(rb"\\(?:(%b)|u[0-9a-fA-F]{4}|[^u])|[^\\]+" % _HIGH, re.DOTALL)
_LONGEST = 12  # bytes of a pair of escapes
_HALF = re.compile("[\ud800-\udfff]")


class Whole:
    """A JSON file, read in blocks in which no escape is half a character."""

    def __init__(self, file: BinaryIO, left_out: Counter[str]) -> None:
        """Read from `file`, and count in `left_out` what is replaced."""
        self._file, self._left_out = file, left_out
        self._held = b""  # the beginning of an escape that goes on in the next block

    def read(self, size: int = -1) -> bytes:
        """Return about `size` bytes, b"" at the end."""
        block = self._file.read(size)
        data = self._held + block
        end = _end(data) if block else len(data)
        self._held = data[end:]
        data = data[:end]
        if _SURROGATE.search(data) and _SUSPECT.search(data):
            data = _ESCAPE.sub(self._whole, data)
        if block and not data:  # a block of a few bytes, all of them held
            return self.read(size)
        return data

    def _whole(self, escape: re.Match[bytes]) -> bytes:
        if escape[1] is None:
            return escape[0]
        self._left_out[BROKEN] += 1
        return REPLACEMENT


def _end(data: bytes) -> int:
    """Return up to where `data`, which begins outside of an escape, holds whole characters."""
    at = data.find(b"\\", max(0, len(data) - _LONGEST))
    if at < 0:
        return len(data)
    while at and data[at - 1] == ord("\\"):  # of a row of them every other one begins an escape
        at -= 1
    high = None
    while at < len(data) and (found := _WHOLE_ESCAPE.match(data, at)) is not None:
        high = at if found[1] else None
        at = found.end()
    return at if high is None else high


def whole(text: str, left_out: Counter[str]) -> str:
    """Return `text`, of JSON that Python has read, without halves; they are counted."""
    whole_text, count = _HALF.subn("\ufffd", text)
    if count:
        left_out[BROKEN] += count
    return whole_text
