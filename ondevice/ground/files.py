"""Durable and private file writes.

A file is never half-written: the bytes go to a temporary file in the same
folder, are synced, renamed over the target, and the folder is synced.
Files are owner-only (0600) and folders 0700 from the moment they exist.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_PART = re.compile(r"\..+\.[a-z0-9_]{8}\.part")  # what `atomic_writer` calls a temporary file
_SETTLED_SECONDS = 60.0  # on Windows a file that was just closed is about to be renamed


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
    descriptor, temporary = _new_part(path)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if os.name != "nt":
                temporary.replace(path)  # still held: nobody takes it for a dead process's
        if os.name == "nt":  # where an open file cannot be renamed
            temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a write that fails does not say of which file
        raise
    sync_folder(path.parent)


def _new_part(path: Path) -> tuple[int, Path]:
    """Return a new temporary file beside `path`, held for as long as it is open, mode 0600."""
    while True:
        descriptor, name = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=".part", dir=path.parent
        )
        if hold(descriptor) is not False and os.fstat(descriptor).st_nlink:
            return descriptor, Path(name)
        os.close(descriptor)  # somebody who clears up was faster
        Path(name).unlink(missing_ok=True)


def hold(descriptor: int) -> bool | None:
    """Hold an open file or folder until it is closed, or the process dies.

    Returns:
        False if somebody else holds it; None if the system or the disk knows no such locks.
    """
    try:
        import fcntl
    except ImportError:  # Windows, which does not let an open file be deleted
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def clear_parts(folder: Path, name: str | None = None) -> bool:
    """Delete what processes that died have half written in `folder`, or of the file `name` there.

    Returns:
        Whether nothing of it is left: what a living process writes stays.
    """
    cleared = True
    try:
        entries = [entry for entry in os.scandir(folder) if _PART.fullmatch(entry.name)]
    except OSError:
        return True
    for entry in entries:
        if name is None or entry.name[: -len(".12345678.part")] == f".{name}":
            cleared &= _clear_part(Path(entry.path))
    return cleared


def _clear_part(path: Path) -> bool:
    try:
        if os.name == "nt":
            if time.time() - path.stat().st_mtime > _SETTLED_SECONDS:
                path.unlink()
            return not path.exists()
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            if hold(descriptor) is not True:
                return False
            path.unlink()
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return True
    except OSError:  # a disk that can only be read, or a file that is open on Windows
        return False
    return True


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
