"""What processes that died have left of copies of a profile: forgetting must reach it too.

A copy is encrypted with the keys of the profile, so whoever opens the profile can read in it what
was forgotten since. What a living process works on is held by a lock, and stays.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from ondevice.ground.files import clear_parts, hold, private_folder
from ondevice.home import Home
from ondevice.store.working_folder import clear_workplaces, former_place, put_back

# Folders that are made for one copy: only such are ever deleted as a whole.
_MADE_HERE = re.compile(r".+-unfinished-[a-z0-9_]{8}|ondevice-[a-z0-9_]{8}")


def sweep(home: Home, name: str) -> None:
    """Delete what dead processes have left in the folders of the profile `name`, and beside it.

    Where the disk can only be read, nothing happens.
    """
    folder = home.profile(name)
    for place in (home.profiles, folder):
        clear_workplaces(place)
    for place in (home.profiles, folder, folder / "adapters", folder / "certificates"):
        clear_parts(place)
    if former_place(home, name).exists():
        _end_replacement(home, name)


def _end_replacement(home: Home, name: str) -> None:
    """Let the profile go that a restored one has replaced, unless that is going on now."""
    from filelock import FileLock, Timeout

    lock = FileLock(private_folder(home.profiles) / f".{name}.lock", timeout=0, mode=0o600)
    with contextlib.suppress(Timeout, OSError), lock:
        put_back(home, name)


def clear_file(path: Path) -> bool:
    """Delete what is half written of the file `path`. Returns whether nobody is writing it."""
    if not clear_parts(path.parent, path.name):
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return True
    try:
        return hold(descriptor) is not False
    finally:
        os.close(descriptor)


def clear_folder(path: Path) -> bool:
    """Delete a folder that was made for one copy. Returns whether it is gone."""
    if not _MADE_HERE.fullmatch(path.name) or path.is_symlink() or not path.is_dir():
        return True
    if os.name == "nt":  # folders cannot be held there: the person sees it, and what it is called
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        if hold(descriptor) is not True:
            return False
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(descriptor)
    return not path.exists()


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a file or folder while the block runs, so that nobody clears it."""
    if os.name == "nt":
        yield
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        hold(descriptor)
        yield
    finally:
        os.close(descriptor)
