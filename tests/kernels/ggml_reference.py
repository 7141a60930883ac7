"""ggml's own quantizers and dequantizers, through ctypes."""

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


def row_bytes(type_name: str, k: int) -> int:
    """Bytes of one row of k values."""
    block, block_bytes = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[type_name]]
    return k // block * block_bytes


def quantized(type_name: str, values: np.ndarray) -> np.ndarray:
    """Return float32 rows (n, k) as bytes, one row after the other."""
    n, k = values.shape
    data = np.zeros(n * row_bytes(type_name, k), np.uint8)
    importance = np.ones(k, np.float32)  # some types want to know how much each column matters
    done = _GGML.ggml_quantize_chunk(
        gguf.GGMLQuantizationType[type_name].value,
        values.ctypes.data,
        data.ctypes.data,
        0,
        n,
        k,
        importance.ctypes.data,
    )
    assert done == data.size
    return data


def dequantized(type_name: str, data: np.ndarray, n: int, k: int) -> np.ndarray:
    """Return the float32 rows (n, k) that the bytes stand for."""
    assert data.size == n * row_bytes(type_name, k) and data.flags.c_contiguous
    if type_name == "F32":
        return data.view(np.float32).reshape(n, k)
    function = {"F16": "ggml_fp16_to_fp32_row", "BF16": "ggml_bf16_to_fp32_row"}.get(
        type_name, f"dequantize_row_{type_name.lower()}"
    )
    # ggml spells dequantize_row_q4_K, with a capital
    function = function.replace("_k", "_K") if type_name.endswith("_K") else function
    out = np.empty((n, k), np.float32)
    getattr(_GGML, function)(
        ctypes.c_void_p(data.ctypes.data), ctypes.c_void_p(out.ctypes.data), ctypes.c_int64(n * k)
    )
    return out
