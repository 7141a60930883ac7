"""How the key of a profile is kept.

The data key is 256 random bits.  `keys.json` holds it wrapped (AES-GCM) by one
or more keys: one from a passphrase, one from a recovery code, one in the keyring
of the operating system, or one in a file of the config folder.  Without `keys.json` nobody can
read the profile any more, whatever else they have.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ondevice.errors import ProfileDamagedError, ProfileLockedError, WrongPassphraseError
from ondevice.ground.files import sync_folder, write_atomic
from ondevice.home import Home
from ondevice.remedies import Notice, Remedy
from ondevice.store.access import passphrase as phrases
from ondevice.store.access import recovery
from ondevice.store.access.keyring_store import SystemKeyring

FORMAT = 1
KEYS_NAME = "keys.json"
Ask = phrases.Ask
Warn = Callable[[str], None]


def silent(_: str) -> None:
    """Drop a warning that nobody wants."""


def create(
    home: Home,
    name: str,
    *,
    passphrase: str | None,
    ask_passphrase: Ask | None,
    warn: Warn,
    cost: phrases.Cost | None = None,
) -> bytes:
    """Make a data key for the profile called `name`, write its `keys.json`, and return it.

    The key is wrapped by the passphrase (given, or of `ONDEVICE_PASSPHRASE_FILE`), else by the
    system's keyring, else by a passphrase asked for, else by a key file.

    Raises:
        ProfileLockedError: the passphrase cannot be had.
    """
    secret = passphrase if passphrase is not None else phrases.from_file()
    profile_id, data_key = secrets.token_hex(16), secrets.token_bytes(32)
    wraps: list[dict[str, Any]] = []
    if secret is None:
        wrap = _keyring_wrap(data_key, profile_id, warn)
        if wrap is not None:
            wraps.append(wrap)
        elif ask_passphrase is not None:
            warn("No system keyring here: choose a passphrase for the profile and type it twice.")
            secret = phrases.ask_new(ask_passphrase)
        else:
            wraps.append(file_wrap(data_key, profile_id, home, name, warn))
    if secret is not None:
        wraps.append(passphrase_wrap(data_key, profile_id, secret, cost or phrases.Cost()))
    Wraps(profile_id, wraps).write(keys_path(home, name))
    return data_key


@dataclass
class Wraps:
    """The content of `keys.json`: the data key, wrapped in every way that opens the profile."""

    profile_id: str
    wraps: list[dict[str, Any]]
    locked: bool = False

    @classmethod
    def read(cls, path: Path) -> Wraps:
        """Read the file at `path`.

        Raises:
            ProfileDamagedError: it is damaged, or of a newer version.
            FileNotFoundError: it is not there.
        """
        return cls.parse(path.read_bytes(), path)

    @classmethod
    def parse(cls, content: bytes, path: Path) -> Wraps:
        """Turn the content of the file at `path` into wraps.

        Raises:
            ProfileDamagedError: it is damaged, or of a newer version.
        """
        try:
            values = json.loads(content)
            wraps = values["wraps"]
            if values["format"] > FORMAT:
                raise ProfileDamagedError(
                    f"{path} was written by a newer ondevice; upgrade ondevice."
                )
            if not isinstance(wraps, list) or not all(isinstance(wrap, dict) for wrap in wraps):
                raise _damaged(path)
            return cls(str(values["id"]), wraps, bool(values.get("locked", False)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(path) from error

    def json(self) -> bytes:
        """Return the content of the file."""
        values: dict[str, Any] = {"format": FORMAT, "id": self.profile_id, "wraps": self.wraps}
        if self.locked:
            values["locked"] = True
        return json.dumps(values, indent=1).encode() + b"\n"

    def write(self, path: Path) -> None:
        """Replace the file at `path`; a crash leaves the old one or the new one."""
        write_atomic(path, self.json())

    def kinds(self) -> list[str]:
        """Return what opens the profile: "passphrase", "recovery", "keyring" or "file"."""
        return [str(wrap.get("kind")) for wrap in self.wraps]

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """Return the wraps of one kind."""
        return [wrap for wrap in self.wraps if wrap.get("kind") == kind]

    def without(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the wraps of all other kinds."""
        return [wrap for wrap in self.wraps if wrap.get("kind") not in kinds]


