"""JSON of any size, element by element.

`ijson` wraps YAJL, a streaming parser in C: it reads faster than `json.load`,
and needs the memory of one element.
"""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ondevice.errors import ImportSourceError, explain
from ondevice.importers.document import ImportFile
from ondevice.importers.surrogates import Whole

# An element longer than this is no conversation of a person.
MAX_ELEMENT_BYTES = 64 * 1024 * 1024
# The parser remembers the path to where it is: a million brackets would fill the memory.
MAX_OPEN = 2000
BLOCK_BYTES = 4096  # read at once: no more brackets than this can come unseen


def elements(source: ImportFile, left_out: Counter[str]) -> Iterator[Any]:
    """Yield the elements of a top-level list; count in `left_out` what had to be replaced.

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
                raise broken(source, error, f"after {count} conversations") from error
            except OSError as error:
                raise ImportSourceError(f"{source} cannot be read: {explain(error)}.") from error
            count += 1
            meter.restart()
            yield element


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
    what = "is cut off" if ended else "is damaged: it is no valid JSON"
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
            raise ImportSourceError(
                f"{self._source} has a single element of more than {MAX_ELEMENT_BYTES >> 20} "
                "MB, which is no conversation; choose another file."
            )
        return block
