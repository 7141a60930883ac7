"""The keyring of the operating system, if there is a real one."""

from __future__ import annotations

import base64
import importlib
import importlib.util
import sys
from typing import Any

SERVICE = "ondevice"

# Only what the operating systems themselves protect: `keyring` also offers backends that
# refuse everything, keep nothing or write plain text. Each is imported by name, because its
# own search imports them all, and that of macOS starts a C compiler on Linux.
_REAL = {
    "darwin": ("macOS",),
    "win32": ("Windows",),
    "linux": ("SecretService", "libsecret", "kwallet"),
}
_CLASSES = {"Windows": "WinVaultKeyring", "kwallet": "DBusKeyring"}


class SystemKeyring:
    """Keeps keys under the service name `ondevice`, one account per profile."""

    def __init__(self, backend: Any) -> None:
        """Use `backend`, an object with `keyring`'s three password methods."""
        self._backend = backend

    @classmethod
    def find(cls) -> SystemKeyring | None:
        """Return the system's keyring, or None where there is none."""
        if importlib.util.find_spec("keyring") is None:
            return None
        for name in _REAL.get(sys.platform, _REAL["linux"]):
            backend = _backend(name)
            if backend is not None:
                return cls(backend)
        return None

    @property
    def name(self) -> str:
        """The backend's name, for `doctor`."""
        return str(getattr(self._backend, "name", type(self._backend).__name__))

    def get(self, account: str) -> bytes | None:
        """Return the key kept for `account`; None if there is none or the keyring is locked."""
        import keyring.errors

        try:
            text = self._backend.get_password(SERVICE, account)
            return base64.b64decode(text, validate=True) if text else None
        except (keyring.errors.KeyringError, ValueError):
            return None

    def set(self, account: str, key: bytes) -> bool:
        """Keep `key` for `account`. Returns whether it can be read back."""
        import keyring.errors

        try:
            self._backend.set_password(SERVICE, account, base64.b64encode(key).decode())
        except keyring.errors.KeyringError:
            return False
        return self.get(account) == key

    def delete(self, account: str) -> None:
        """Delete the key of `account`, if it is there."""
        import contextlib

        import keyring.errors

        with contextlib.suppress(keyring.errors.KeyringError):
            self._backend.delete_password(SERVICE, account)


def _backend(name: str) -> Any | None:
    """Return keyring's backend `name`, or None if it cannot be used on this machine."""
    module = importlib.import_module(f"keyring.backends.{name}")
    backend = getattr(module, _CLASSES.get(name, "Keyring"), None)
    return backend() if backend is not None and backend.viable else None
