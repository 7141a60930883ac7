"""Encryption of files that carry traces of personal text: adapters and training checkpoints.

A sealed file is `magic (8 bytes) | nonce (12 bytes) | AES-256-GCM ciphertext and tag`.
The magic and what the file is about are authenticated with it, so that it can
neither be altered nor be exchanged for another one.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ondevice.ground.files import sync_folder

NONCE_BYTES = 12


class Sealer:
    """Encrypts and decrypts whole files with one key, for one purpose."""

    def __init__(self, key: bytes, magic: bytes, about: bytes = b"") -> None:
        """Seal with the 256-bit `key`; `about` says what the file belongs to."""
        self._cipher = AESGCM(key)
        self._magic = magic
        self._about = magic + about

    def seal(self, content: bytes) -> bytes:
        """Return `content` encrypted."""
        nonce = os.urandom(NONCE_BYTES)
        return self._magic + nonce + self._cipher.encrypt(nonce, content, self._about)

    def unseal(self, sealed: bytes) -> bytes:
        """Return the content of a sealed file.

        Raises:
            ValueError: it was altered, belongs to something else, or the key is another.
        """
        head = len(self._magic) + NONCE_BYTES
        nonce, body = sealed[len(self._magic) : head], sealed[head:]
        if sealed[: len(self._magic)] != self._magic or len(nonce) != NONCE_BYTES:
            raise ValueError("not a sealed file of this kind")
        try:
            return self._cipher.decrypt(nonce, body, self._about)
        except InvalidTag as error:
            raise ValueError("the authentication tag does not fit") from error


def shred(path: Path) -> None:
    """Overwrite and delete a file; one that is not there is no error.

    Overwriting is a courtesy on disks that write elsewhere; what may remain there is encrypted.
    So a file that cannot be overwritten, such as on a full disk of that kind, is deleted as it is.

    Raises:
        OSError: it cannot be deleted.
    """
    with contextlib.suppress(FileNotFoundError):
        with contextlib.suppress(OSError), path.open("r+b") as file:
            left = path.stat().st_size
            while left > 0:
                left -= file.write(os.urandom(min(left, 1 << 20)))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
        sync_folder(path.parent)
