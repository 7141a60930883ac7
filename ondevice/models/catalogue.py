"""Base models that ondevice knows by name; the entries are in `data/catalogue.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class PackageParts:
    """Packages of a Python package index that hold a model's file in parts.

    Attributes:
        package: their names, with `{}` where the number of the part stands, which begins at 1.
        count: how many there are.
        version: of each.
    """

    package: str
    count: int
    version: str

    def __iter__(self) -> Iterator[str]:
        """Yield what is asked of the index for each part, in their order."""
        for number in range(1, self.count + 1):
            yield f"{self.package.format(number)}=={self.version}"

    def __str__(self) -> str:
        """Return all of them as one name: `model-part{1..6}==1.0`."""
        return f"{self.package.format('{1..' + str(self.count) + '}')}=={self.version}"


@dataclass(frozen=True)
class CatalogueEntry:
    """A base model known by name.

    Attributes:
        name: what the user types.
        file_name: the GGUF file's name.
        architecture: `general.architecture` of the file.
        parameters: about how many there are.
        size_bytes: size of the file as published; approximate where `sha256` is None.
        licence: SPDX identifier, or the licence's own name.
        sha256: the file's SHA-256 as published, or None if it is pinned when pulled.
        source: "package:<import name>" or "hf:<owner>/<repository>".
        parts: where it can be had if the hub cannot be reached.
        tried: whether this very file was hashed and loaded by us.
        note: what should be known of it, in a few words.
    """

    name: str
    file_name: str
    architecture: str
    parameters: int
    size_bytes: int
    licence: str
    sha256: str | None
    source: str
    parts: PackageParts | None = None
    tried: bool = False
    note: str = ""


def _read() -> dict[str, CatalogueEntry]:
    # Not by importlib.resources, which takes longer to import than all of this.
    text = (Path(__file__).parent / "data" / "catalogue.toml").read_text("utf-8")
    return {name: _entry(name, values) for name, values in tomllib.loads(text).items()}


def _entry(name: str, values: dict[str, Any]) -> CatalogueEntry:
    parts = values.pop("parts", None)
    return CatalogueEntry(name, **values, parts=PackageParts(**parts) if parts else None)


CATALOGUE: dict[str, CatalogueEntry] = _read()
DEFAULT = next(iter(CATALOGUE.values()))
