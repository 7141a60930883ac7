"""Attention against a naive one in float64, with every score at once."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ondevice import _kernels

TOLERANCE = {"f32": 2e-5, "auto": 2e-2}


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape).astype(np.float32)


def naive(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, first: np.ndarray, scale: float, window: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Output [T, H, D], log-sum-exp [H, T], probabilities [H, T, T]."""
    t, shared = len(q), q.shape[1] // k.shape[1]
    k, v = np.repeat(k, shared, axis=1), np.repeat(v, shared, axis=1)
    scores = scale * np.einsum("ihd,jhd->hij", q, k)
    i, j = np.arange(t)[:, None], np.arange(t)[None, :]
    seen = (j <= i) & (j >= first[:, None])
    if window:
        seen &= j > i - window
    scores = np.where(seen, scores, -np.inf)
    largest = scores.max(axis=2, keepdims=True)
    exponentials = np.exp(scores - largest)
    total = exponentials.sum(axis=2, keepdims=True)
    p = exponentials / total
    return np.einsum("hij,jhd->ihd", p, v), (largest + np.log(total))[..., 0], p


def naive_backward(
    do: np.ndarray, q: np.ndarray, k: np.ndarray, v: np.ndarray, p: np.ndarray, scale: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    g, shared = k.shape[1], q.shape[1] // k.shape[1]
    k_all, v_all = np.repeat(k, shared, axis=1), np.repeat(v, shared, axis=1)
    dp = np.einsum("ihd,jhd->hij", do, v_all)
    ds = p * (dp - (p * dp).sum(axis=2, keepdims=True)) * scale
    dq = np.einsum("hij,jhd->ihd", ds, k_all)
    dk = np.einsum("hij,ihd->jhd", ds, q)
    dv = np.einsum("hij,ihd->jhd", p, do)
    t, d = len(q), q.shape[2]
    return dq, dk.reshape(t, g, shared, d).sum(axis=2), dv.reshape(t, g, shared, d).sum(axis=2)


def assert_close(got: np.ndarray, wanted: np.ndarray, tolerance: float) -> None:
    # A token that sees only itself has gradients of exactly zero: allow rounding.
    size = max(np.linalg.norm(wanted), 0.3 * np.sqrt(wanted.size))
    assert np.linalg.norm(got - wanted) <= tolerance * size


@pytest.mark.parametrize("precision", TOLERANCE)
@settings(
    deadline=None,
    max_examples=12,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    lengths=st.lists(st.integers(1, 150), min_size=1, max_size=3),
    groups=st.integers(1, 2),
    shared=st.integers(1, 3),
    d=st.integers(1, 70),
    window=st.sampled_from([0, 0, 1, 40, 200]),
)
def test_forward_and_backward(
    isa: str, precision: str, lengths: list[int], groups: int, shared: int, d: int, window: int
) -> None:
    t, h = sum(lengths), groups * shared
    q, k, v = normal(t, h, d), normal(t, groups, d, seed=1), normal(t, groups, d, seed=2)
    do = normal(t, h, d, seed=3)
    starts = np.cumsum([0, *lengths[:-1]])
    first = np.repeat(starts, lengths).astype(np.int32)
    scale = d**-0.5
    o, lse = np.full_like(q, np.nan), np.full((h, t), np.nan, np.float32)
    _kernels.attention_forward(q, k, v, first, scale, o, lse, window=window, precision=precision)
    q64, k64, v64, do64 = (m.astype(np.float64) for m in (q, k, v, do))
    wanted_o, wanted_lse, p = naive(q64, k64, v64, first, scale, window)
    assert_close(o, wanted_o, TOLERANCE[precision])
    assert_close(lse, wanted_lse, TOLERANCE[precision])

    dq, dk, dv = (np.full_like(m, np.nan) for m in (q, k, v))
    _kernels.attention_backward(
        do, q, k, v, first, scale, o, lse, dq, dk, dv, window=window, precision=precision
    )
    for got, wanted in zip(
        (dq, dk, dv), naive_backward(do64, q64, k64, v64, p, scale), strict=True
    ):
        assert_close(got, wanted, TOLERANCE[precision])


def test_arrays_in_bfloat16_give_what_their_values_give(isa: str) -> None:
    t, h, g, d = 130, 4, 2, 40
    halves = [
        (normal(t, n, d, seed=i).view(np.uint32) >> 16).astype(np.uint16)
        for i, n in enumerate((h, g, g))
    ]
    first = np.repeat([0, 70], [70, 60]).astype(np.int32)
    o16, lse16 = np.empty((t, h, d), np.uint16), np.empty((h, t), np.float32)
    if not _kernels.has_bf16():
        with pytest.raises(ValueError, match="q is in bfloat16, which"):
            _kernels.attention_forward(*halves, first, 0.2, o16, lse16)
        return
    whole = [(half.astype(np.uint32) << 16).view(np.float32) for half in halves]
    o, lse = np.empty((t, h, d), np.float32), np.empty_like(lse16)
    with pytest.raises(ValueError, match="o must be in the precision of q"):
        _kernels.attention_forward(*halves, first, 0.2, o, lse)
    _kernels.attention_forward(*halves, first, 0.2, o16, lse16)
    _kernels.attention_forward(*whole, first, 0.2, o, lse)
    rounded = np.empty_like(o16)
    _kernels.round_to_bf16(o, rounded)
    assert np.array_equal(o16, rounded)
    assert np.array_equal(lse16, lse)

    o = (o16.astype(np.uint32) << 16).view(np.float32)
    do, gradients = normal(t, h, d, seed=3), []
    for inputs, out in ((halves, o16), (whole, o)):
        found = [np.empty((t, n, d), np.float32) for n in (h, g, g)]
        _kernels.attention_backward(do, *inputs, first, 0.2, out, lse, *found)
        gradients.append(found)
    for one, same in zip(*gradients, strict=True):
        assert np.array_equal(one, same)


def test_large_scores_do_not_overflow(isa: str) -> None:
    q, k, v = 100 * normal(70, 1, 8), 100 * normal(70, 1, 8, seed=1), normal(70, 1, 8, seed=2)
    first, o, lse = np.zeros(70, np.int32), np.empty_like(q), np.empty((1, 70), np.float32)
    _kernels.attention_forward(q, k, v, first, 1.0, o, lse, precision="f32")
    wanted = naive(*(m.astype(np.float64) for m in (q, k, v)), first, 1.0, 0)[0]
    assert_close(o, wanted, 1e-2)


def test_wrong_arguments_are_refused() -> None:
    q, k = normal(4, 3, 8), normal(4, 2, 8)
    o, lse = np.empty_like(q), np.empty((3, 4), np.float32)
    with pytest.raises(ValueError, match="must be a multiple"):
        _kernels.attention_forward(q, k, k, np.zeros(4, np.int32), 1.0, o, lse)
    late = np.array([0, 0, 3, 0], np.int32)
    with pytest.raises(ValueError, match=r"first\[i\]"):
        _kernels.attention_forward(q, k[:, :1].copy(), k[:, :1].copy(), late, 1.0, o, lse)
