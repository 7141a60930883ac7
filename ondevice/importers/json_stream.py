"""JSON of any size, element by element.

`ijson` wraps YAJL, a streaming parser in C: it reads faster than `json.load`,
and needs the memory of one element.
"""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ondevice.errors import ImportSourceError, explain
from ondevice.importers.document import ImportFile
from ondevice.importers.surrogates import BROKEN, REPLACEMENT, Whole

# An element longer than this is no conversation of a person.
MAX_ELEMENT_BYTES = 64 * 1024 * 1024
# The parser remembers the path to where it is: a million brackets would fill the memory.
MAX_OPEN = 2000
SPLIT_BYTES = 1 << 20
_MOST_SPACE = 100  # between elements
_TOKEN = re.compile(rb'"(?:[^"\\]+|\\.)*+"|[\[\]{},"]', re.DOTALL)
BLOCK_BYTES = 4096  # read at once: no more brackets than this can come unseen


@dataclass(frozen=True)
class BrokenElement:
    """Stands where an element is that is no valid JSON; `why` says so."""

    why: str = "it is not valid JSON."


def elements(source: ImportFile, left_out: Counter[str]) -> Iterator[Any]:
    """Yield the elements of a top-level list; count in `left_out` what had to be replaced.

    A `BrokenElement` stands for one that cannot be read while others after it can.

    Raises:
        ImportSourceError: the file cannot be read, is no JSON, or is cut off.
    """
    import ijson

    count = 0
    with source.open() as file:
        meter = _Meter(Whole(file, left_out), source)
        found = ijson.items(meter, "item", use_float=True, buf_size=BLOCK_BYTES)
        while True:
            try:
                element = next(found)
            except StopIteration:
                return
            except (ijson.JSONError, UnicodeDecodeError, ValueError, RecursionError) as error:
                yield from _rest(source, count, left_out, error)
                return
            except OSError as error:
                raise ImportSourceError(f"{source} cannot be read: {explain(error)}.") from error
            count += 1
            meter.restart()
            yield element


def _rest(
    source: ImportFile, count: int, left_out: Counter[str], error: Exception
) -> Iterator[Any]:
    """Yield the elements after the first `count`, of which one is broken, as `error` says.

    Raises:
        ImportSourceError: it is the last thing that can be told from the rest.
    """
    ended = False
    held: list[BrokenElement] = []  # they are only yielded if something sound follows
    with source.open() as file:
        for number, raw in enumerate(_split(Whole(file, Counter()), source)):
            if raw is None:
                ended = True
            elif number >= count:
                try:
                    value = json.loads(raw)
                except (ValueError, RecursionError):
                    held.append(BrokenElement())
                    continue
                count = number + 1
                yield from held
                held = []
                if replaced := raw.count(REPLACEMENT):
                    left_out[BROKEN] += replaced
                yield value
    if not ended or (held and not count):
        raise broken(source, error, f"after {count} conversations") from error
    yield from held


def _split(file: Whole, source: ImportFile) -> Iterator[bytes | None]:
    """Yield the elements of a top-level list as they stand; None when its end was reached."""
    data, at, begin = b"", 0, 0
    opened: list[int] = []
    while block := file.read(SPLIT_BYTES):
        data, at, begin = data[begin:] + block, at - begin, 0
        while (token := _TOKEN.search(data, at)) is not None:
            mark, start = token[0], token.start()
            if mark == b'"':  # the text goes on in the next block
                at = start
                break
            at = token.end()
            was_inside = len(opened) > 1
            starts_anew = mark == b"{" and _lacks_end(opened, data, start)
            if starts_anew:
                del opened[1:]
            _follow(opened, mark)
            if not opened or starts_anew or (mark == b"," and len(opened) == 1):
                end = data.rindex(b",", 0, start) if starts_anew else start
                if element := data[begin:end].strip():
                    yield element
                begin = start if starts_anew else at
            elif mark == b"[" and len(opened) == 1 and not was_inside:
                begin = at
            if not opened:
                yield None
                return
        else:
            at = len(data)
        if len(data) - begin > MAX_ELEMENT_BYTES or len(opened) > MAX_OPEN:
            raise _too_much(source)


def _lacks_end(opened: list[int], data: bytes, start: int) -> bool:
    """Whether the element before the brace at `start` was never closed.

    In an object a name stands after a comma, and never a brace.
    """
    inside = len(opened) > 1 and opened[-1] == ord("{")
    return inside and data[max(0, start - _MOST_SPACE) : start].rstrip().endswith(b",")


def _follow(opened: list[int], mark: bytes) -> None:
    """Keep account of the brackets that are open; one that closes another kind closes both."""
    if mark in (b"[", b"{"):
        opened.append(mark[0])
    elif mark in (b"]", b"}"):
        partner = ord("[") if mark == b"]" else ord("{")
        at = len(opened) - 1
        while at > 0 and opened[at] != partner:
            at -= 1
        if at > 0 or (opened == [partner]):
            del opened[at:]


def events(source: ImportFile, ends: str, left_out: Counter[str]) -> Iterator[tuple[str, str, Any]]:
    """Yield (prefix, event, value) as `ijson.parse` does; `ends` is the prefix of an element.

    What had to be replaced is counted in `left_out`.

    Raises:
        ImportSourceError: the file cannot be read, is no JSON, or is cut off.
    """
    import ijson

    with source.open() as file:
        meter = _Meter(Whole(file, left_out), source)
        found = ijson.parse(meter, use_float=True, buf_size=BLOCK_BYTES)
        while True:
            try:
                event = next(found)
            except StopIteration:
                return
            except (ijson.JSONError, UnicodeDecodeError, ValueError, RecursionError) as error:
                raise broken(source, error, "before its end") from error
            except OSError as error:
                raise ImportSourceError(f"{source} cannot be read: {explain(error)}.") from error
            if event[1] == "end_map" and event[0].endswith(ends):
                meter.restart()
            yield event


def broken(source: ImportFile, error: Exception, where: str) -> ImportSourceError:
    """Return the sentence for JSON that cannot be read to its end."""
    ended = any(word in str(error) for word in ("premature EOF", "ncomplete", "parse error: unal"))
    what = "is cut off" if ended else "is damaged: it is not valid JSON"
    return ImportSourceError(
        f"{source} {what} {where}, and what came before is kept; export it again for the rest."
    )


class _Meter:
    """Passes bytes on and stops when one element takes too many, or goes too deep."""

    def __init__(self, file: Whole, source: ImportFile) -> None:
        self._file = file
        self._source = source
        self._first = True
        self.restart()

    def restart(self) -> None:
        """Note that an element has ended."""
        self._n_bytes = self._n_open = 0

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(size)
        if self._first and block:
            block, self._first = block.removeprefix(codecs.BOM_UTF8), False
        self._n_bytes += len(block)
        self._n_open += (
            block.count(b"[") + block.count(b"{") - block.count(b"]") - block.count(b"}")
        )
        if self._n_open > MAX_OPEN:
            raise ImportSourceError(
                f"{self._source} is nested too deeply to be an export; choose another file."
            )
        if self._n_bytes > MAX_ELEMENT_BYTES:
            raise _too_much(self._source)
        return block


def _too_much(source: ImportFile) -> ImportSourceError:
    return ImportSourceError(
        f"{source} has a single element of more than {MAX_ELEMENT_BYTES >> 20} MB, which is not a "
        "conversation; choose another file."
    )
