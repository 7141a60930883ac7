"""Changing what opens a profile: passphrase, keyring, recovery code; locking and unlocking.

Each change replaces `keys.json` in one step, so that a process that dies leaves the old
state or the new one.  Keys that the new state needs are written before it, and keys that
it no longer needs are destroyed after it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ondevice.errors import ProfileError, ProfileLockedError
from ondevice.home import Home
from ondevice.remedies import Remedy
from ondevice.store.access import keys, recovery
from ondevice.store.access import passphrase as phrases
from ondevice.store.access.keyring_store import SystemKeyring

if TYPE_CHECKING:
    from ondevice.store.profile import Profile


def ways_in(home: Home, name: str) -> list[str]:
    """Return what opens a profile: "passphrase", "recovery", "keyring", "file"."""
    return keys.Wraps.read(keys.keys_path(home, name)).kinds()


def set_passphrase(profile: Profile, passphrase: str, *, cost: phrases.Cost | None = None) -> None:
    """Let a passphrase open the profile, instead of an earlier one and of a key file.

    A key in the keyring stays; `remove_keyring` takes it away.

    Raises:
        ProfileLockedError: the profile was locked, or the passphrase is empty.
    """
    if not passphrase:
        raise ProfileLockedError("An empty passphrase protects nothing; choose another.")
    data_key = profile.data_key
    with _changing(profile, "passphrase set") as wraps:
        new = keys.passphrase_wrap(data_key, wraps.profile_id, passphrase, cost or phrases.Cost())
        wraps.wraps = [*wraps.without("passphrase", "file"), new]
    keys.shred_file(keys.key_file(profile.home, profile.name))


def remove_passphrase(profile: Profile, *, warn: Callable[[str], None] | None = None) -> None:
    """Open without a passphrase: by the keyring, or by a key file where there is none.

    Raises:
        ProfileError: there is no passphrase.
    """
    data_key = profile.data_key
    with _changing(profile, "passphrase removed") as wraps:
        if not wraps.of_kind("passphrase"):
            raise ProfileError(
                f"The profile '{profile.name}' has no passphrase to remove.", Remedy.SHOW_KEYS
            )
        left = wraps.without("passphrase")
        if not any(wrap["kind"] in ("keyring", "file") for wrap in left):
            stored = SystemKeyring.find()
            new: dict[str, Any] | None = None
            if stored is not None:
                new = keys.wrap_in_keyring(stored, data_key, wraps.profile_id, warn or keys.silent)
            left.append(
                new
                or keys.file_wrap(
                    data_key, wraps.profile_id, profile.home, profile.name, warn or keys.silent
                )
            )
        wraps.wraps = left


def add_keyring(profile: Profile, *, warn: Callable[[str], None] | None = None) -> None:
    """Let the system's keyring open the profile too, and no key file any more.

    Raises:
        ProfileError: there is no keyring here, or it refuses.
    """
    stored = SystemKeyring.find()
    if stored is None:
        raise ProfileError("There is no system keyring that answers.", Remedy.KEYRING)
    data_key = profile.data_key
    with _changing(profile, "keyring added") as wraps:
        new = keys.wrap_in_keyring(stored, data_key, wraps.profile_id, warn or keys.silent)
        if new is None:
            raise ProfileError(
                "The system keyring refused the key, so nothing was changed; unlock the "
                "keyring and try again."
            )
        wraps.wraps = [*wraps.without("keyring", "file"), new]
    keys.shred_file(keys.key_file(profile.home, profile.name))


def remove_keyring(profile: Profile) -> None:
    """Open with the passphrase or the recovery code only.

    Raises:
        ProfileError: nothing else would open it; nothing was changed.
    """
    with _changing(profile, "keyring removed") as wraps:
        _drop(wraps, "keyring", "the keyring", profile.name)
        profile_id = wraps.profile_id
    _delete_from_keyring(profile_id)


def new_recovery_code(profile: Profile) -> str:
    """Return a new recovery code, which opens the profile instead of an earlier code.

    It is kept nowhere: who loses it makes a new one.
    """
    code = recovery.new_code()
    data_key = profile.data_key
    with _changing(profile, "recovery code made") as wraps:
        new = keys.recovery_wrap(data_key, wraps.profile_id, code)
        wraps.wraps = [*wraps.without("recovery"), new]
    return code


def remove_recovery_code(profile: Profile) -> None:
    """Let no recovery code open the profile.

    Raises:
        ProfileError: nothing else would open it; nothing was changed.
    """
    with _changing(profile, "recovery code removed") as wraps:
        _drop(wraps, "recovery", "the recovery code", profile.name)


def _drop(wraps: keys.Wraps, kind: str, what: str, name: str) -> None:
    """Take one way in away, unless it is the only one."""
    left = wraps.without(kind)
    if not left:
        raise ProfileError(f"Only {what} opens the profile '{name}'; set a passphrase first.")
    wraps.wraps = left


def lock(home: Home, name: str, *, warn: Callable[[str], None] | None = None) -> None:
    """Lock a profile without opening it: no command and no running program can read it any more.

    Programs that have it open lose it at their next look. The keys in the keyring and in a key
    file are destroyed: only the passphrase or the recovery code opens it, by `unlock`.

    Raises:
        ProfileNotFoundError: there is none of that name.
        ProfileError: it has neither passphrase nor recovery code; nothing was changed.
    """
    with _reading(home, name, warn) as (path, wraps):
        left = wraps.without("keyring", "file")
        if not left:
            raise ProfileError(
                f"The profile '{name}' has no passphrase, so nobody could unlock it again.",
                Remedy.SET_PASSPHRASE(name=name),
            )
        keys.Wraps(wraps.profile_id, left, locked=True).write(path)
        if wraps.of_kind("keyring"):
            _delete_from_keyring(wraps.profile_id)
        keys.shred_file(keys.key_file(home, name))


def unlock(
    home: Home,
    name: str,
    ask_passphrase: Callable[[], str] | None,
    *,
    warn: Callable[[str], None] | None = None,
    typed: bool = False,
) -> None:
    """Unlock a profile with its passphrase or recovery code.

    Args:
        home: where things live.
        name: of the profile.
        ask_passphrase: asks the person.
        warn: is called with a sentence about what is waited for.
        typed: only what `ask_passphrase` returns counts, whatever else would open it.

    Raises:
        ProfileNotFoundError: there is none of that name.
        ProfileLockedError: the passphrase is wrong, or nobody can be asked.
    """
    with _reading(home, name, warn) as (path, wraps):
        keys.unlock(home, name, ask_passphrase=ask_passphrase, even_locked=True, typed=typed)
        wraps.locked = False
        wraps.write(path)


@contextlib.contextmanager
def _changing(profile: Profile, what: str) -> Iterator[keys.Wraps]:
    """Yield the wraps of an open profile, and write them when the block ends without an error."""
    with _reading(profile.home, profile.name) as (path, wraps):
        if wraps.locked:
            raise ProfileLockedError(f"The profile '{profile.name}' is locked; unlock it first.")
        yield wraps
        # First: if the disk were full afterwards, nobody would learn of a new recovery code.
        profile.journal.note("keys", change=what)
        wraps.write(path)


@contextlib.contextmanager
def _reading(
    home: Home, name: str, warn: Callable[[str], None] | None = None
) -> Iterator[tuple[Any, keys.Wraps]]:
    from ondevice.store.profiles import check_name, exclusive, exists, not_found

    if not exists(home, check_name(name)):
        raise not_found(home, name)
    with exclusive(home, name, warn):
        path = keys.keys_path(home, name)
        for left in path.parent.glob(f".{path.name}.*.part"):  # by a process that died
            left.unlink(missing_ok=True)
        yield path, keys.Wraps.read(path)


def _delete_from_keyring(profile_id: str) -> None:
    stored = SystemKeyring.find()
    if stored is not None:
        stored.delete(profile_id)
