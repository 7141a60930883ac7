"""The reader that comes with the package: an adapter that makes a base model use its notes.

It is shared by everybody and lies below personal adapters. Each reader is a
GGUF LoRA file in `data/` with a card beside it: the base it is for, its
SHA-256, how it was trained, and what was measured.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from ondevice.adapters.gguf_lora import content_sha256
from ondevice.errors import AdapterNotFoundError, InvalidAdapterError
from ondevice.models.base_model import BaseModel
from ondevice.remedies import Remedy

READER = "reader"  # the name under which it is listed; no adapter of a profile may have it


@dataclass(frozen=True)
class Reader:
    """A reader of the package.

    Attributes:
        sha256: of the file.
        base_sha256: of the model that it is for.
        card: the whole model card.
    """

    sha256: str
    base_sha256: str
    card: Mapping[str, Any]
    file: Traversable

    def read(self) -> bytes:
        """Return the GGUF file.

        Raises:
            InvalidAdapterError: it is missing or not the one that the card promises.
        """
        try:
            content = self.file.read_bytes()
        except OSError as error:
            raise InvalidAdapterError(
                f"The reader's file {self.file.name} is missing; install ondevice again."
            ) from error
        if content_sha256(content) != self.sha256:
            raise InvalidAdapterError(
                f"The reader's file {self.file.name} is damaged; install ondevice again."
            )
        return content


def builtin_reader(base: BaseModel) -> Reader | None:
    """Return the reader that was trained for exactly this base model, or None."""
    return _readers().get(base.sha256)


def needed_reader(base: BaseModel) -> Reader:
    """Return the reader of this base model.

    Raises:
        AdapterNotFoundError: none comes for it.
    """
    reader = builtin_reader(base)
    if reader is None:
        raise AdapterNotFoundError(
            f"No reader comes with the model '{base.name}'.", Remedy.LEAVE_OUT_READER
        )
    return reader


def reader_sha256_among(base: BaseModel, sources: Sequence[Path | bytes]) -> str | None:
    """Return the hash of the base's reader if it is one of the adapters `sources`."""
    reader = builtin_reader(base)
    if reader is None:
        return None
    contents = (s if isinstance(s, bytes) else s.read_bytes() for s in sources)
    return reader.sha256 if any(content_sha256(c) == reader.sha256 for c in contents) else None


@functools.cache
def _readers() -> dict[str, Reader]:
    """Return all readers of the package by the hash of their base model."""
    folder = resources.files("ondevice.adapters") / "data"
    found = {}
    for place in folder.iterdir() if folder.is_dir() else ():
        if place.name.endswith(".json"):
            card = json.loads(place.read_text(encoding="utf-8"))
            reader = Reader(card["sha256"], card["base_sha256"], card, folder / card["file"])
            found[reader.base_sha256] = reader
    return found
