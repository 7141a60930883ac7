"""Dequantizers against ggml's own, bit for bit."""

import numpy as np
import pytest

from ondevice import _kernels

from .ggml_reference import dequantized, quantized
from .same_bits import same_bits
from .test_dequantize import golden

N, K = 37, 768


@pytest.mark.parametrize("type_name", _kernels.WEIGHT_TYPES)
def test_same_bits_as_ggml(isa: str, type_name: str) -> None:
    values = np.random.default_rng(1).standard_normal((N, K)).astype(np.float32)
    data = quantized(type_name, values)
    out = np.empty((N, K), np.float32)
    _kernels.dequantize(_kernels.Weight(data, type_name, N, K), out)
    assert same_bits(out, dequantized(type_name, data, N, K))
    assert np.abs(out - values).max() < 2  # and it is the same matrix


@pytest.mark.parametrize("type_name", [t for t in _kernels.WEIGHT_TYPES if t != "F32"])
def test_any_bytes_give_the_same_bits(isa: str, type_name: str) -> None:
    """Random bytes reach every bit of a block; their scales may be infinite or NaN."""
    size = N * _kernels.row_bytes(type_name, K)
    data = np.random.default_rng(2).integers(0, 256, size, np.uint8)
    out = np.empty((N, K), np.float32)
    _kernels.dequantize(_kernels.Weight(data, type_name, N, K), out)
    assert same_bits(out, dequantized(type_name, data, N, K))


@pytest.mark.parametrize("type_name", _kernels.WEIGHT_TYPES)
def test_golden_values_are_what_this_ggml_gives(type_name: str) -> None:
    """Otherwise ggml has changed a format: make them anew, with tools/make_golden_blocks."""
    data, values = golden(type_name)
    assert same_bits(values, dequantized(type_name, data, *values.shape))
