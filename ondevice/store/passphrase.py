"""From a passphrase to a key, by Argon2id."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from ondevice.errors import ProfileDamagedError, ProfileLockedError, explain
from ondevice.ground.files import expanded

PASSPHRASE_FILE = "ONDEVICE_PASSPHRASE_FILE"


@dataclass(frozen=True)
class Cost:
    """What one guess costs: about a third of a second and 128 MiB."""

    memory_kib: int = 131072
    iterations: int = 3
    lanes: int = 4

    def checked(self, path: Path) -> Cost:
        """Refuse values that a damaged or hostile file could use to exhaust the machine."""
        if not (8 <= self.memory_kib <= 1 << 21 and 1 <= self.iterations <= 64):
            raise ProfileDamagedError(f"{path} names an impossible passphrase cost; restore it.")
        if not 1 <= self.lanes <= 64:
            raise ProfileDamagedError(f"{path} names an impossible passphrase cost; restore it.")
        return self

    def as_dict(self) -> dict[str, int]:
        """Return the values to be stored."""
        return asdict(self)


def stretch(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    """Return the 256-bit key of `passphrase`.

    Raises:
        ProfileLockedError: it holds what is no character.
    """
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    try:
        content = passphrase.encode()
    except UnicodeEncodeError as error:
        raise ProfileLockedError(
            "What was typed is not UTF-8 text; check the terminal's encoding."
        ) from error

    return Argon2id(
        salt=salt,
        length=32,
        iterations=cost.iterations,
        lanes=cost.lanes,
        memory_cost=cost.memory_kib,
    ).derive(content)


def from_file() -> str | None:
    """Return the passphrase in the file that `ONDEVICE_PASSPHRASE_FILE` names, if it is set.

    Raises:
        ProfileLockedError: the file cannot be read or is empty.
    """
    name = os.environ.get(PASSPHRASE_FILE)
    return read(expanded(Path(name)), f"{PASSPHRASE_FILE} names {name}, which") if name else None


def read(path: Path, what: str) -> str:
    """Return the passphrase in the file at `path`, which errors call `what`.

    Raises:
        ProfileLockedError: the file cannot be read or is empty.
    """
    try:
        text = path.read_text(encoding="utf-8-sig").rstrip("\r\n")
    except OSError as error:
        raise ProfileLockedError(f"{what} cannot be read: {explain(error)}.") from error
    except UnicodeDecodeError as error:
        raise ProfileLockedError(f"{what} cannot be read as text; check the path.") from error
    if not text:
        raise ProfileLockedError(f"{what} is empty; write the passphrase into it.")
    return text


def ask_new(ask: Callable[[], str]) -> str:
    """Ask for a new passphrase twice.

    Raises:
        ProfileLockedError: the two differ, or nothing was typed.
    """
    first, second = ask(), ask()
    if first != second:
        raise ProfileLockedError("The two passphrases differ, so no profile was made; try again.")
    if not first:
        raise ProfileLockedError(
            "An empty passphrase protects nothing, so no profile was made; choose another."
        )
    return first
