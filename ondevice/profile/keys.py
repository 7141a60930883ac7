"""How the key of a profile is kept.

The data key is 256 random bits.  `keys.json` holds it wrapped (AES-GCM) by one
or more keys: one from a passphrase, one in the keyring of the operating
system, or one in a file of the config folder.  Without `keys.json` nobody can
read the profile any more, whatever else they have.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ondevice._files import sync_folder, write_atomic
from ondevice.errors import ProfileDamagedError, ProfileLockedError
from ondevice.home import Home
from ondevice.profile import passphrase as phrases
from ondevice.profile.keyring_store import SystemKeyring

FORMAT = 1
KEYS_NAME = "keys.json"
Ask = Callable[[], str]
Warn = Callable[[str], None]


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
            wraps.append(_file_wrap(data_key, profile_id, home, name, warn))
    if secret is not None:
        wraps.append(_passphrase_wrap(data_key, profile_id, secret, cost or phrases.Cost()))
    _write(keys_path(home, name), profile_id, wraps)
    return data_key


def unlock(home: Home, name: str, *, ask_passphrase: Ask | None) -> bytes:
    """Return the data key of the profile called `name`; nothing on disk changes.

    Raises:
        ProfileLockedError: the passphrase is wrong, or no key can be had.
        ProfileDamagedError: `keys.json` is damaged.
    """
    path = keys_path(home, name)
    profile_id, wraps = _read(path)
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for wrap in wraps:
        by_kind.setdefault(str(wrap.get("kind")), []).append(wrap)
    protected = by_kind.get("passphrase", [])
    try:
        if protected and (secret := phrases.from_file()) is not None:
            return _with_passphrase(protected, secret, profile_id, path, name)
        for wrap in by_kind.get("keyring", []):
            stored = SystemKeyring.find()
            kept = stored.get(profile_id) if stored is not None else None
            if kept is not None and (key := _unwrap(wrap, kept, profile_id)) is not None:
                return key
        for wrap in by_kind.get("file", []):
            kept = _read_key_file(key_file(home, name))
            if kept is not None and (key := _unwrap(wrap, kept, profile_id)) is not None:
                return key
        if protected and ask_passphrase is not None:
            return _with_passphrase(protected, ask_passphrase(), profile_id, path, name)
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path) from error
    raise ProfileLockedError(_what_is_missing(home, name, by_kind))


def add_passphrase(
    home: Home, name: str, data_key: bytes, passphrase: str, cost: phrases.Cost | None = None
) -> None:
    """Let `passphrase` open the profile too, replacing an earlier one."""
    path = keys_path(home, name)
    profile_id, wraps = _read(path)
    wraps = [wrap for wrap in wraps if wrap.get("kind") != "passphrase"]
    wraps.append(_passphrase_wrap(data_key, profile_id, passphrase, cost or phrases.Cost()))
    _write(path, profile_id, wraps)


def shred(home: Home, name: str) -> None:
    """Destroy every key of the profile called `name`: from then on its data is noise."""
    path = keys_path(home, name)
    with contextlib.suppress(ProfileDamagedError, FileNotFoundError):
        profile_id, wraps = _read(path)
        if any(wrap.get("kind") == "keyring" for wrap in wraps):
            stored = SystemKeyring.find()
            if stored is not None:
                stored.delete(profile_id)
    for file in (path, key_file(home, name)):
        with contextlib.suppress(FileNotFoundError):
            size = file.stat().st_size
            with file.open("r+b") as handle:  # in place; a copying file system may keep the old
                handle.write(secrets.token_bytes(size))
                handle.flush()
                os.fsync(handle.fileno())
            file.unlink()
            sync_folder(file.parent)


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


def _passphrase_wrap(
    data_key: bytes, profile_id: str, secret: str, cost: phrases.Cost
) -> dict[str, Any]:
    salt = secrets.token_bytes(16)
    wrap = _wrap("passphrase", data_key, phrases.stretch(secret, salt, cost), profile_id)
    return {**wrap, "kdf": "argon2id", "salt": _text(salt), **cost.as_dict()}


def _with_passphrase(
    wraps: list[dict[str, Any]], secret: str, profile_id: str, path: Path, name: str
) -> bytes:
    for wrap in wraps:
        cost = phrases.Cost(int(wrap["memory_kib"]), int(wrap["iterations"]), int(wrap["lanes"]))
        stretched = phrases.stretch(secret, _bytes(wrap["salt"]), cost.checked(path))
        if (key := _unwrap(wrap, stretched, profile_id)) is not None:
            return key
    raise ProfileLockedError(f"That passphrase does not open the profile '{name}'; try again.")


def _keyring_wrap(data_key: bytes, profile_id: str, warn: Warn) -> dict[str, Any] | None:
    stored = SystemKeyring.find()
    if stored is None:
        return None
    key = secrets.token_bytes(32)
    if not stored.set(profile_id, key):
        warn("The system keyring refused to keep the key of the profile, so it is not used.")
        return None
    warn(
        "The key of the profile is in the system keyring only: if that is lost, so is the "
        "profile, unless you add a passphrase."
    )
    return _wrap("keyring", data_key, key, profile_id)


def _file_wrap(
    data_key: bytes, profile_id: str, home: Home, name: str, warn: Warn
) -> dict[str, Any]:
    path, key = key_file(home, name), secrets.token_bytes(32)
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


def _what_is_missing(home: Home, name: str, by_kind: dict[str, list[dict[str, Any]]]) -> str:
    if "passphrase" in by_kind:
        return (
            f"The profile '{name}' needs its passphrase; run this in a terminal or name a file "
            f"that holds it in {phrases.PASSPHRASE_FILE}."
        )
    if "keyring" in by_kind:
        return f"The key of the profile '{name}' is not in the system keyring, or it is locked."
    return (
        f"The key of the profile '{name}' is not in {key_file(home, name)}; restore that file "
        "from a backup."
    )


# --- the file -----------------------------------------------------------------


def _write(path: Path, profile_id: str, wraps: list[dict[str, Any]]) -> None:
    content = {"format": FORMAT, "id": profile_id, "wraps": wraps}
    write_atomic(path, json.dumps(content, indent=1).encode() + b"\n")


def _read(path: Path) -> tuple[str, list[dict[str, Any]]]:
    try:
        content = json.loads(path.read_bytes())
        wraps = content["wraps"]
        if content["format"] > FORMAT:
            raise ProfileDamagedError(f"{path} was written by a newer ondevice; upgrade ondevice.")
        if not isinstance(wraps, list) or not all(isinstance(wrap, dict) for wrap in wraps):
            raise _damaged(path)
        return str(content["id"]), wraps
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> ProfileDamagedError:
    return ProfileDamagedError(f"{path} is damaged; restore it from a backup.")


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
