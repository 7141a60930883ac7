"""RMSNorm, RoPE and gated activations against numpy in float64."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ondevice import _kernels

examples = settings(
    deadline=None,
    max_examples=25,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape).astype(np.float32)


@examples
@given(t=st.integers(1, 40), k=st.integers(1, 130), accumulate=st.booleans())
def test_rms_norm(isa: str, t: int, k: int, accumulate: bool) -> None:
    x, weight, dy, before = normal(t, k), normal(k, seed=1), normal(t, k, seed=2), normal(t, k)
    y, rstd, dx = np.empty_like(x), np.empty(t, np.float32), before.copy()
    _kernels.rms_norm_forward(x, weight, 1e-5, y, rstd)
    _kernels.rms_norm_backward(dy, x, weight, rstd, dx, accumulate=accumulate)

    x64 = x.astype(np.float64)
    r = 1 / np.sqrt((x64**2).mean(axis=1, keepdims=True) + 1e-5)
    dn, n = dy.astype(np.float64) * weight, x64 * r
    np.testing.assert_allclose(y, n * weight, rtol=1e-5, atol=1e-6)
    wanted = r * (dn - n * (dn * n).mean(axis=1, keepdims=True)) + accumulate * before
    np.testing.assert_allclose(dx, wanted, rtol=1e-4, atol=1e-4 * np.abs(r).max())


@pytest.mark.parametrize("interleaved", [True, False])
@examples
@given(
    t=st.integers(1, 40),
    h=st.integers(1, 4),
    pairs=st.integers(1, 36),
    rest=st.integers(0, 5),
    with_factors=st.booleans(),
)
def test_rope(
    isa: str, interleaved: bool, t: int, h: int, pairs: int, rest: int, with_factors: bool
) -> None:
    positions = np.random.default_rng(t).integers(0, 5000, t).astype(np.int32)
    factors = 1 + np.abs(normal(pairs)) if with_factors else None
    cos, sin = np.empty((t, pairs), np.float32), np.empty((t, pairs), np.float32)
    _kernels.rope_table(positions, 10000.0, factors, cos, sin, scale=0.5)
    angles = positions[:, None] * 0.5 * 10000.0 ** (-np.arange(pairs) / pairs)
    if factors is not None:
        angles = angles / factors.astype(np.float64)
    np.testing.assert_allclose(cos, np.cos(angles), atol=1e-6)

    x = normal(t, h, 2 * pairs + rest)
    rotated = x.copy()
    _kernels.rope(rotated, cos, sin, interleaved=interleaved)
    if interleaved:
        first, second = slice(0, 2 * pairs, 2), slice(1, 2 * pairs, 2)
    else:
        first, second = slice(0, pairs), slice(pairs, 2 * pairs)
    turned = (x[..., first] + 1j * x[..., second]) * np.exp(1j * angles)[:, None, :]
    np.testing.assert_allclose(rotated[..., first], turned.real, atol=1e-5)
    np.testing.assert_allclose(rotated[..., second], turned.imag, atol=1e-5)
    assert np.array_equal(rotated[..., 2 * pairs :], x[..., 2 * pairs :])
    _kernels.rope(rotated, cos, sin, interleaved=interleaved, backward=True)
    np.testing.assert_allclose(rotated, x, atol=1e-5)


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def gelu_tanh(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def unpacked(packed: _kernels.Packed, t: int, f: int) -> np.ndarray:
    """What was packed, multiplied with the identity."""
    identity = _kernels.Weight(np.eye(f, dtype=np.float32).view(np.uint8).reshape(-1), "F32", f, f)
    values = np.empty((t, f), np.float32)
    _kernels.linear_forward(packed, identity, values)
    return values


PRECISIONS = {"f32": 0.0, "auto": 2**-8}  # relative error that is allowed more


@pytest.mark.parametrize("precision", PRECISIONS)
@examples
@given(t=st.integers(1, 40), k=st.integers(1, 600))
def test_packed_norm(isa: str, precision: str, t: int, k: int) -> None:
    x, weight = normal(t, k), normal(k, seed=1)
    y, rstd, wanted_rstd = np.empty_like(x), np.empty(t, np.float32), np.empty(t, np.float32)
    packed = _kernels.rms_norm_packed(x, weight, 1e-5, rstd, precision=precision)
    _kernels.rms_norm_forward(x, weight, 1e-5, y, wanted_rstd)
    assert np.array_equal(rstd, wanted_rstd)
    np.testing.assert_allclose(unpacked(packed, t, k), y, rtol=PRECISIONS[precision])


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("activation", [silu, gelu_tanh])
@examples
@given(t=st.integers(1, 20), f=st.integers(1, 700))
def test_gated(isa: str, activation: object, precision: str, t: int, f: int) -> None:
    assert callable(activation)
    how = {"activation": activation.__name__, "precision": precision}
    more = PRECISIONS[precision]
    gate, up, dout = 3 * normal(t, f), normal(t, f, seed=1), normal(t, f, seed=2)
    out = unpacked(_kernels.gated_forward(gate, up, **how), t, f)
    g, u, d = (m.astype(np.float64) for m in (gate, up, dout))
    np.testing.assert_allclose(out, activation(g) * u, rtol=1e-5 + more, atol=1e-6)
    slope = (activation(g + 1e-5) - activation(g - 1e-5)) / 2e-5
    dgate, dup = _kernels.gated_backward(dout, gate, up, **how)
    np.testing.assert_allclose(unpacked(dgate, t, f), d * u * slope, rtol=1e-4 + more, atol=2e-6)
    np.testing.assert_allclose(unpacked(dup, t, f), d * activation(g), rtol=1e-5 + more, atol=1e-6)


@pytest.mark.parametrize("activation", ["silu", "gelu_tanh"])
def test_gate_and_up_in_bfloat16(isa: str, activation: str) -> None:
    t, f = 19, 333
    halves = [(normal(t, f, seed=i).view(np.uint32) >> 16).astype(np.uint16) for i in range(2)]
    dout = normal(t, f, seed=2)
    if not _kernels.has_bf16():
        with pytest.raises(ValueError, match="gate is in bfloat16, which"):
            _kernels.gated_forward(*halves, activation=activation)
        return
    whole = [(half.astype(np.uint32) << 16).view(np.float32) for half in halves]
    same = [
        (
            _kernels.gated_forward(*inputs, activation=activation),
            *_kernels.gated_backward(dout, *inputs, activation=activation),
        )
        for inputs in (halves, whole)
    ]
    for from_halves, from_whole in zip(*same, strict=True):
        assert np.array_equal(unpacked(from_halves, t, f), unpacked(from_whole, t, f))
    with pytest.raises(ValueError, match="in one precision"):
        _kernels.gated_forward(halves[0], whole[1], activation=activation)


def test_activations_far_out(isa: str) -> None:
    gate = np.array([[-1e4, -100, -88, 88, 100, 1e4]], np.float32)
    for name in ("silu", "gelu_tanh"):
        packed = _kernels.gated_forward(gate, np.ones_like(gate), activation=name, precision="f32")
        np.testing.assert_allclose(unpacked(packed, 1, 6), np.maximum(gate, 0), atol=1e-30)
