"""From a passphrase to a key, by Argon2id."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from ondevice.errors import (
    ProfileDamagedError,
    ProfileLockedError,
    WrongPassphraseError,
    explain,
)
from ondevice.ground.files import expanded

PASSPHRASE_FILE = "ONDEVICE_PASSPHRASE_FILE"

Ask = Callable[[], str]
Used = TypeVar("Used")


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


class PatientAsk:
    """Asks a person, who may mistype: told what was wrong, they try again."""

    attempts = 3

    def __init__(self, ask: Callable[[bool], str], tell: Callable[[str], None]) -> None:
        """Ask with `ask`, which is told whether a new passphrase is wanted for the second time.

        Args:
            ask: returns what the person types.
            tell: told what was wrong, as a sentence.
        """
        self._ask = ask
        self.tell = tell

    def __call__(self) -> str:
        """Return a passphrase."""
        return self._ask(False)

    def once_more(self) -> str:
        """Return the same passphrase typed once more."""
        return self._ask(True)


def until_right(ask: Ask, use: Callable[[str], Used]) -> Used:
    """Return what `use` makes of the passphrase that `ask` returns.

    Raises:
        WrongPassphraseError: it is wrong; a person was asked three times.
    """
    for left in reversed(range(ask.attempts if isinstance(ask, PatientAsk) else 1)):
        secret = ask()
        try:
            return use(secret)
        except WrongPassphraseError as error:
            if not left or not isinstance(ask, PatientAsk):
                raise
            ask.tell(error.notice)
    raise AssertionError("somebody is asked at least once")


def ask_new(ask: Ask) -> str:
    """Ask for a new passphrase twice.

    Raises:
        ProfileLockedError: the two differ, or nothing was typed; a person was asked three times.
    """
    if not isinstance(ask, PatientAsk):
        return _agreed(ask(), ask())
    for _ in range(ask.attempts - 1):
        try:
            return _asked_twice(ask)
        except ProfileLockedError as error:
            ask.tell(error.notice)
    return _asked_twice(ask)


def _asked_twice(ask: PatientAsk) -> str:
    first = ask()
    return _agreed(first, ask.once_more() if first else first)


def _agreed(first: str, second: str) -> str:
    if first != second:
        raise ProfileLockedError("The two passphrases differ, so nothing was done; try again.")
    if not first:
        raise ProfileLockedError(
            "An empty passphrase protects nothing, so nothing was done; choose another."
        )
    return first