def unlock(
    home: Home,
    name: str,
    *,
    ask_passphrase: Ask | None,
    even_locked: bool = False,
    typed: bool = False,
) -> bytes:
    """Return the data key of the profile called `name`; nothing on disk changes.

    A recovery code does wherever a passphrase is asked for. With `typed` only what the person
    types counts, if a passphrase or code is set: no file and no keyring opens it for them.

    Raises:
        ProfileLockedError: it was locked (unless `even_locked`), the passphrase is wrong, or no
            key can be had.
        ProfileDamagedError: `keys.json` is damaged.
    """
    path = keys_path(home, name)
    kept_wraps = Wraps.read(path)
    if kept_wraps.locked and not even_locked:
        raise ProfileLockedError(f"The profile '{name}' is locked.", Remedy.UNLOCK(name=name))
    return open_wraps(kept_wraps, home, name, path, ask_passphrase=ask_passphrase, typed=typed)


def open_wraps(
    wraps: Wraps,
    home: Home,
    name: str,
    path: Path,
    *,
    ask_passphrase: Ask | None,
    typed: bool = False,
) -> bytes:
    """Return the data key in `wraps`, read from the file at `path`; for `typed` see `unlock`.

    Raises:
        ProfileLockedError: the passphrase is wrong, or no key can be had.
        ProfileDamagedError: the wraps are damaged.
    """
    profile_id = wraps.profile_id
    by_kind = {kind: wraps.of_kind(kind) for kind in wraps.kinds()}
    protected = by_kind.get("passphrase", []) + by_kind.get("recovery", [])
    typed = typed and bool(protected)
    try:
        secret = phrases.from_file() if protected and not typed else None
        # A profile without a passphrase is not closed by one that is still set for another.
        if secret is not None and ("passphrase" in by_kind or recovery.is_code(secret)):
            return _with_passphrase(protected, secret, profile_id, path, name)
        for wrap in [] if typed else by_kind.get("keyring", []):
            stored = SystemKeyring.find()
            kept = stored.get(profile_id) if stored is not None else None
            if kept is not None and (key := _unwrap(wrap, kept, profile_id)) is not None:
                return key
        for wrap in [] if typed else by_kind.get("file", []):
            kept = _read_key_file(key_file(home, name))
            if kept is not None and (key := _unwrap(wrap, kept, profile_id)) is not None:
                return key
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path) from error
    if not protected or ask_passphrase is None:
        raise ProfileLockedError(_what_is_missing(home, name, by_kind))

    def opened(secret: str) -> bytes:  # what goes wrong in asking says nothing of the file
        try:
            return _with_passphrase(protected, secret, profile_id, path, name)
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(path) from error

    return phrases.until_right(ask_passphrase, opened)


def shred(home: Home, name: str) -> None:
    """Destroy every key of the profile called `name`: from then on its data is noise."""
    shred_wraps(keys_path(home, name))
    shred_file(key_file(home, name))


def shred_wraps(path: Path) -> None:
    """Destroy the `keys.json` at `path`, and the key in the keyring that it names."""
    with contextlib.suppress(ProfileDamagedError, FileNotFoundError):
        wraps = Wraps.read(path)
        stored = SystemKeyring.find() if wraps.of_kind("keyring") else None
        if stored is not None:
            stored.delete(wraps.profile_id)
    shred_file(path)


def shred_file(file: Path) -> None:
    """Overwrite and delete a small file, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        size = file.stat().st_size
        with file.open("r+b") as handle:  # in place; a copying file system may keep the old
            handle.write(secrets.token_bytes(size))
            handle.flush()
            os.fsync(handle.fileno())
        file.unlink()
        sync_folder(file.parent)


def is_locked(home: Home, name: str) -> bool:
    """Whether the profile called `name` was locked; one whose keys are gone is."""
    try:
        return Wraps.read(keys_path(home, name)).locked
    except FileNotFoundError:
        return True


def keys_path(home: Home, name: str) -> Path:
    """Return where the wrapped keys of the profile called `name` are."""
    return home.profile(name) / KEYS_NAME


def key_file(home: Home, name: str) -> Path:
    """Return where the key of a profile without keyring and passphrase is."""
    return home.config / "keys" / f"{name}.key"


def derive(data_key: bytes, purpose: str) -> bytes:
    """Return the 256-bit key for one purpose, by HKDF-SHA256."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    info = f"ondevice/1/{purpose}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(data_key)


# --- wrapping ---------------------------------------------------------------


def _wrap(kind: str, data_key: bytes, key: bytes, profile_id: str) -> dict[str, Any]:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(12)
    sealed = AESGCM(key).encrypt(nonce, data_key, f"{profile_id}/{kind}".encode())
    return {"kind": kind, "nonce": _text(nonce), "key": _text(sealed)}


