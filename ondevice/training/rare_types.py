"""Tensor types that our kernels do not read, converted by llama.cpp's own library.

IQ1 to IQ3, ternary and other rare types are not worth kernels of their own: such a matrix is
dequantized once, when the model is opened, and trained over as F16. That takes 16 bits a weight
instead of 2 to 4, and rounds each to 11 significant bits.
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ondevice.errors import TrainingError

if TYPE_CHECKING:
    from ondevice._kernels import U8

_VALUES_AT_ONCE = 1 << 20  # so that the float32 values in between take little memory


def convertible(kind: str) -> bool:
    """Whether matrices of the ggml type `kind`, for example "IQ2_XS", can be converted here."""
    return _dequantizer(kind) is not None


def convert_to_f16(data: U8, kind: str, n: int, k: int) -> U8:
    """Return the bytes, as F16, of a matrix (n, k) of the ggml type `kind`.

    Raises:
        TrainingError: llama.cpp's library cannot read the type, or F16 cannot hold the values.
    """
    dequantize = _dequantizer(kind)
    if dequantize is None:
        raise TrainingError(
            f"No library here reads the tensor type {kind}; choose a base model in another "
            "quantization."
        )
    rows = data.reshape(n, -1)
    values = np.empty((max(1, _VALUES_AT_ONCE // k), k), np.float32)
    converted = np.empty((n, k), np.float16)
    for start in range(0, n, len(values)):
        some = np.ascontiguousarray(rows[start : start + len(values)])
        dequantize(some.ctypes.data, values.ctypes.data, len(some) * k)
        with np.errstate(over="ignore", invalid="ignore"):
            converted[start : start + len(some)] = values[: len(some)]
    if not np.isfinite(converted).all():
        raise TrainingError(
            f"A matrix of the type {kind} has values that are too large for F16; choose a "
            "base model in another quantization."
        )
    return converted.reshape(-1).view(np.uint8)


@cache
def _dequantizer(kind: str) -> Any:
    """Return `dequantize_row_<kind>(blocks, values, count)` of llama.cpp's library, or None."""
    library = _library()
    name = kind.lower().removesuffix("_k") + ("_K" if kind.endswith("_K") else "")
    function = getattr(library, f"dequantize_row_{name}", None)
    if function is not None:
        function.restype = None
        function.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    return function


@cache
def _library() -> ctypes.CDLL | None:
    """Open the library that llama-cpp-python brings along; None if it is not there."""
    package = find_spec("llama_cpp")
    if package is None or package.origin is None:
        return None
    for path in sorted(Path(package.origin).parent.glob("lib/*ggml-base.*")):
        try:
            return ctypes.CDLL(str(path))
        except OSError:  # of another platform, or not a library
            continue
    return None
