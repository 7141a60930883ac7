"""The safetensors file format, as far as adapters need it, with numpy alone.

    length of the header (8 bytes, little-endian) | header (JSON) | data

The header maps each tensor's name to its dtype, shape and place in the data. The
library of that name needs torch to read bfloat16, in which most adapters are
published. A file from elsewhere is checked before anything of it is believed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from ondevice.adapters.gguf_lora import AGAIN
from ondevice.errors import InvalidAdapterError, explain

Float32 = NDArray[np.float32]

MAX_HEADER_BYTES = 16 << 20
MAX_FILE_BYTES = 8 << 30
_SIZES = {"F32": 4, "F16": 2, "BF16": 2}


def write_safetensors(tensors: Mapping[str, Float32], metadata: Mapping[str, str]) -> bytes:
    """Return `tensors` as the bytes of a file, as float32, in the order of their names."""
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    offset = 0
    for name in sorted(tensors):
        values = tensors[name]
        end = offset + values.size * 4
        header[name] = {
            "dtype": "F32",
            "shape": list(values.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    parts = [len(text).to_bytes(8, "little"), text]
    parts += [np.ascontiguousarray(tensors[name], "<f4").tobytes() for name in sorted(tensors)]
    return b"".join(parts)


def read_safetensors(path: Path) -> dict[str, Float32]:
    """Return the tensors of the file at `path` as float32, by name.

    Raises:
        InvalidAdapterError: the file is damaged, or a tensor is of a type that adapters do not
            have, or holds NaN or infinity.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidAdapterError(f"{path} is too large for an adapter; check that it is one.")
        content = path.read_bytes()
    except OSError as error:
        raise InvalidAdapterError(f"{path} cannot be read: {explain(error)}.") from error
    n_header = int.from_bytes(content[:8], "little")
    if len(content) < 8 or n_header > min(MAX_HEADER_BYTES, len(content) - 8):
        raise _damaged(path, "its header is cut off or too long")
    try:
        header = json.loads(content[8 : 8 + n_header])
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "its header is not JSON") from error
    if not isinstance(header, dict):
        raise _damaged(path, "its header is no list of tensors")
    data = memoryview(content)[8 + n_header :]
    tensors: dict[str, Float32] = {}
    left = len(data)
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        piece, dtype, shape = _place(data, name, entry, path)
        left -= len(piece)
        if left < 0:  # they would take more memory than the file is long
            raise _damaged(path, "its tensors lie over each other")
        tensors[name] = _values(piece, dtype, name, path).reshape(shape)
    return tensors


def _place(
    data: memoryview, name: str, entry: object, path: Path
) -> tuple[memoryview, str, list[int]]:
    """Return a tensor's bytes, its dtype and its shape, checked."""
    shown = _shown(name)
    entry = entry if isinstance(entry, dict) else {}
    dtype, shape, place = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not (_is_counts(shape) and _is_counts(place) and len(place) == 2 and len(shape) <= 4):
        raise _damaged(path, f"the entry of '{shown}' is not understood")
    if not isinstance(dtype, str) or dtype not in _SIZES:
        raise InvalidAdapterError(
            f"{path}: '{shown}' is {str(dtype)[:20]}, but adapters are F32, F16 or BF16; "
            "convert it to one of them."
        )
    start, end = place
    if not start <= end <= len(data) or end - start != math.prod(shape) * _SIZES[dtype]:
        raise _damaged(path, f"'{shown}' does not lie in the file as its shape says")
    return data[start:end], dtype, shape


def _values(piece: memoryview, dtype: str, name: str, path: Path) -> Float32:
    if dtype == "BF16":  # the upper half of a float32
        bits = np.frombuffer(piece, "<u2").astype(np.uint32) << 16
        values = bits.view(np.float32)
    else:
        values = np.frombuffer(piece, "<f4" if dtype == "F32" else "<f2").astype(np.float32)
    if not np.isfinite(values).all():
        raise InvalidAdapterError(
            f"{path}: '{_shown(name)}' holds NaN or infinity; train it anew at a lower "
            "learning rate."
        )
    return values


def _shown(name: str) -> str:
    return name[:100] if name.isprintable() else "?"


def _is_counts(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(
        isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 1 << 40 for n in value
    )


def _damaged(path: Path, what: str) -> InvalidAdapterError:
    return InvalidAdapterError(f"{path} is not a usable safetensors file: {what}; {AGAIN}.")
