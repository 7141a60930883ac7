"""Dequantizers against bytes and values that ggml made (see tools/make_golden_blocks).

Nothing here needs ggml itself, so that these tests run wherever the kernels do.
"""

from pathlib import Path

import numpy as np
import pytest

from ondevice import _kernels

from .same_bits import same_bits

GOLDEN = Path(__file__).parent / "data" / "golden_blocks.npz"
EVERY_HALF = np.arange(1 << 16, dtype=np.uint16)


def golden(type_name: str) -> tuple[np.ndarray, np.ndarray]:
    """The bytes of a small matrix of this type, and the values that ggml reads in them."""
    with np.load(GOLDEN) as arrays:
        return arrays[f"{type_name}.bytes"], arrays[f"{type_name}.values"]


def widened(halves: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # some are signalling NaNs
        return halves.view(np.float16).astype(np.float32)


@pytest.mark.parametrize("type_name", _kernels.WEIGHT_TYPES)
def test_golden_blocks(isa: str, type_name: str) -> None:
    data, values = golden(type_name)
    out = np.empty_like(values)
    _kernels.dequantize(_kernels.Weight(data, type_name, *values.shape), out)
    assert same_bits(out, values)


@pytest.mark.parametrize("type_name", _kernels.WEIGHT_TYPES)
def test_golden_blocks_reach_the_ends_of_what_a_scale_can_be(type_name: str) -> None:
    """Or else they would show little: there are usual, tiny, large and undefined values."""
    _, values = golden(type_name)
    size = np.abs(values[np.isfinite(values) & (values != 0)])
    assert size.min() < 1e-4 and size.max() > 1e3
    assert np.isnan(values).any() and len(np.unique(values)) > 100


@pytest.mark.parametrize("k", [1, 64])
def test_every_half(isa: str, k: int) -> None:
    """Each of the 65,536, subnormal and infinite ones too, one at a time and many at a time."""
    out = np.empty((len(EVERY_HALF) // k, k), np.float32)
    _kernels.dequantize(_kernels.Weight(EVERY_HALF.view(np.uint8), "F16", *out.shape), out)
    assert same_bits(out, widened(EVERY_HALF).reshape(out.shape))


def test_every_scale(isa: str) -> None:
    """Each half as the scale of a block of integers."""
    integers = np.arange(-128, 128, 8, dtype=np.int8)
    blocks = np.empty((len(EVERY_HALF), 34), np.uint8)
    blocks[:, :2] = EVERY_HALF.view(np.uint8).reshape(-1, 2)
    blocks[:, 2:] = integers.view(np.uint8)
    out = np.empty((len(blocks), 32), np.float32)
    _kernels.dequantize(_kernels.Weight(blocks.reshape(-1), "Q8_0", *out.shape), out)
    with np.errstate(invalid="ignore"):  # 0 times infinity
        wanted = widened(EVERY_HALF)[:, None] * integers.astype(np.float32)
    assert same_bits(out, wanted)


def test_chosen_rows(isa: str) -> None:
    data, values = golden("Q6_K")
    n, k = values.shape
    weight = _kernels.Weight(data, "Q6_K", n, k)
    some = np.empty((3, k), np.float32)
    rows = np.array([n - 1, 0, 2], np.int32)
    _kernels.dequantize_rows(weight, rows, some)
    assert same_bits(some, values[rows])
    part = np.empty((2, k), np.float32)
    _kernels.dequantize(weight.rows(1, 3), part)
    assert same_bits(part, values[1:3])


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
