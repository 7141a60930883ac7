"""The profiles of a home: their names, where they lie, which one is in use, and destroying one."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from ondevice.errors import (
    ProfileDamagedError,
    ProfileError,
    ProfileNotFoundError,
    or_meant,
)
from ondevice.ground.files import private_folder, sync_folder, write_atomic
from ondevice.home import Home
from ondevice.remedies import Notice, Remedy
from ondevice.store.access import keys
from ondevice.store.working_folder import clear_workplaces, former_place

DEFAULT_NAME = "default"
DATABASE_NAME = "profile.db"
WIPED_NAME = "wiped"  # lies in a profile's folder when its keys were destroyed on purpose
PATIENCE_SECONDS = 1.0  # for another process, before it is said what is waited for

_NAME = re.compile(r"[^\W_][\w-]{0,63}")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)")  # devices on Windows


def check_name(name: str) -> str:
    """Return `name` if it can be a profile's.

    Raises:
        ProfileError: it has other characters than letters, digits, `_` and `-`, or is too long.
    """
    if not _NAME.fullmatch(name) or _RESERVED.fullmatch(name):
        raise ProfileError(
            f"'{name}' cannot be the name of a profile; use up to 64 letters, digits, '_' and '-'."
        )
    return name


def exists(home: Home, name: str) -> bool:
    """Whether there is a profile called `name`."""
    return keys.keys_path(home, name).exists()


def list_profiles(home: Home) -> list[str]:
    """Return the names of all profiles, sorted."""
    if not home.profiles.is_dir():
        return []
    names = (folder.name for folder in home.profiles.iterdir())
    return sorted(name for name in names if _NAME.fullmatch(name) and exists(home, name))


def profile_in_use(home: Home) -> str:
    """Return the name that `use_profile` chose, or "default"."""
    try:
        return check_name(_pointer(home).read_text(encoding="utf-8").strip())
    except FileNotFoundError:
        return DEFAULT_NAME
    except (OSError, UnicodeDecodeError, ProfileError) as error:
        raise ProfileError(
            f"{_pointer(home)} does not name a profile.", Remedy.CHOOSE_PROFILE
        ) from error


def use_profile(home: Home, name: str) -> None:
    """Make `name` the profile that is opened when none is named.

    Raises:
        ProfileNotFoundError: there is none of that name.
    """
    if not exists(home, check_name(name)):
        raise not_found(home, name)
    write_atomic(_pointer(home), name.encode() + b"\n")


def wipe_profile(home: Home, name: str) -> None:
    """Destroy a profile without opening it: first its keys, then every file.

    Raises:
        ProfileNotFoundError: there is none of that name.
    """
    if not (home.profile(check_name(name)).exists() or former_place(home, name).exists()):
        raise not_found(home, name)
    with exclusive(home, name):
        destroy(home, name)


def destroy(home: Home, name: str) -> None:
    """Destroy a profile; call it `exclusive`ly."""
    folder, former = home.profile(name), former_place(home, name)
    if former.exists():  # left by a restore that was interrupted: it must not come back
        keys.shred_wraps(former / keys.KEYS_NAME)
        shutil.rmtree(former)
    keys.shred(home, name)
    if folder.exists():
        with contextlib.suppress(OSError):  # a full disk
            write_atomic(folder / WIPED_NAME, b"")
        shutil.rmtree(folder)
    clear_workplaces(home.profiles)
    sync_folder(home.profiles)
    if _pointer(home).exists() and profile_in_use(home) == name:
        _pointer(home).unlink()


def check_place(home: Home, name: str) -> None:
    """Check that nothing of a profile is lost if its folder, without `keys.json`, is deleted.

    What a wipe or a creation left that was interrupted may go. A database whose keys are missing
    for another reason can be read again when they come back, such as from a backup of the disk.

    Raises:
        ProfileDamagedError: there is such a database.
    """
    if has_database(home, name) and not (home.profile(name) / WIPED_NAME).exists():
        raise ProfileDamagedError(
            f"{keys.keys_path(home, name)} is missing, without which nobody can read the profile "
            f"'{name}'; restore that file from a backup.",
            Remedy.WIPE_PROFILE(name=name),
        )


def has_database(home: Home, name: str) -> bool:
    """Whether the profile has a database that is not empty."""
    try:
        return (home.profile(name) / DATABASE_NAME).stat().st_size > 0
    except FileNotFoundError:
        return False


def stamp(path: Path) -> tuple[int, int]:
    """Return what changes when the file is replaced; zeros if it is gone."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0, 0
    return status.st_ino, status.st_mtime_ns


def _pointer(home: Home) -> Path:
    return home.config / "profile"


def not_found(home: Home, name: str) -> ProfileNotFoundError:
    """Return the error that there is no profile called `name`."""
    return ProfileNotFoundError(
        or_meant(f"There is no profile called '{name}'", name, list_profiles(home)),
        Remedy.LIST_PROFILES,
    )


@contextlib.contextmanager
def exclusive(home: Home, name: str, warn: Callable[[str], None] | None = None) -> Iterator[None]:
    """Keep other processes from making the profile, or changing its keys, at the same time.

    One of them may be asking somebody for a passphrase: after a moment `warn` is called with a
    sentence that says so.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(private_folder(home.profiles) / f".{name}.lock", mode=0o600)
    try:
        held = lock.acquire(timeout=PATIENCE_SECONDS)
    except Timeout:
        (warn or keys.silent)(
            Notice(
                f"Another ondevice is making the profile '{name}' or changing its keys, and may be "
                "asking for a passphrase in its terminal; this one waits until that is done.",
                Remedy.WAIT,
            )
        )
        held = lock.acquire()
    with held:
        yield
