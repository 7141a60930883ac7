"""Cross-entropy and AdamW against numpy in float64."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ondevice import _kernels

TOLERANCE = {"f32": 2e-5, "auto": 1e-2}


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape).astype(np.float32)


def naive(
    h: np.ndarray, w: np.ndarray, targets: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    logits = h @ w.T
    largest = logits.max(axis=1, keepdims=True)
    p = np.exp(logits - largest)
    total = p.sum(axis=1, keepdims=True)
    each = np.arange(len(h))
    loss = (largest + np.log(total))[:, 0] - logits[each, targets]
    p /= total
    p[each, targets] -= 1
    return loss, weights[:, None] * (p @ w)


@pytest.mark.parametrize("precision", TOLERANCE)
@settings(
    deadline=None,
    max_examples=10,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(s=st.integers(1, 40), k=st.integers(1, 90), v=st.integers(1, 5000))
def test_cross_entropy(isa: str, precision: str, s: int, k: int, v: int) -> None:
    h, w = normal(s, k), normal(v, k, seed=1)
    targets = np.random.default_rng(v).integers(0, v, s).astype(np.int32)
    weights = np.abs(normal(s, seed=2))
    loss, dh = np.empty(s, np.float32), np.full_like(h, np.nan)
    weight = _kernels.Weight(w.view(np.uint8).reshape(-1), "F32", v, k)
    _kernels.cross_entropy(h, weight, targets, loss, dh, weights, precision=precision)
    wanted_loss, wanted_dh = naive(
        h.astype(np.float64), w.astype(np.float64), targets, weights.astype(np.float64)
    )
    tolerance = TOLERANCE[precision]
    assert np.linalg.norm(loss - wanted_loss) <= tolerance * np.linalg.norm(wanted_loss) + 1e-6
    assert np.linalg.norm(dh - wanted_dh) <= tolerance * np.linalg.norm(wanted_dh) + 1e-6
    again = np.empty_like(loss)
    _kernels.cross_entropy(h, weight, targets, again, precision=precision)  # no gradient
    assert np.array_equal(again, loss)


def test_gradient_of_a_well_predicted_token(isa: str) -> None:
    """p[t] W[t] - W[t] must not be rounding noise when p[t] is nearly 1."""
    w = normal(3000, 16)
    h = (w[[7, 2900]] * 1.0).astype(np.float32)
    targets = np.array([7, 2900], np.int32)
    loss, dh = np.empty(2, np.float32), np.empty_like(h)
    weight = _kernels.Weight(w.view(np.uint8).reshape(-1), "F32", *w.shape)
    _kernels.cross_entropy(h, weight, targets, loss, dh)
    wanted_loss, wanted_dh = naive(h.astype(np.float64), w.astype(np.float64), targets, np.ones(2))
    assert np.linalg.norm(dh - wanted_dh) <= 0.05 * np.linalg.norm(wanted_dh)
    np.testing.assert_allclose(loss, wanted_loss, rtol=0.05)


def test_targets_outside_the_vocabulary_are_refused() -> None:
    weight = _kernels.Weight(normal(5, 4).view(np.uint8).reshape(-1), "F32", 5, 4)
    for target in (-1, 5):
        with pytest.raises(ValueError, match="in the vocabulary"):
            _kernels.cross_entropy(
                normal(1, 4), weight, np.array([target], np.int32), np.empty(1, np.float32)
            )


@pytest.mark.parametrize("n", [1, 17, 40_000])
def test_adamw(isa: str, n: int) -> None:
    p, m, v = normal(n), np.zeros(n, np.float32), np.zeros(n, np.float32)
    p64, m64, v64 = (a.astype(np.float64) for a in (p, m, v))
    for step in (1, 2, 3):
        g = normal(n, seed=step)
        _kernels.adamw(
            p,
            g,
            m,
            v,
            learning_rate=1e-2,
            beta1=0.9,
            beta2=0.999,
            eps=1e-8,
            weight_decay=0.1,
            step=step,
            gradient_scale=0.5,
        )
        g64 = 0.5 * g.astype(np.float64)
        m64 = 0.9 * m64 + 0.1 * g64
        v64 = 0.999 * v64 + 0.001 * g64**2
        p64 -= 1e-2 * (
            m64 / (1 - 0.9**step) / (np.sqrt(v64 / (1 - 0.999**step)) + 1e-8) + 0.1 * p64
        )
    np.testing.assert_allclose(p, p64, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("n", [0, 1, 3, 15, 16, 17, 4095, 4097, 100_003])
def test_sum_of_squares(isa: str, n: int) -> None:
    x = normal(n)
    wanted = float(np.square(x.astype(np.float64)).sum())
    assert _kernels.sum_of_squares(x) == pytest.approx(wanted, rel=1e-6)
