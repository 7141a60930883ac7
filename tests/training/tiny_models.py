"""Writes small random GGUF files of every family that can be trained."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
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


def write_tiny(
    path: Path,
    architecture: str = "llama",
    *,
    layers: int = 2,
    width: int = 64,
    heads: int = 4,
    kv_heads: int = 2,
    head_dim: int | None = None,
    ff: int = 96,
    vocab: int = 97,
    tied: bool = True,
    rope_factors: bool = False,
    long_and_short: bool = False,
    linear_scaling: float | None = None,
    rope_dims: int | None = None,
    biases: tuple[str, ...] = (),
    fused_qkv: bool = False,
    kinds: tuple[str, ...] = ("F32",),
    extra: dict[str, object] | None = None,
    extra_tensors: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
    tokenizer: Callable[[gguf.GGUFWriter], None] | None = None,
    gain: float = 1.5,
    seed: int = 0,
) -> Path:
    """Write a model, without vocabulary if `tokenizer` adds none.

    Args:
        path: the file.
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
        tokenizer: adds a vocabulary.
        gain: size of the blocks' weights.
        seed: of the weights.
    """
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, architecture)
    d = head_dim or width // heads
    keys: dict[str, object] = {
        "context_length": 512,
        "embedding_length": width,
        "block_count": layers,
        "feed_forward_length": ff,
        "attention.head_count": heads,
        "attention.head_count_kv": kv_heads,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.freq_base": 10000.0,
        "rope.dimension_count": rope_dims or d,
        "vocab_size": vocab,
    }
    if head_dim is not None:
        keys |= {"attention.key_length": head_dim, "attention.value_length": head_dim}
    if linear_scaling is not None:
        keys |= {"rope.scaling.type": "linear", "rope.scaling.factor": linear_scaling}
    named = {f"{architecture}.{key}": value for key, value in keys.items()}
    named |= FAMILY_KEYS.get(architecture, {}) | (extra or {})
    for key, value in named.items():
        if key not in without:
            _add(writer, key, value)
    if tokenizer is None:
        writer.add_tokenizer_model("no_vocab")
    else:
        tokenizer(writer)
    used = 0

    def tensor(name: str, values: NDArray[np.float32], kind: str = "F32") -> None:
        if name not in without:
            raw = gguf.GGMLQuantizationType[kind]
            writer.add_tensor(name, quantized(values, kind), raw_dtype=raw)

    def matrix(name: str, rows: int, columns: int, size: float) -> None:
        nonlocal used
        values = (random.standard_normal((rows, columns)) * size).astype(np.float32)
        used += 1
        tensor(f"{name}.weight", values, kinds[(used - 1) % len(kinds)])
        if name.rpartition(".")[2] in biases:
            vector(f"{name}.bias", rows, 0.0, 0.3)

    def vector(name: str, length: int, middle: float = 1.0, size: float = 0.2) -> None:
        tensor(name, (middle + size * random.standard_normal(length)).astype(np.float32))

    matrix("token_embd", vocab, width, 1.0)
    if not tied:
        matrix("output", vocab, width, 0.3)
    vector("output_norm.weight", width)
    turned = (rope_dims or d) // 2
    if rope_factors:
        tensor("rope_freqs.weight", np.linspace(1.0, 8.0, turned).astype(np.float32))
    if long_and_short:
        tensor("rope_factors_long.weight", np.linspace(2.0, 20.0, turned).astype(np.float32))
        tensor("rope_factors_short.weight", np.linspace(1.0, 1.5, turned).astype(np.float32))
    heads_width, kv = d * heads, d * kv_heads
    post = architecture == "gemma3"
    for i in range(layers):
        block, size = f"blk.{i}.", gain * width**-0.5
        for name in ("attn_norm", "ffn_norm"):
            vector(f"{block}{name}.weight", width)
        for name in ("post_attention_norm", "post_ffw_norm") if post else ():
            vector(f"{block}{name}.weight", width)
        for name in ("attn_q_norm", "attn_k_norm") if architecture in QK_NORM else ():
            vector(f"{block}{name}.weight", d)
        if fused_qkv:
            matrix(f"{block}attn_qkv", heads_width + 2 * kv, width, size)
        else:
            matrix(f"{block}attn_q", heads_width, width, size)
            matrix(f"{block}attn_k", kv, width, size)
            matrix(f"{block}attn_v", kv, width, size)
        matrix(f"{block}attn_output", width, heads_width, size)
        if architecture == "phi3":
            matrix(f"{block}ffn_up", 2 * ff, width, size)
        else:
            matrix(f"{block}ffn_gate", ff, width, size)
            matrix(f"{block}ffn_up", ff, width, size)
        matrix(f"{block}ffn_down", width, ff, size)
    for name in extra_tensors:
        writer.add_tensor(name, np.zeros(width, np.float32))
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