def _unwrap(wrap: dict[str, Any], key: bytes, profile_id: str) -> bytes | None:
    """Return the data key, or None if `key` is not the one that wrapped it."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    associated = f"{profile_id}/{wrap['kind']}".encode()
    try:
        return AESGCM(key).decrypt(_bytes(wrap["nonce"]), _bytes(wrap["key"]), associated)
    except InvalidTag:
        return None


def passphrase_wrap(
    data_key: bytes, profile_id: str, secret: str, cost: phrases.Cost
) -> dict[str, Any]:
    """Wrap the data key by a passphrase."""
    salt = secrets.token_bytes(16)
    wrap = _wrap("passphrase", data_key, phrases.stretch(secret, salt, cost), profile_id)
    return {**wrap, "kdf": "argon2id", "salt": _text(salt), **cost.as_dict()}


def recovery_wrap(data_key: bytes, profile_id: str, code: str) -> dict[str, Any]:
    """Wrap the data key by a recovery code."""
    return _wrap("recovery", data_key, recovery.key_of(code, profile_id), profile_id)


def _with_passphrase(
    wraps: list[dict[str, Any]], secret: str, profile_id: str, path: Path, name: str
) -> bytes:
    for wrap in wraps:
        if wrap["kind"] == "recovery":
            if recovery.is_code(secret):
                key = _unwrap(wrap, recovery.key_of(secret, profile_id), profile_id)
                if key is not None:
                    return key
            continue
        cost = phrases.Cost(int(wrap["memory_kib"]), int(wrap["iterations"]), int(wrap["lanes"]))
        stretched = phrases.stretch(secret, _bytes(wrap["salt"]), cost.checked(path))
        if (key := _unwrap(wrap, stretched, profile_id)) is not None:
            return key
    what = f"the profile '{name}'" if path.name == KEYS_NAME else str(path)
    raise WrongPassphraseError(f"That passphrase does not open {what}; try again.")


def _keyring_wrap(data_key: bytes, profile_id: str, warn: Warn) -> dict[str, Any] | None:
    stored = SystemKeyring.find()
    if stored is None:
        return None
    wrap = wrap_in_keyring(stored, data_key, profile_id, warn)
    if wrap is not None:
        warn(
            "The key of the profile is in the system keyring only: if that is lost, so is the "
            "profile, unless you add a passphrase."
        )
    return wrap


def wrap_in_keyring(
    stored: SystemKeyring, data_key: bytes, profile_id: str, warn: Warn
) -> dict[str, Any] | None:
    """Wrap the data key by a key in the keyring; None if the keyring refuses.

    A key that is there already is used again: replacing it first would leave a moment in which
    neither the old wrap nor the new one can be opened.
    """
    key = stored.get(profile_id) or secrets.token_bytes(32)
    if len(key) != 32 or not stored.set(profile_id, key):
        warn("The system keyring refused to keep the key of the profile, so it is not used.")
        return None
    return _wrap("keyring", data_key, key, profile_id)


def file_wrap(
    data_key: bytes, profile_id: str, home: Home, name: str, warn: Warn
) -> dict[str, Any]:
    """Wrap the data key by a key in a file of the config folder."""
    path = key_file(home, name)
    key = _read_key_file(path) or secrets.token_bytes(32)
    write_atomic(path, _text(key).encode() + b"\n")
    warn(
        f"There is no system keyring and nobody to ask for a passphrase, so the key of the "
        f"profile '{name}' is in {path}: whoever can read that file and the profile can read both."
    )
    return _wrap("file", data_key, key, profile_id)


def _read_key_file(path: Path) -> bytes | None:
    try:
        return _bytes(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        return None


def _what_is_missing(
    home: Home, name: str, by_kind: dict[str, list[dict[str, Any]]]
) -> str | Notice:
    if "passphrase" in by_kind or "recovery" in by_kind:
        return Notice(
            f"The profile '{name}' needs its passphrase or recovery code.",
            Remedy.GIVE_PASSPHRASE(variable=phrases.PASSPHRASE_FILE),
        )
    if "keyring" in by_kind:
        return (
            f"The key of the profile '{name}' is not in the system keyring, or that is locked; "
            "unlock the keyring, or restore a backup that a passphrase opens."
        )
    return (
        f"The key of the profile '{name}' is not in {key_file(home, name)}; restore that file "
        "from a backup."
    )


# --- the file -----------------------------------------------------------------


def _damaged(path: Path) -> ProfileDamagedError:
    return ProfileDamagedError(f"{path} is damaged; restore it from a backup.")


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
