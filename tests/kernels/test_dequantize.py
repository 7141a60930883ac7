"""Dequantizers against ggml's own, bit for bit."""

import ctypes
from pathlib import Path

import gguf
import llama_cpp
import numpy as np
import pytest

from ondevice import _kernels

GGML = ctypes.CDLL(next(Path(llama_cpp.__file__).parent.joinpath("lib").glob("*ggml-base.*")))
GGML.ggml_quantize_chunk.restype = ctypes.c_size_t
GGML.ggml_quantize_chunk.argtypes = [
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.c_void_p,
]
N, K = 37, 768


def quantized(type_name: str, values: np.ndarray) -> np.ndarray:
    n, k = values.shape
    data = np.zeros(n * _kernels.row_bytes(type_name, k), np.uint8)
    importance = np.ones(k, np.float32)
    done = GGML.ggml_quantize_chunk(
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


def ggml_dequantized(type_name: str, data: np.ndarray, n: int, k: int) -> np.ndarray:
    out = np.empty((n, k), np.float32)
    if type_name == "F32":
        return data.view(np.float32).reshape(n, k)
    function = {"F16": "ggml_fp16_to_fp32_row", "BF16": "ggml_bf16_to_fp32_row"}.get(
        type_name, f"dequantize_row_{type_name.lower()}"
    )
    # ggml spells dequantize_row_q4_K, with a capital
    function = function.replace("_k", "_K") if type_name.endswith("_K") else function
    getattr(GGML, function)(
        ctypes.c_void_p(data.ctypes.data), ctypes.c_void_p(out.ctypes.data), ctypes.c_int64(n * k)
    )
    return out


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(a.view(np.uint32), b.view(np.uint32))


@pytest.mark.parametrize("type_name", _kernels.WEIGHT_TYPES)
def test_same_bits_as_ggml(isa: str, type_name: str) -> None:
    values = np.random.default_rng(1).standard_normal((N, K)).astype(np.float32)
    data = quantized(type_name, values)
    out = np.empty((N, K), np.float32)
    _kernels.dequantize(_kernels.Weight(data, type_name, N, K), out)
    assert same_bits(out, ggml_dequantized(type_name, data, N, K))
    assert np.abs(out - values).max() < 2  # and it is the same matrix


@pytest.mark.parametrize("type_name", [t for t in _kernels.WEIGHT_TYPES if t != "F32"])
def test_any_bytes_give_the_same_bits(isa: str, type_name: str) -> None:
    """Random bytes reach every bit of a block; their scales may be infinite or NaN."""
    size = N * _kernels.row_bytes(type_name, K)
    data = np.random.default_rng(2).integers(0, 256, size, np.uint8)
    out = np.empty((N, K), np.float32)
    _kernels.dequantize(_kernels.Weight(data, type_name, N, K), out)
    wanted = ggml_dequantized(type_name, data, N, K)
    assert np.array_equal(np.isnan(out), np.isnan(wanted))
    assert same_bits(np.nan_to_num(out), np.nan_to_num(wanted))


def test_chosen_rows(isa: str) -> None:
    values = np.random.default_rng(3).standard_normal((N, K)).astype(np.float32)
    weight = _kernels.Weight(quantized("Q6_K", values), "Q6_K", N, K)
    everything, some = np.empty((N, K), np.float32), np.empty((3, K), np.float32)
    _kernels.dequantize(weight, everything)
    rows = np.array([36, 0, 5], np.int32)
    _kernels.dequantize_rows(weight, rows, some)
    assert np.array_equal(some, everything[rows])
    part = np.empty((4, K), np.float32)
    _kernels.dequantize(weight.rows(5, 9), part)
    assert np.array_equal(part, everything[5:9])


def test_wrong_arguments_are_refused() -> None:
    data = np.zeros(34 * 4, np.uint8)
    with pytest.raises(ValueError, match="no whole number of Q8_0 blocks"):
        _kernels.Weight(data, "Q8_0", 4, 33)
    with pytest.raises(ValueError, match="'Q9_9' is not supported"):
        _kernels.Weight(data, "Q9_9", 4, 32)
    with pytest.raises(ValueError, match="has 170 bytes, but data has 136"):
        _kernels.Weight(data, "Q8_0", 5, 32)
    weight = _kernels.Weight(data, "Q8_0", 4, 32)
    with pytest.raises(ValueError, match=r"out has shape \(4, 31\), but must have \(4, 32\)"):
        _kernels.dequantize(weight, np.empty((4, 31), np.float32))
    with pytest.raises(ValueError, match="within the weight"):
        _kernels.dequantize_rows(weight, np.array([4], np.int32), np.empty((1, 32), np.float32))
    with pytest.raises(TypeError):
        _kernels.dequantize(weight, np.empty((4, 32)))  # type: ignore[arg-type]
