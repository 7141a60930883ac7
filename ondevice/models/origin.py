"""Where a pulled model came from, and the hash that it has had since: a note beside the file."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from pathlib import Path

from ondevice.errors import ModelHashError
from ondevice.ground.files import write_atomic
from ondevice.remedies import Remedy


@dataclass(frozen=True)
class Origin:
    """The note of a pull.

    Attributes:
        url: what was fetched; it names no redirect, because those hold short-lived signatures. It
            begins with "packages:" and names these where the file was put together from packages.
        revision: branch, tag or commit that was asked for; None outside a model hub.
        commit: the commit that it was, if the server told.
        sha256: of the file; it is refused from now on if this changes.
        size_bytes: of the file.
        licence: as the catalogue or the file itself says, or "unknown".
        promised_by: who named the hash before the file came: "catalogue", "user", "server",
            or "nobody": then it is only the hash of what came.
        pulled: UTC time, ISO 8601.
    """

    url: str
    revision: str | None
    commit: str | None
    sha256: str
    size_bytes: int
    licence: str
    promised_by: str
    pulled: str


def note_path(model: Path) -> Path:
    """Return the path of the note that belongs to the file `model`."""
    return model.with_name(model.name + ".json")


def read_origin(model: Path) -> Origin | None:
    """Return the note beside `model`, or None if it was not pulled.

    Raises:
        ModelHashError: the note is damaged, so that the file cannot be checked.
    """
    note = note_path(model)
    try:
        values = json.loads(note.read_bytes())
        origin = Origin(**values)
        if not re.fullmatch(r"[0-9a-f]{64}", origin.sha256):
            raise ValueError("no hash")
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise ModelHashError(
            f"{note} is damaged, so its model cannot be checked.", Remedy.PULL_AGAIN
        ) from error
    return origin


def write_origin(model: Path, origin: Origin) -> None:
    """Write the note beside `model`, durably."""
    write_atomic(note_path(model), json.dumps(dataclasses.asdict(origin), indent=1).encode())
