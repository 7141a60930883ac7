"""LoRA adapters as GGUF files, read and written exactly as llama.cpp loads them.

For each adapted base tensor W (out, in) the file holds two tensors, `<name>.lora_a`
of shape (rank, in) and `<name>.lora_b` of shape (out, rank). llama.cpp computes

    y = W x + scale * alpha / rank * B (A x)

where `scale` is the user's and `rank` belongs to the pair. The bytes depend on
nothing but the adapter: no times, no names, keys and tensors in a fixed order.
The writer is our own because it must work without a plaintext file on disk.
"""

from __future__ import annotations

import hashlib
import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from ondevice.errors import (
    AdapterBaseMismatchError,
    AdapterNotFoundError,
    InvalidAdapterError,
    InvalidModelError,
    ModelNotFoundError,
    explain,
)
from ondevice.models.gguf_header import (
    DEFAULT_ALIGNMENT,
    MAX_NAME_BYTES,
    GgufHeader,
    TensorInfo,
    read_header,
    read_header_bytes,
)

Float32 = NDArray[np.float32]
AGAIN = "get it again from its source, or make it again"  # advice for a file that is no use

# Field of `LoraAdapter.provenance` -> GGUF key. Hashes only: nothing personal, no times.
PROVENANCE_KEYS = {
    "base_sha256": "ondevice.base.sha256",
    "recipe_sha256": "ondevice.recipe.sha256",
    "code_sha256": "ondevice.code.sha256",
    "reader_sha256": "ondevice.reader.sha256",  # the reader that it was trained on top of
}

_GGUF_VERSION = 3
_UINT32, _FLOAT32, _STRING = 4, 6, 8
_TYPE_IDS = {"F32": 0, "F16": 1}
_F16_MAX = float(np.finfo(np.float16).max)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, eq=False)
class LoraPair:
    """The two low-rank factors for one base tensor: `a` (rank, in) and `b` (out, rank)."""

    a: Float32
    b: Float32

    @property
    def rank(self) -> int:
        """The inner dimension."""
        return int(self.a.shape[0])


@dataclass(frozen=True, eq=False)
class LoraAdapter:
    """An adapter in memory.

    Attributes:
        architecture: the base model's `general.architecture`.
        alpha: the pair of rank r contributes alpha / r times B A.
        tensors: base tensor name -> factors.
        provenance: SHA-256 digests (64 hexadecimal digits) under the names of `PROVENANCE_KEYS`.
    """

    architecture: str
    alpha: float
    tensors: Mapping[str, LoraPair]
    provenance: Mapping[str, str] = field(default_factory=dict)

    @property
    def rank(self) -> int:
        """The largest rank among the pairs."""
        return max((pair.rank for pair in self.tensors.values()), default=0)

    @property
    def parameters(self) -> int:
        """How many numbers the adapter holds."""
        return sum(pair.a.size + pair.b.size for pair in self.tensors.values())


def read_adapter(source: Path | bytes, base: GgufHeader | None) -> LoraAdapter:
    """Read the adapter in the file or bytes `source`, checking all that llama.cpp trusts.

    Args:
        source: the path of a GGUF file, or its content.
        base: header of the model that it is for; None checks the adapter by itself only.

    Raises:
        AdapterNotFoundError: there is no file at `source`.
        AdapterBaseMismatchError: it adapts tensors that `base` does not have, or has in other
            shapes, or it is for another architecture.
        InvalidAdapterError: not a GGUF, not a LoRA, incomplete, or with values that are no numbers.
    """
    header = _read_header(source)
    where = str(header.path)
    alpha = _check_kind(header, where)
    pairs = _pair_tensors(header, where)
    for name, (a, b) in pairs.items():
        _check_pair(name, a, b, where)
    if base is not None:
        check_base(header.architecture, {n: _dims(*p) for n, p in pairs.items()}, base, where)
    return LoraAdapter(
        architecture=header.architecture,
        alpha=alpha,
        tensors=_load(source, pairs, where),
        provenance=_provenance(header),
    )


