"""Durable and private file writes.

A file is never half-written: the bytes go to a temporary file in the same
folder, are synced, renamed over the target, and the folder is synced.
Files are owner-only (0600) and folders 0700 from the moment they exist.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


def expanded(path: Path) -> Path:
    """Return `path` with the home folder in place of `~`; that of a user who is none stays."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def private_folder(path: Path) -> Path:
    """Create `path` and its missing parents with mode 0700 and return it."""
    missing = []
    folder = path
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for folder in reversed(missing):
        with contextlib.suppress(FileExistsError):  # another process was faster
            folder.mkdir(mode=0o700)
    return path


@contextlib.contextmanager
def atomic_writer(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file that replaces `path` durably when the block ends without an error.

    Raises:
        OSError: the folder cannot be written or the disk is full; `path` is unchanged.
    """
    private_folder(path.parent)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    temporary = Path(name)  # mkstemp creates it with mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a write that fails does not say of which file
        raise
    sync_folder(path.parent)


def write_atomic(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, durably, mode 0600."""
    with atomic_writer(path) as file:
        file.write(content)


def sync_folder(folder: Path) -> None:
    """Make a rename or an unlink in `folder` durable. Windows cannot sync folders: no-op there."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of the file at `path` as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
