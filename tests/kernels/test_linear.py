"""Linear layers and LoRA pairs against numpy in float64."""

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
PRECISIONS = {"f32": 1e-5, "auto": 1e-2}  # relative error that is allowed


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape).astype(np.float32)


def weight(type_name: str, n: int, k: int) -> tuple[_kernels.Weight, np.ndarray]:
    """A random weight of n rows, and its values in float64."""
    if type_name == "F32":
        data = normal(n, k, seed=9).view(np.uint8).reshape(-1)
    else:
        rng = np.random.default_rng((n, k))
        data = rng.integers(0, 256, n * _kernels.row_bytes(type_name, k), np.uint8)
        blocks = data.reshape(-1, _kernels.row_bytes(type_name, 256 if "_K" in type_name else 32))
        scale = np.array([0.01], np.float16).view(np.uint8)
        at = {"Q6_K": [208], "Q4_K": [0, 2], "Q4_1": [0, 2]}.get(type_name, [0])
        for offset in at:
            blocks[:, offset : offset + 2] = scale
    w = _kernels.Weight(data, type_name, n, k)
    values = np.empty((n, k), np.float32)
    _kernels.dequantize(w, values)
    return w, values.astype(np.float64)


def assert_close(
    got: np.ndarray, wanted: np.ndarray, tolerance: float, parts: np.ndarray | None = None
) -> None:
    # Sums may cancel: allow rounding of their parts, which are about 1 or more, or as given.
    size = max(np.linalg.norm(wanted if parts is None else parts), np.sqrt(wanted.size))
    assert np.linalg.norm(got - wanted) <= tolerance * size