def write_adapter(adapter: LoraAdapter, dtype: Literal["F16", "F32"] = "F16") -> bytes:
    """Return `adapter` as the bytes of a GGUF file; the same adapter gives the same bytes.

    Raises:
        InvalidAdapterError: the adapter is empty or inconsistent, or holds NaN, infinity or a
            value that F16 cannot hold.
    """
    if dtype not in _TYPE_IDS:
        raise InvalidAdapterError(
            f"An adapter is written as F16 or F32, not as {dtype}; choose one of them."
        )
    _check_before_write(adapter)
    tensors: list[tuple[str, NDArray[np.generic]]] = []
    for name in sorted(adapter.tensors):
        pair = adapter.tensors[name]
        tensors.append((f"{name}.lora_a", _stored(pair.a, f"{name}.lora_a", dtype)))
        tensors.append((f"{name}.lora_b", _stored(pair.b, f"{name}.lora_b", dtype)))
    keys = _metadata(adapter)
    parts = [struct.pack("<4sIQQ", b"GGUF", _GGUF_VERSION, len(tensors), len(keys)), *keys]
    offset = 0
    for name, values in tensors:
        shape = struct.pack("<IQQ", 2, values.shape[1], values.shape[0])  # ggml: inputs first
        parts += [_text(name), shape, struct.pack("<IQ", _TYPE_IDS[dtype], offset)]
        offset += _padded(values.nbytes)
    header_bytes = sum(map(len, parts))
    parts.append(bytes(_padded(header_bytes) - header_bytes))
    for _, values in tensors:
        parts.append(values.tobytes())
        parts.append(bytes(_padded(values.nbytes) - values.nbytes))
    return b"".join(parts)


