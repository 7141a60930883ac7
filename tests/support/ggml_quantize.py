"""Quantizes with ggml itself, through ctypes."""

from __future__ import annotations

import ctypes
from pathlib import Path

import gguf
import llama_cpp
import numpy as np

_GGML = ctypes.CDLL(next(Path(llama_cpp.__file__).parent.joinpath("lib").glob("*ggml-base.*")))
_GGML.ggml_quantize_chunk.restype = ctypes.c_size_t
_GGML.ggml_quantize_chunk.argtypes = [
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.c_void_p,
]


def quantized(type_name: str, values: np.ndarray) -> np.ndarray:
    """Return float32 rows (n, k) as bytes (n, row bytes) of the ggml type."""
    n, k = values.shape
    kind = gguf.GGMLQuantizationType[type_name]
    block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    data = np.zeros((n, k // block * block_bytes), np.uint8)
    importance = np.ones(k, np.float32)  # some types want to know how much each column matters
    done = _GGML.ggml_quantize_chunk(
        kind.value, values.ctypes.data, data.ctypes.data, 0, n, k, importance.ctypes.data
    )
    assert done == data.size
    return data
