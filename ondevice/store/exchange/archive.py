"""The format of exports and backups: one file, encrypted, of which not a byte can be altered.

    magic (8) | length of the keys (4, big-endian) | keys, as in `keys.json` | salt (16) | chunks

The chunks are a tar stream in pieces of 1 MiB, each AES-256-GCM with its number and whether it
is the last as the nonce, and with everything before the chunks as associated data.  The key is
derived from the profile's data key and the salt.  A piece that is missing, exchanged or cut off
fails its authentication.
"""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ondevice.errors import ProfileDamagedError
from ondevice.store.access import keys

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

MAGIC = b"ODPROFL1"
CHUNK_BYTES = 1 << 20
_TAG_BYTES = 16
_MOST_KEYS = 1 << 16


class ArchiveWriter(io.RawIOBase):
    """Encrypts what is written to it; `finish` writes the last chunk."""

    def __init__(self, file: BinaryIO, wraps: keys.Wraps, data_key: bytes) -> None:
        """Write to `file`, to be opened by what opens `wraps`."""
        self._file = file
        content, salt = wraps.json(), os.urandom(16)
        head = MAGIC + len(content).to_bytes(4, "big") + content + salt
        file.write(head)
        self._cipher, self._about = _cipher(data_key, salt), hashlib.sha256(head).digest()
        self._buffer = bytearray()
        self._number = 0

    def writable(self) -> bool:
        """It can be written."""
        return True

    def write(self, data: Buffer) -> int:
        """Encrypt `data` as soon as a chunk is full."""
        view = memoryview(data)
        self._buffer += view
        while len(self._buffer) > CHUNK_BYTES:
            self._put(bytes(self._buffer[:CHUNK_BYTES]), last=False)
            del self._buffer[:CHUNK_BYTES]
        return view.nbytes

    def finish(self) -> None:
        """Write the last chunk; without it the archive is refused."""
        self._put(bytes(self._buffer), last=True)
        self._buffer.clear()

    def _put(self, chunk: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._number, last), chunk, self._about))
        self._number += 1


class ArchiveReader(io.RawIOBase):
    """Decrypts an archive from its beginning to its end."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        """Read the head of the archive that `file`, at `path`, is.

        Raises:
            ProfileDamagedError: it is no archive, cut off, or of a newer version.
        """
        self._file, self._path = file, path
        head = file.read(len(MAGIC) + 4)
        if head[: len(MAGIC)] != MAGIC:
            raise ProfileDamagedError(
                f"{path} is not an export or a backup of a profile; give a file that was written "
                "as one."
            )
        length = int.from_bytes(head[len(MAGIC) :], "big")
        content, self._salt = file.read(min(length, _MOST_KEYS)), file.read(16)
        if length > _MOST_KEYS or len(content) != length or len(self._salt) != 16:
            raise self._damaged()
        self.wraps = keys.Wraps.parse(content, path)
        self._about = hashlib.sha256(head + content + self._salt).digest()
        self._cipher: AESGCM | None = None
        self._plain, self._number, self._ended = b"", 0, False
        self._ahead = file.read(CHUNK_BYTES + _TAG_BYTES)

    def unlock(self, data_key: bytes) -> None:
        """Use `data_key` from now on."""
        self._cipher = _cipher(data_key, self._salt)

    def readable(self) -> bool:
        """It can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next `size` bytes, or all that is left.

        Raises:
            ProfileDamagedError: the archive was altered or is cut off.
        """
        pieces, wanted = [], size if size >= 0 else 1 << 62
        while wanted > 0:
            if not self._plain and not self._next():
                break
            piece, self._plain = self._plain[:wanted], self._plain[wanted:]
            pieces.append(piece)
            wanted -= len(piece)
        return b"".join(pieces)

    def _next(self) -> bool:
        """Decrypt the next chunk. Returns whether there was one."""
        if self._ended:
            return False
        assert self._cipher is not None
        sealed, self._ahead = self._ahead, self._file.read(CHUNK_BYTES + _TAG_BYTES)
        self._ended = not self._ahead
        try:
            nonce = _nonce(self._number, self._ended)
            self._plain = self._cipher.decrypt(nonce, sealed, self._about)
        except InvalidTag as error:
            raise self._damaged() from error
        self._number += 1
        return True

    def _damaged(self) -> ProfileDamagedError:
        return ProfileDamagedError(
            f"{self._path} is cut off or was altered, so nothing was changed; copy it again, "
            "or use another one."
        )


def _cipher(data_key: bytes, salt: bytes) -> AESGCM:
    return AESGCM(keys.derive(data_key, f"archive/{salt.hex()}"))


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