def content_sha256(content: bytes) -> str:
    """Return the SHA-256 by which an adapter file is known, as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def check_base(
    architecture: str, dims: Mapping[str, tuple[int, int]], base: GgufHeader, where: str
) -> None:
    """Check that `base` has each adapted tensor, in the right shape.

    Args:
        architecture: what the adapter says it is for.
        dims: base tensor name -> (in, out) according to the adapter.
        base: header of the base model.
        where: names the adapter in errors.

    Raises:
        AdapterBaseMismatchError: something does not fit.
    """
    if architecture != base.architecture:
        raise AdapterBaseMismatchError(
            f"{where} adapts a {architecture} model, but {base.path.name} is a "
            f"{base.architecture} model; use it with the base that it was made for."
        )
    for name, expected in dims.items():
        tensor = base.tensors.get(name)
        if tensor is None:
            raise AdapterBaseMismatchError(
                f"{where} adapts '{name}', which {base.path.name} does not have; "
                "use it with the base that it was made for."
            )
        if tensor.shape != expected:
            raise AdapterBaseMismatchError(
                f"{where} adapts '{name}' with shape {expected}, but in {base.path.name} it has "
                f"shape {tensor.shape}; use it with the base that it was made for."
            )


def _read_header(source: Path | bytes) -> GgufHeader:
    try:
        if isinstance(source, bytes):
            return read_header_bytes(source, "the adapter")
        return read_header(source)
    except ModelNotFoundError as error:
        raise AdapterNotFoundError(error.notice) from error
    except InvalidModelError as error:
        raise InvalidAdapterError(error.notice) from error


def _check_kind(header: GgufHeader, where: str) -> float:
    """Check that the file is a plain LoRA adapter; return its alpha."""
    for key, wanted in (("general.type", "adapter"), ("adapter.type", "lora")):
        found = header.metadata.get(key)
        if found != wanted:
            raise InvalidAdapterError(
                f"{where} is not a LoRA adapter: its '{key}' is not '{wanted}'; "
                "give an adapter GGUF, not a model."
            )
    if not header.architecture:
        raise InvalidAdapterError(f"{where} does not say which architecture it adapts; {AGAIN}.")
    if any(key.startswith("adapter.alora.") for key in header.metadata):
        raise InvalidAdapterError(
            f"{where} is an activated LoRA, which is not supported; use a plain LoRA."
        )
    alpha = header.metadata.get("adapter.lora.alpha")
    # llama.cpp aborts the process on a number of another type.
    usable = header.kinds.get("adapter.lora.alpha") == _FLOAT32
    if not usable or not isinstance(alpha, float) or not math.isfinite(alpha) or alpha <= 0:
        raise InvalidAdapterError(
            f"{where} has no usable 'adapter.lora.alpha' (a float32 above 0); {AGAIN}."
        )
    return alpha


def _pair_tensors(header: GgufHeader, where: str) -> dict[str, tuple[TensorInfo, TensorInfo]]:
    """Return base tensor name -> (a, b), in the order of the names."""
    halves: dict[str, dict[str, TensorInfo]] = {}
    for name, tensor in header.tensors.items():
        base_name, _, half = name.rpartition(".")
        if not base_name or half not in ("lora_a", "lora_b"):
            raise InvalidAdapterError(
                f"{where} holds '{name}', which is not part of a LoRA adapter; {AGAIN}."
            )
        halves.setdefault(base_name, {})[half] = tensor
    if not halves:
        raise InvalidAdapterError(f"{where} holds no tensors; {AGAIN}.")
    for base_name, pair in halves.items():
        if len(pair) != 2:
            missing = "lora_b" if "lora_a" in pair else "lora_a"
            raise InvalidAdapterError(f"{where} lacks '{base_name}.{missing}'; {AGAIN}.")
    return {name: (halves[name]["lora_a"], halves[name]["lora_b"]) for name in sorted(halves)}


def _dims(a: TensorInfo, b: TensorInfo) -> tuple[int, int]:
    """Return (in, out) of the base tensor that the pair adapts."""
    return a.shape[0], b.shape[1]


def _check_pair(name: str, a: TensorInfo, b: TensorInfo, where: str) -> None:
    for tensor in (a, b):
        if tensor.type not in _TYPE_IDS:
            raise InvalidAdapterError(
                f"{where}: '{tensor.name}' is {tensor.type}, but adapters are F16 or F32; "
                "convert it to one of them."
            )
        if len(tensor.shape) != 2:
            raise InvalidAdapterError(f"{where}: '{tensor.name}' is not a matrix; {AGAIN}.")
    _check_dims(name, a.shape[0], a.shape[1], b.shape[0], b.shape[1], where)


def _check_dims(name: str, n_in: int, a_rank: int, b_rank: int, n_out: int, where: str) -> None:
    if name.startswith("token_embd"):
        raise InvalidAdapterError(
            f"{where} adapts '{name}', a lookup table or tied head, which llama.cpp cannot; train "
            "it again on the layers of the blocks."
        )
    if a_rank != b_rank:
        raise InvalidAdapterError(
            f"{where}: the two halves of '{name}' have the different ranks {a_rank} and "
            f"{b_rank}; {AGAIN}."
        )
    if not 0 < a_rank <= max(n_in, n_out):
        raise InvalidAdapterError(
            f"{where}: '{name}' has rank {a_rank}, which does not fit its {n_in} × {n_out} "
            f"matrix; {AGAIN}."
        )


def _load(
    source: Path | bytes, pairs: Mapping[str, tuple[TensorInfo, TensorInfo]], where: str
) -> dict[str, LoraPair]:
    """Read the factors as float32 and check that they are numbers."""
    if isinstance(source, bytes):
        view = memoryview(source)
        return {
            name: LoraPair(*(_values(view[t.offset : t.offset + t.nbytes], t, where) for t in pair))
            for name, pair in pairs.items()
        }
    try:
        with source.open("rb") as file:
            return {
                name: LoraPair(*(_values(_read(file, t), t, where) for t in pair))
                for name, pair in pairs.items()
            }
    except OSError as error:
        raise InvalidAdapterError(f"{where} cannot be read: {explain(error)}.") from error


def _read(file: BinaryIO, tensor: TensorInfo) -> bytes:
    file.seek(tensor.offset)
    return file.read(tensor.nbytes)


def _values(content: bytes | memoryview, tensor: TensorInfo, where: str) -> Float32:
    if len(content) != tensor.nbytes:  # the file shrank after its header was read
        raise InvalidAdapterError(
            f"{where}: '{tensor.name}' could not be read completely; try again, or get the "
            "file again."
        )
    stored = np.frombuffer(content, dtype="<f2" if tensor.type == "F16" else "<f4")
    values = stored.astype(np.float32).reshape(tensor.shape[::-1])
    if not np.isfinite(values).all():
        raise InvalidAdapterError(
            f"{where}: '{tensor.name}' holds NaN or infinity; train it again at a lower "
            "learning rate."
        )
    return values


def _provenance(header: GgufHeader) -> dict[str, str]:
    """Return the digests that the file carries; a malformed one counts as absent."""
    found = {}
    for name, key in PROVENANCE_KEYS.items():
        value = header.metadata.get(key)
        if isinstance(value, str) and _SHA256.fullmatch(value):
            found[name] = value
    return found


def _check_before_write(adapter: LoraAdapter) -> None:
    where = "The adapter"
    if not adapter.tensors:
        raise InvalidAdapterError(f"{where} holds no tensors; give at least one.")
    if not adapter.architecture:
        raise InvalidAdapterError(
            f"{where} does not say which architecture it adapts; set that of its base."
        )
    if not math.isfinite(adapter.alpha) or adapter.alpha <= 0:
        raise InvalidAdapterError(
            f"{where} has no usable alpha (a number above 0); give the one that it was "
            "trained with."
        )
    for name, pair in adapter.tensors.items():
        if len(f"{name}.lora_a".encode()) > MAX_NAME_BYTES:
            raise InvalidAdapterError(
                f"{where}: the tensor name '{name}' is too long; give at most "
                f"{MAX_NAME_BYTES} bytes."
            )
        if pair.a.ndim != 2 or pair.b.ndim != 2:
            raise InvalidAdapterError(
                f"{where}: '{name}' is not a pair of matrices; give A (rank, in) and B (out, rank)."
            )
        (a_rank, n_in), (n_out, b_rank) = pair.a.shape, pair.b.shape
        _check_dims(name, n_in, a_rank, b_rank, n_out, where)
    for name, digest in adapter.provenance.items():
        if name not in PROVENANCE_KEYS or not _SHA256.fullmatch(digest):
            raise InvalidAdapterError(
                f"{where}: the provenance '{name}' is not a known SHA-256; leave it out."
            )


def _stored(values: Float32, name: str, dtype: str) -> NDArray[np.generic]:
    """Return `values` in the file's type, row after row, little-endian."""
    if not np.isfinite(values).all():
        raise InvalidAdapterError(
            f"The adapter: '{name}' holds NaN or infinity; train it again at a lower learning rate."
        )
    if dtype == "F32":
        return np.ascontiguousarray(values, dtype="<f4")
    # What rounds to F16's largest number still fits; from half a step above it is infinity.
    if np.abs(values).max(initial=0.0) >= _F16_MAX + 16:
        raise InvalidAdapterError(
            f"The adapter: '{name}' has values that F16 cannot hold; write it as F32."
        )
    return np.ascontiguousarray(values, dtype="<f2")


def _metadata(adapter: LoraAdapter) -> list[bytes]:
    """Return the encoded key-value pairs."""
    texts = {
        "general.architecture": adapter.architecture,
        "general.type": "adapter",
        "adapter.type": "lora",
    }
    for name, key in PROVENANCE_KEYS.items():
        if name in adapter.provenance:
            texts[key] = adapter.provenance[name]
    alpha = _text("adapter.lora.alpha") + struct.pack("<If", _FLOAT32, adapter.alpha)
    alignment = _text("general.alignment") + struct.pack("<II", _UINT32, DEFAULT_ALIGNMENT)
    pairs = [_text(key) + struct.pack("<I", _STRING) + _text(value) for key, value in texts.items()]
    return [*pairs, alpha, alignment]


def _text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _padded(length: int) -> int:
    return -(-length // DEFAULT_ALIGNMENT) * DEFAULT_ALIGNMENT
