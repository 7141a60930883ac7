"""Writes small random GGUF files of every family that can be trained."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf
import llama_cpp
import numpy as np
from numpy.typing import NDArray

QK_NORM = ("qwen3", "gemma3")

# What each family needs beyond the sizes, as its converter writes it.
FAMILY_KEYS: dict[str, dict[str, object]] = {
    "gemma3": {
        "gemma3.attention.sliding_window": 5,
        "gemma3.rope.scaling.type": "linear",
        "gemma3.rope.scaling.factor": 8.0,
    },
    "phi3": {"phi3.rope.scaling.original_context_length": 256, "phi3.attention.sliding_window": 4},
    "granite": {
        "granite.attention.scale": 0.11,
        "granite.embedding_scale": 3.0,
        "granite.residual_scale": 0.4,
        "granite.logit_scale": 1.7,
    },
}


@dataclass
class Tiny:
    """A small model.

    Attributes:
        architecture: `general.architecture`.
        layers: and the following: sizes; `head_dim` None leaves the key out.
        rope_factors: with `rope_freqs`.
        long_and_short: with `rope_factors_long` and `rope_factors_short`.
        linear_scaling: of positions.
        rope_dims: dimensions of a head that are turned.
        biases: linear tensors with a bias.
        fused_qkv: one tensor for queries, keys and values.
        kinds: the matrices take these types in turn.
        extra: metadata; takes precedence over the family's.
        extra_tensors: names of vectors of zeros.
        without: keys and tensors to leave out.
        gain: size of the blocks' weights.
        seed: of the weights.
    """

    architecture: str = "llama"
    layers: int = 2
    width: int = 64
    heads: int = 4
    kv_heads: int = 2
    head_dim: int | None = None
    ff: int = 96
    vocab: int = 97
    tied: bool = True
    rope_factors: bool = False
    long_and_short: bool = False
    linear_scaling: float | None = None
    rope_dims: int | None = None
    biases: tuple[str, ...] = ()
    fused_qkv: bool = False
    kinds: tuple[str, ...] = ("F32",)
    extra: dict[str, object] = field(default_factory=dict)
    extra_tensors: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    gain: float = 1.5
    seed: int = 0

    @property
    def head(self) -> int:
        """Width of a head."""
        return self.head_dim or self.width // self.heads

    @property
    def turned(self) -> int:
        """Dimensions of a head that are turned."""
        return self.rope_dims or self.head

    def keys(self) -> dict[str, object]:
        """Return the metadata."""
        keys: dict[str, object] = {
            "context_length": 512,
            "embedding_length": self.width,
            "block_count": self.layers,
            "feed_forward_length": self.ff,
            "attention.head_count": self.heads,
            "attention.head_count_kv": self.kv_heads,
            "attention.layer_norm_rms_epsilon": 1e-5,
            "rope.freq_base": 10000.0,
            "rope.dimension_count": self.turned,
            "vocab_size": self.vocab,
        }
        if self.head_dim is not None:
            keys |= {"attention.key_length": self.head_dim}
            keys |= {"attention.value_length": self.head_dim}
        if self.linear_scaling is not None:
            keys |= {"rope.scaling.type": "linear", "rope.scaling.factor": self.linear_scaling}
        named = {f"{self.architecture}.{key}": value for key, value in keys.items()}
        named |= FAMILY_KEYS.get(self.architecture, {}) | self.extra
        return {key: value for key, value in named.items() if key not in self.without}


class _Tensors:
    """Makes a model's tensors, one after the other from one stream of random numbers."""

    def __init__(self, tiny: Tiny, writer: gguf.GGUFWriter) -> None:
        self.tiny, self.writer = tiny, writer
        self.random = np.random.default_rng(tiny.seed)
        self.used = 0

    def add_all(self) -> None:
        t = self.tiny
        self.matrix("token_embd", t.vocab, t.width, 1.0)
        if not t.tied:
            self.matrix("output", t.vocab, t.width, 0.3)
        self.vector("output_norm.weight", t.width)
        if t.rope_factors:
            self.factors("rope_freqs", 1.0, 8.0)
        if t.long_and_short:
            self.factors("rope_factors_long", 2.0, 20.0)
            self.factors("rope_factors_short", 1.0, 1.5)
        for index in range(t.layers):
            self.block(f"blk.{index}.")
        for name in t.extra_tensors:
            self.writer.add_tensor(name, np.zeros(t.width, np.float32))

    def block(self, block: str) -> None:
        t = self.tiny
        queries, groups, size = t.head * t.heads, t.head * t.kv_heads, t.gain * t.width**-0.5
        post = ("post_attention_norm", "post_ffw_norm") if t.architecture == "gemma3" else ()
        for name in ("attn_norm", "ffn_norm", *post):
            self.vector(f"{block}{name}.weight", t.width)
        for name in ("attn_q_norm", "attn_k_norm") if t.architecture in QK_NORM else ():
            self.vector(f"{block}{name}.weight", t.head)
        if t.fused_qkv:
            self.matrix(f"{block}attn_qkv", queries + 2 * groups, t.width, size)
        else:
            self.matrix(f"{block}attn_q", queries, t.width, size)
            self.matrix(f"{block}attn_k", groups, t.width, size)
            self.matrix(f"{block}attn_v", groups, t.width, size)
        self.matrix(f"{block}attn_output", t.width, queries, size)
        if t.architecture == "phi3":
            self.matrix(f"{block}ffn_up", 2 * t.ff, t.width, size)
        else:
            self.matrix(f"{block}ffn_gate", t.ff, t.width, size)
            self.matrix(f"{block}ffn_up", t.ff, t.width, size)
        self.matrix(f"{block}ffn_down", t.width, t.ff, size)

    def tensor(self, name: str, values: NDArray[np.float32], kind: str = "F32") -> None:
        if name not in self.tiny.without:
            raw = gguf.GGMLQuantizationType[kind]
            self.writer.add_tensor(name, quantized(values, kind), raw_dtype=raw)

    def matrix(self, name: str, rows: int, columns: int, size: float) -> None:
        values = (self.random.standard_normal((rows, columns)) * size).astype(np.float32)
        kinds = self.tiny.kinds
        self.tensor(f"{name}.weight", values, kinds[self.used % len(kinds)])
        self.used += 1
        if name.rpartition(".")[2] in self.tiny.biases:
            self.vector(f"{name}.bias", rows, 0.0, 0.3)

    def vector(self, name: str, length: int, middle: float = 1.0, size: float = 0.2) -> None:
        values = middle + size * self.random.standard_normal(length)
        self.tensor(name, values.astype(np.float32))

    def factors(self, name: str, first: float, last: float) -> None:
        values = np.linspace(first, last, self.tiny.turned // 2).astype(np.float32)
        self.tensor(f"{name}.weight", values)


def write_tiny(
    path: Path,
    architecture: str = "llama",
    *,
    tokenizer: Callable[[gguf.GGUFWriter], None] | None = None,
    **options: Any,
) -> Path:
    """Write a model with the options of `Tiny`; without vocabulary if `tokenizer` adds none."""
    tiny = Tiny(architecture, **options)
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in tiny.keys().items():
        _add(writer, key, value)
    if tokenizer is None:
        writer.add_tokenizer_model("no_vocab")
    else:
        tokenizer(writer)
    _Tensors(tiny, writer).add_all()
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_tiny_llama(path: Path, **options: Any) -> Path:
    """Write a small Llama."""
    return write_tiny(path, options.pop("architecture", "llama"), **options)


def quantized(values: NDArray[np.float32], kind: str) -> NDArray[Any]:
    """Return `values` in the type `kind`; K-quants are made by ggml itself."""
    raw = gguf.GGMLQuantizationType[kind]
    if not kind.endswith("_K"):
        return gguf.quants.quantize(values, raw)
    block, size = gguf.GGML_QUANT_SIZES[raw]
    rows, columns = values.shape
    data = np.zeros((rows, columns // block * size), np.uint8)
    function = _ggml().ggml_quantize_chunk
    function.restype = ctypes.c_size_t
    pointer, count = ctypes.c_void_p, ctypes.c_int64
    function(
        ctypes.c_int(raw.value), pointer(values.ctypes.data), pointer(data.ctypes.data), count(0),
        count(rows), count(columns), pointer(None),
    )  # fmt: skip
    return data


def _ggml() -> ctypes.CDLL:
    folder = Path(llama_cpp.__file__).parent / "lib"
    return ctypes.CDLL(str(next(folder.glob("*ggml-base.*"))))


def _add(writer: gguf.GGUFWriter, key: str, value: object) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, list):
        writer.add_array(key, value)
    else:
        writer.add_string(key, str(value))
