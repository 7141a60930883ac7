"""Files that a browser sent, kept until they are imported, and never in clear on a disk.

They may be larger than the memory, and archives are read from their end: so they go to a
temporary file, encrypted (AES-256-GCM in blocks) with a random key that only this process has in
its memory. Where the system allows it the file has no name; what a crash leaves nobody can read.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

BLOCK_BYTES = 1 << 16
_TAG_BYTES = 16


class Spool:
    """One file: written once from its beginning, then opened for reading as often as needed."""

    def __init__(self) -> None:
        """Begin an empty file with a key of its own."""
        self._file = tempfile.TemporaryFile(prefix="ondevice-", buffering=0)  # noqa: SIM115
        self._cipher = AESGCM(AESGCM.generate_key(256))
        self._lock = threading.Lock()
        self._held = bytearray()
        self._blocks = 0
        self._digest = hashlib.sha256()
        self.size = 0  # bytes
        self.n_read = 0  # bytes that were read so far, in all openings together
        self.before_read: Callable[[], None] = _nothing  # called before each block; may raise

    def write(self, data: bytes) -> None:
        """Append `data`.

        Raises:
            OSError: the disk is full.
        """
        self._held += data
        self._digest.update(data)
        self.size += len(data)
        while len(self._held) >= BLOCK_BYTES:
            self._put(bytes(self._held[:BLOCK_BYTES]))
            del self._held[:BLOCK_BYTES]

    def finish(self) -> None:
        """Write what is held back; nothing can be appended any more."""
        if self._held:
            self._put(bytes(self._held))
        self._held.clear()

    def sha256(self) -> str:
        """Return the SHA-256 of what was written, in hexadecimal digits."""
        return self._digest.hexdigest()

    def open(self) -> BinaryIO:
        """Return a file that reads from the beginning and can be moved about in."""
        return cast("BinaryIO", io.BufferedReader(_Reader(self), BLOCK_BYTES))

    def close(self) -> None:
        """Let the file and its key go."""
        self._file.close()

    def block(self, number: int) -> bytes:
        """Return a block, decrypted; empty behind the last one.

        Raises:
            OSError: it was altered, or the file was closed.
        """
        self.before_read()
        try:
            with self._lock:
                self._file.seek(number * (BLOCK_BYTES + _TAG_BYTES))
                sealed = self._file.read(BLOCK_BYTES + _TAG_BYTES)
            if not sealed:
                return b""
            plain = self._cipher.decrypt(_nonce(number), sealed, None)
        except (ValueError, InvalidTag) as error:
            raise OSError(0, "it is gone or was altered") from error
        self.n_read += len(plain)
        return plain

    def _put(self, plain: bytes) -> None:
        sealed = self._cipher.encrypt(_nonce(self._blocks), plain, None)
        while sealed:
            sealed = sealed[self._file.write(sealed) :]
        self._blocks += 1


class _Reader(io.RawIOBase):
    """A place in a spool."""

    def __init__(self, spool: Spool) -> None:
        super().__init__()
        self._spool = spool
        self._at = 0
        self._number, self._plain = -1, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._spool.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        number, begin = divmod(self._at, BLOCK_BYTES)
        if number != self._number:
            self._number, self._plain = number, self._spool.block(number)
        piece = self._plain[begin : begin + len(view)]
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")


def _nothing() -> None:
    """Let the reading go on."""
