"""How far the reading of files has come, for progress bars with the time left.

How many messages a file holds is not known before its end, so bytes are counted.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

BUFFER_BYTES = 64 * 1024  # read at once, so a bar runs ahead of what is stored by no more
CHECKED_BYTES = 64 << 20  # whoever waits for the check of a smaller file hardly notices


class Meter:
    """Counts the bytes that importers read.

    A large file is gone through once before it is imported, to know whether it was imported
    already; meanwhile `checking` holds, and `done` and `total` are of this file alone.

    Attributes:
        done: bytes read of what is imported, or checked.
        total: bytes of all of it; 0 while unknown.
        checking: whether a file is being checked.
    """

    def __init__(self, changed: Callable[[], None] | None = None) -> None:
        """Start at zero; `changed` is called whenever something was read."""
        self.checking = False
        self.changed = changed
        self._total = self._checked_total = 0
        self._passed = self._at = 0

    @property
    def done(self) -> int:  # noqa: D102
        return self._at if self.checking else self._passed + self._at

    @property
    def total(self) -> int:  # noqa: D102
        return self._checked_total if self.checking else self._total

    def expect(self, size: int) -> None:
        """Note that `size` bytes will be read, or passed over."""
        self._total += size

    def passed(self, size: int) -> None:
        """Note that a file of `size` bytes is done with."""
        self._passed, self._at, self.checking = self._passed + size, 0, False
        self._tell()

    def watch(self, file: BinaryIO, size: int, *, check: bool) -> BinaryIO:
        """Return `file`, of `size` bytes, so that what is read of it is counted.

        Args:
            file: opened for reading bytes, at its beginning.
            size: bytes.
            check: it is read through only to be checked.
        """
        if check and size < CHECKED_BYTES:
            return file
        self.checking, self._checked_total, self._at = check, size, 0
        return cast("BinaryIO", io.BufferedReader(_Watched(file, self._read), BUFFER_BYTES))

    def _read(self, count: int) -> None:
        self._at += count
        self._tell()

    def _tell(self) -> None:
        if self.changed is not None:
            self.changed()


class _Watched(io.RawIOBase):
    """A file that tells how much was read of it."""

    def __init__(self, file: BinaryIO, told: Callable[[int], None]) -> None:
        super().__init__()
        self._file, self._told = file, told

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer).cast("B")
        read = self._file.read(view.nbytes)
        view[: len(read)] = read
        self._told(len(read))
        return len(read)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
