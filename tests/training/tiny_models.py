"""Writes small random llama-family GGUF files."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np


def write_tiny_llama(
    path: Path,
    *,
    layers: int = 2,
    width: int = 64,
    heads: int = 4,
    kv_heads: int = 2,
    ff: int = 96,
    vocab: int = 97,
    tied: bool = True,
    rope_factors: bool = False,
    linear_scaling: float | None = None,
    kinds: tuple[str, ...] = ("F32",),
    architecture: str = "llama",
    extra: dict[str, object] | None = None,
    extra_tensors: tuple[str, ...] = (),
    gain: float = 1.5,
    seed: int = 0,
) -> Path:
    """Write a model without vocabulary; the matrices take the types `kinds` in turn."""
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(512)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(ff)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(width // heads)
    writer.add_vocab_size(vocab)
    writer.add_tokenizer_model("no_vocab")
    if linear_scaling is not None:
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(linear_scaling)
    for key, value in (extra or {}).items():
        if isinstance(value, float):
            writer.add_float32(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        else:
            writer.add_string(key, str(value))
    used = 0

    def matrix(name: str, rows: int, columns: int, size: float) -> None:
        nonlocal used
        values = (random.standard_normal((rows, columns)) * size).astype(np.float32)
        kind = gguf.GGMLQuantizationType[kinds[used % len(kinds)]]
        used += 1
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)

    def norm(name: str) -> None:
        writer.add_tensor(name, (1 + 0.2 * random.standard_normal(width)).astype(np.float32))

    matrix("token_embd.weight", vocab, width, 1.0)
    if not tied:
        matrix("output.weight", vocab, width, 0.3)
    norm("output_norm.weight")
    if rope_factors:
        factors = np.linspace(1.0, 8.0, width // heads // 2).astype(np.float32)
        writer.add_tensor("rope_freqs.weight", factors)
    kv = width // heads * kv_heads
    for i in range(layers):
        norm(f"blk.{i}.attn_norm.weight")
        norm(f"blk.{i}.ffn_norm.weight")
        size = gain * width**-0.5
        matrix(f"blk.{i}.attn_q.weight", width, width, size)
        matrix(f"blk.{i}.attn_k.weight", kv, width, size)
        matrix(f"blk.{i}.attn_v.weight", kv, width, size)
        matrix(f"blk.{i}.attn_output.weight", width, width, size)
        matrix(f"blk.{i}.ffn_gate.weight", ff, width, size)
        matrix(f"blk.{i}.ffn_up.weight", ff, width, size)
        matrix(f"blk.{i}.ffn_down.weight", width, ff, size)
    for name in extra_tensors:
        writer.add_tensor(name, np.zeros(width, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