@pytest.mark.parametrize("precision", PRECISIONS)
@examples
@given(
    t=st.integers(1, 150),
    n=st.integers(1, 200),
    blocks=st.integers(1, 5),
    type_name=st.sampled_from(["F32", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q4_K", "Q6_K"]),
    accumulate=st.booleans(),
)
def test_linear_forward_and_backward(
    isa: str, precision: str, t: int, n: int, blocks: int, type_name: str, accumulate: bool
) -> None:
    k = blocks * {"F32": 37, "Q4_K": 256, "Q6_K": 256}.get(type_name, 32)
    w, values = weight(type_name, n, k)
    x, dy = normal(t, k), normal(t, n)
    y, dx = normal(t, n, seed=1), normal(t, k, seed=1)
    wanted_y = x @ values.T + accumulate * y
    wanted_dx = dy @ values + accumulate * dx
    _kernels.linear_forward(x, w, y, plus=y if accumulate else None, precision=precision)
    _kernels.linear_backward(dy, w, dx, accumulate=accumulate, precision=precision)
    assert_close(y, wanted_y, PRECISIONS[precision])
    assert_close(dx, wanted_dx, PRECISIONS[precision])


def test_slabs_of_a_large_weight(isa: str) -> None:
    """Larger than what is unpacked at a time, in rows and in columns."""
    w, values = weight("Q8_0", 4100, 1056)
    x, dy = normal(5, 1056), normal(5, 4100)
    y, dx = np.empty((5, 4100), np.float32), np.empty((5, 1056), np.float32)
    _kernels.linear_forward(x, w, y, precision="f32")
    _kernels.linear_backward(dy, w, dx, precision="f32")
    assert_close(y, x @ values.T, 1e-5)
    assert_close(dx, dy @ values, 1e-5)


def test_threads_never_change_a_bit(isa: str) -> None:
    w, _ = weight("Q4_1", 300, 576)
    x, dy, a, b, xa = (
        normal(*shape) for shape in ((600, 576), (600, 300), (5, 576), (300, 5), (600, 5))
    )
    results = []
    for threads in (1, 2, 3, 8):  # many share the tokens of a matrix too
        _kernels.set_threads(threads)
        y, dx, da, db = (np.zeros_like(like) for like in (dy, x, a, b))
        pairs = {"pairs": [_kernels.Lora(a, b, 0.5, da, db)], "products": [xa]}
        _kernels.linear_forward(x, w, y, **pairs)
        _kernels.linear_backward(dy, w, dx, x=x, **pairs)
        results.append((y, dx, da, db))
    _kernels.set_threads(0)
    for other in results[1:]:
        for one, same in zip(results[0], other, strict=True):
            assert np.array_equal(one, same)


def test_what_is_added_may_be_another_array(isa: str) -> None:
    w, values = weight("F32", 50, 40)
    x, plus, y = normal(30, 40), normal(30, 50, seed=1), np.empty((30, 50), np.float32)
    before = plus.copy()
    _kernels.linear_forward(x, w, y, plus=plus, precision="f32")
    assert_close(y, before + x @ values.T, 1e-5)
    assert np.array_equal(plus, before)
    with pytest.raises(ValueError, match="plus has shape"):
        _kernels.linear_forward(x, w, y, plus=normal(30, 51))


@pytest.mark.parametrize("pairs", [False, True])
def test_result_in_bfloat16_is_the_rounded_one(isa: str, pairs: bool) -> None:
    w, _ = weight("Q8_0", 331, 1056)
    x, y, rounded = (
        normal(70, 1056),
        np.empty((70, 331), np.float32),
        np.empty((70, 331), np.uint16),
    )
    more: dict[str, list[object]] = {}
    if pairs:
        pair = _kernels.Lora(normal(3, 1056), normal(331, 3), 0.5)
        more = {"pairs": [pair], "products": [np.empty((70, 3), np.float32)]}
    if not _kernels.has_bf16():
        with pytest.raises(ValueError, match="y is in bfloat16, which"):
            _kernels.linear_forward(x, w, rounded, **more)
        return
    _kernels.linear_forward(x, w, y, **more)
    _kernels.linear_forward(x, w, rounded, **more)
    bits = y.view(np.uint32)
    assert np.array_equal(rounded, ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16))
    with pytest.raises(ValueError, match="Nothing can be added"):
        _kernels.linear_forward(x, w, rounded, plus=y, **more)


def test_packed_input_gives_the_same_bits(isa: str) -> None:
    w, _ = weight("Q4_1", 96, 64)
    x = normal(20, 64)
    packed = _kernels.Packed(x)
    a, b = np.empty((20, 96), np.float32), np.empty((20, 96), np.float32)
    _kernels.linear_forward(x, w, a)
    _kernels.linear_forward(packed, w, b)
    assert np.array_equal(a, b)
    da, db = np.zeros((2, 3, 64), np.float32), np.zeros((2, 96, 3), np.float32)
    for i, (dy, layer_input) in enumerate(((a, x), (_kernels.Packed(a), packed))):
        pair = _kernels.Lora(normal(3, 64), normal(96, 3), 1.0, da[i], db[i])
        _kernels.linear_backward(dy, w, None, x=layer_input, pairs=[pair], products=[normal(20, 3)])
    assert np.array_equal(da[0], da[1])
    assert np.array_equal(db[0], db[1])
    with pytest.raises(ValueError, match="as many rows as dy"):
        _kernels.linear_backward(a, w, None, x=_kernels.Packed(x[:19]))
    others = [name for name in _kernels.available_isas() if name != isa]
    for other in others:
        _kernels.use_isa(other)
        with pytest.raises(ValueError, match="packed for another instruction set"):
            _kernels.linear_forward(packed, w, b)


@pytest.mark.parametrize("precision", PRECISIONS)
@examples
@given(
    t=st.integers(1, 100),
    k=st.integers(1, 150),
    n=st.integers(1, 150),
    ranks=st.lists(st.integers(1, 33), min_size=1, max_size=3),
    accumulate=st.booleans(),
)
def test_pairs_beside_a_matrix(
    isa: str, precision: str, t: int, k: int, n: int, ranks: list[int], accumulate: bool
) -> None:
    tolerance = PRECISIONS[precision]
    w, values = weight("F32", n, k)
    x, dy, y, dx = normal(t, k), normal(t, n, seed=3), normal(t, n, seed=4), normal(t, k, seed=7)
    x64, dy64 = x.astype(np.float64), dy.astype(np.float64)
    wanted_y, wanted_dx = x64 @ values.T + accumulate * y, dy64 @ values + accumulate * dx
    parts_y, parts_dx = abs(x64) @ abs(values.T), abs(dy64) @ abs(values)
    pairs, products, gradients = [], [], []
    for i, r in enumerate(ranks):
        a, b, scale = normal(r, k, seed=10 + i), normal(n, r, seed=20 + i), 0.7 + i
        da, db = normal(r, k, seed=30 + i), normal(n, r, seed=40 + i)
        a64, b64 = a.astype(np.float64), b.astype(np.float64)
        inner, down = abs(x64) @ abs(a64).T, abs(dy64) @ abs(b64)
        wanted_y += scale * x64 @ a64.T @ b64.T
        wanted_dx += scale * dy64 @ b64 @ a64
        parts_y += scale * inner @ abs(b64).T
        parts_dx += scale * down @ abs(a64)
        gradients += [
            (da, da + scale * (dy64 @ b64).T @ x64, scale * down.T @ abs(x64)),
            (db, db + scale * dy64.T @ (x64 @ a64.T), scale * abs(dy64).T @ inner),
        ]
        pairs.append(_kernels.Lora(a, b, scale, da, db))
        products.append(np.empty((t, r), np.float32))
    more = {"pairs": pairs, "products": products, "precision": precision}
    _kernels.linear_forward(x, w, y, plus=y if accumulate else None, **more)
    _kernels.linear_backward(dy, w, dx, x=x, accumulate=accumulate, **more)
    assert_close(y, wanted_y, tolerance, parts_y)
    assert_close(dx, wanted_dx, tolerance, parts_dx)
    for got, wanted, parts in gradients:
        assert_close(got, wanted, tolerance, parts)


def test_backward_of_frozen_pairs_and_of_the_lowest_layer(isa: str) -> None:
    w, values = weight("F32", 9, 20)
    x, a, b, dy = normal(7, 20), normal(4, 20), normal(9, 4), normal(7, 9)
    xa, y, dx = np.empty((7, 4), np.float32), np.empty((7, 9), np.float32), np.empty_like(x)
    frozen = {"pairs": [_kernels.Lora(a, b, 1.0)], "products": [xa], "precision": "f32"}
    _kernels.linear_forward(x, w, y, **frozen)
    _kernels.linear_backward(dy, w, dx, **frozen)
    assert_close(dx, dy @ values + dy @ b @ a, 1e-5)
    da, db = np.zeros_like(a), np.zeros_like(b)
    trained = frozen | {"pairs": [_kernels.Lora(a, b, 1.0, da, db)]}
    _kernels.linear_backward(dy, w, None, x=x, **trained)
    assert_close(da, (dy @ b).T @ x, 1e-5)
    assert_close(db, dy.T @ (x @ a.T), 1e-5)
    with pytest.raises(ValueError, match="needs the layer's input x"):
        _kernels.linear_backward(dy, w, None, **trained)


def test_slabs_with_pairs(isa: str) -> None:
    """More rows than are unpacked, and summed over, at a time."""
    w, values = weight("Q8_0", 4200, 1056)
    x, a, b, dy = normal(5, 1056), normal(3, 1056), normal(4200, 3), normal(5, 4200)
    xa, y, dx = np.empty((5, 3), np.float32), np.empty((5, 4200), np.float32), np.empty_like(x)
    frozen = {"pairs": [_kernels.Lora(a, b, 0.5)], "products": [xa], "precision": "f32"}
    _kernels.linear_forward(x, w, y, **frozen)
    _kernels.linear_backward(dy, w, dx, **frozen)
    assert_close(y, x @ values.T + 0.5 * x @ a.T @ b.T, 1e-5)
    assert_close(dx, dy @ values + 0.5 * dy @ b @ a, 1e-5)


def test_wrong_shapes_are_refused() -> None:
    w, _ = weight("Q8_0", 4, 32)
    with pytest.raises(ValueError, match="as many columns as the weight"):
        _kernels.linear_forward(normal(3, 31), w, normal(3, 4))
    with pytest.raises(ValueError, match=r"y has shape \(3, 5\), but must have \(3, 4\)"):
        _kernels.linear_forward(normal(3, 32), w, normal(3, 5))
    with pytest.raises(TypeError, match="float32 matrix"):
        _kernels.linear_forward(np.zeros((3, 32)), w, normal(3, 4))  # type: ignore[arg-type]
    pair = _kernels.Lora(normal(2, 32), normal(4, 2), 1.0)
    with pytest.raises(ValueError, match="one product for each pair"):
        _kernels.linear_forward(normal(3, 32), w, normal(3, 4), pairs=[pair])
    with pytest.raises(ValueError, match=r"b has shape \(4, 3\), but must have \(4, 2\)"):
        _kernels.Lora(normal(2, 32), normal(4, 3), 1.0)
    with pytest.raises(ValueError, match="precision is 'half'"):
        _kernels.linear_forward(normal(3, 32), w, normal(3, 4), precision="half")  # type: ignore[arg-type]
