"""Folders for a while, in which copies of a profile are put together, unpacked and exchanged.

What lies there is encrypted, but forgetting does not reach it.  So each folder is held by a lock:
one that a process left when it died is nobody's any more, and goes at the next opportunity.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from ondevice.ground.files import sync_folder
from ondevice.home import Home
from ondevice.store.access import keys

_PREFIX = ".transfer-"


@contextlib.contextmanager
def workplace(parent: Path) -> Iterator[Path]:
    """Yield a new owner-only folder in `parent`, deleted at the end unless it was moved away."""
    clear_workplaces(parent)
    folder = parent / f"{_PREFIX}{secrets.token_hex(8)}"
    with _held(folder):
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def clear_workplaces(parent: Path) -> None:
    """Delete the folders in `parent` that belong to processes that died."""
    from filelock import Timeout

    for folder in parent.glob(f"{_PREFIX}*"):
        if folder.is_dir():
            # On a disk that can only be read nothing is held, and nothing goes.
            with contextlib.suppress(Timeout, OSError), _held(folder):
                keys.shred_file(folder / keys.KEYS_NAME)
                shutil.rmtree(folder, ignore_errors=True)
    for lock in parent.glob(f"{_PREFIX}*.lock"):  # of a process that died at the very end
        if not (folder := lock.with_suffix("")).exists():
            with contextlib.suppress(Timeout, OSError), _held(folder):
                pass


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    from filelock import FileLock

    lock = folder.with_name(f"{folder.name}.lock")
    with FileLock(lock, timeout=0, mode=0o600):
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                lock.unlink()


def replace_profile(home: Home, name: str, folder: Path) -> None:
    """Put `folder` in the place of a profile, and destroy what was there; call it `exclusive`ly.

    Raises:
        OSError: it cannot be done; the former profile is in its place.
    """
    place, former = home.profile(name), former_place(home, name)
    if place.exists():
        place.rename(former)
    try:
        folder.rename(place)
    except BaseException:
        put_back(home, name)
        raise
    sync_folder(home.profiles)
    put_back(home, name)


def put_back(home: Home, name: str) -> None:
    """End a replacement that was interrupted: without the new profile the former one comes back."""
    place, former = home.profile(name), former_place(home, name)
    if not former.exists():
        return
    if place.exists():
        keys.shred_file(former / keys.KEYS_NAME)
        shutil.rmtree(former)
    else:
        former.rename(place)
    sync_folder(home.profiles)


def former_place(home: Home, name: str) -> Path:
    """Return where a profile lies for the moment in which a restored one takes its place."""
    return home.profiles / f".replaced-{name}"
