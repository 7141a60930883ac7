"""Safetensors files of adapters, read and written by the library of that name.

It hands out bytes and the name of their type, which needs no torch, although most adapters are
published in bfloat16, which numpy does not have. A file from elsewhere may be huge, may hold other
types, and NaN: that is checked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors.numpy import save

from ondevice.adapters.gguf_lora import AGAIN
from ondevice.errors import InvalidAdapterError, explain

Float32 = NDArray[np.float32]

MAX_HEADER_BYTES = 16 << 20
MAX_FILE_BYTES = 8 << 30
_MAX_DIMENSIONS = 4
_LENGTH_BYTES = 8  # of the header's length, with which a file begins


def write_safetensors(tensors: Mapping[str, Float32], metadata: Mapping[str, str]) -> bytes:
    """Return `tensors` as the bytes of a file, as float32, in the order of their names."""
    values = {name: np.ascontiguousarray(tensor, np.float32) for name, tensor in tensors.items()}
    return save(values, dict(metadata) or None)


def read_safetensors(path: Path) -> dict[str, Float32]:
    """Return the tensors of the file at `path` as float32, by name.

    Raises:
        InvalidAdapterError: the file is damaged, or a tensor is of a type that adapters do not
            have, or holds NaN or infinity.
    """
    try:
        entries = safetensors.deserialize(_content(path))
    except safetensors.SafetensorError as error:  # its text may quote the file
        raise _damaged(path, "it is cut off, or its header does not describe it") from error
    tensors: dict[str, Float32] = {}
    while entries:  # each is given back when it is converted
        name, entry = entries.pop()
        if len(entry["shape"]) > _MAX_DIMENSIONS:
            raise _damaged(path, f"'{_shown(name)}' has more than {_MAX_DIMENSIONS} dimensions")
        tensors[name] = _values(entry["data"], entry["dtype"], name, path).reshape(entry["shape"])
    return dict(sorted(tensors.items()))


def _content(path: Path) -> bytes:
    """Return the content of a file that is not too large, nor says that its header is."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidAdapterError(f"{path} is too large for an adapter; check that it is one.")
        with path.open("rb") as file:
            start = file.read(_LENGTH_BYTES)
            if int.from_bytes(start, "little") > MAX_HEADER_BYTES:
                raise _damaged(path, "its header is too long")
            return start + file.read()
    except OSError as error:
        raise InvalidAdapterError(f"{path} cannot be read: {explain(error)}.") from error


def _values(data: bytearray, dtype: str, name: str, path: Path) -> Float32:
    if dtype == "BF16":  # the upper half of a float32
        values = (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    elif dtype in ("F32", "F16"):
        kind = "<f4" if dtype == "F32" else "<f2"
        values = np.frombuffer(data, kind).astype(np.float32, copy=False)
    else:
        raise InvalidAdapterError(
            f"{path}: '{_shown(name)}' is {dtype}, but adapters are F32, F16 or BF16; convert it "
            "to one of them."
        )
    if not np.isfinite(values).all():
        raise InvalidAdapterError(
            f"{path}: '{_shown(name)}' holds NaN or infinity; train it again at a lower "
            "learning rate."
        )
    return values


def _shown(name: str) -> str:
    return name[:100] if name.isprintable() else "?"


def _damaged(path: Path, what: str) -> InvalidAdapterError:
    return InvalidAdapterError(f"{path} is not a usable safetensors file: {what}; {AGAIN}.")
