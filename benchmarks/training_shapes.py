"""The models that `training.py` trains on: one real file, and others made on the spot.

A made one has the dimensions and the tensor types of a published file, and random weights:
random rows that ggml itself quantized, drawn from a pool, because how fast a row is multiplied
does not depend on its values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from ggml_peer import quantize

from ondevice.home import Home
from ondevice.models.base_model import resolve

POOL_ROWS = 64


@dataclass(frozen=True)
class Shape:
    """The dimensions of a model, and the types of its matrices.

    `small` and `large` are the types of llama.cpp's mixture "Q4_K_M": the large one for the
    embedding and, in half of the blocks, for attn_v and ffn_down. Rows of `width` values may be
    no multiple of 256; `narrow` gives both types for them.
    """

    layers: int
    width: int
    heads: int
    kv_heads: int
    ff: int
    vocab: int
    context: int
    rope_base: float
    rope_factors: bool
    narrow: tuple[str, str]
    wide: tuple[str, str] = ("Q4_K", "Q6_K")
    family: str = "llama"
    head_dim: int = 0  # 0: width / heads
    window: int = 0  # of sliding attention; 0: none
    head_norms: bool = False  # of queries and keys
    post_norms: bool = False  # after attention and feed-forward

    @property
    def head(self) -> int:
        """Numbers in a head."""
        return self.head_dim or self.width // self.heads

    @property
    def norms(self) -> dict[str, int]:
        """Return the normalizations of a block, and how many numbers each has."""
        sizes = {"attn_norm": self.width, "ffn_norm": self.width}
        if self.head_norms:
            sizes |= {"attn_q_norm": self.head, "attn_k_norm": self.head}
        if self.post_norms:
            sizes |= {"post_attention_norm": self.width, "post_ffw_norm": self.width}
        return sizes

    def matrices(self) -> Iterator[tuple[str, int, int, str]]:
        """Yield the name, outputs, inputs and type of every matrix."""
        head, queries = self.head, self.head * self.heads
        small, large = self.narrow
        yield "token_embd.weight", self.vocab, self.width, large
        for i in range(self.layers):
            block, eighth = f"blk.{i}.", self.layers // 8
            more = i < eighth or i >= 7 * self.layers // 8 or (i - eighth) % 3 == 2
            yield block + "attn_q.weight", queries, self.width, small
            yield block + "attn_k.weight", head * self.kv_heads, self.width, small
            yield block + "attn_v.weight", head * self.kv_heads, self.width, self.narrow[more]
            yield block + "attn_output.weight", self.width, queries, small
            yield block + "ffn_gate.weight", self.ff, self.width, small
            yield block + "ffn_up.weight", self.ff, self.width, small
            yield block + "ffn_down.weight", self.width, self.ff, self.wide[more]


MADE = {
    "0.5B": Shape(24, 896, 14, 2, 4864, 151936, 32768, 1e6, False, ("Q5_0", "Q8_0")),  # Qwen2.5
    "1.2B": Shape(16, 2048, 32, 8, 8192, 128256, 131072, 5e5, True, ("Q4_K", "Q6_K")),  # Llama 3.2
    "gemma3-270M": Shape(
        18, 640, 4, 1, 2048, 262144, 32768, 1e6, False, ("Q8_0", "Q8_0"), ("Q8_0", "Q8_0"),
        "gemma3", head_dim=256, window=512, head_norms=True, post_norms=True,
    ),
    "qwen3-0.6B": Shape(
        28, 1024, 16, 8, 3072, 151936, 40960, 1e6, False, ("Q4_K", "Q6_K"),
        family="qwen3", head_dim=128, head_norms=True,
    ),
    "8B": Shape(32, 4096, 32, 8, 14336, 128256, 131072, 5e5, True, ("Q4_K", "Q6_K")),  # Llama 3.1
}  # fmt: skip
NAMES = ("135M", *MADE)


def model_of(name: str, folder: Path) -> Path:
    """Return the file of the shape `name`; one that must be made goes to `folder`."""
    if name == "135M":
        return resolve("default", Home.below(folder)).path
    path = folder / f"{name}.gguf"
    if not path.exists():
        write(MADE[name], path)
    return path


def write(shape: Shape, path: Path) -> None:
    """Write a model of this shape, without vocabulary."""
    random = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, shape.family)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.ff)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_rope_dimension_count(shape.head)
    writer.add_key_length(shape.head)
    writer.add_value_length(shape.head)
    if shape.window:
        writer.add_sliding_window(shape.window)
    writer.add_vocab_size(shape.vocab)
    writer.add_tokenizer_model("no_vocab")

    vectors = {"output_norm.weight": np.ones(shape.width, np.float32)}
    if shape.rope_factors:
        n_frequencies = shape.head // 2
        vectors["rope_freqs.weight"] = np.linspace(1, 32, n_frequencies, dtype=np.float32)
    for i in range(shape.layers):
        for norm, n in shape.norms.items():
            vectors[f"blk.{i}.{norm}.weight"] = np.ones(n, np.float32)

    pools: dict[tuple[str, int], np.ndarray] = {}
    for name, n, k, kind in shape.matrices():
        if (kind, k) not in pools:
            values = 0.5 * k**-0.5 * random.standard_normal((POOL_ROWS, k), np.float32)
            pools[kind, k] = quantize(kind, values)
        row_bytes = pools[kind, k].shape[1]
        writer.add_tensor_info(
            name, (n, row_bytes), np.dtype(np.uint8), n * row_bytes,
            gguf.GGMLQuantizationType[kind],
        )  # fmt: skip
    for name, vector in vectors.items():
        writer.add_tensor_info(name, vector.shape, vector.dtype, vector.nbytes)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for _, n, k, kind in shape.matrices():
        writer.write_tensor_data(pools[kind, k][random.integers(0, POOL_ROWS, n)])
    for vector in vectors.values():
        writer.write_tensor_data(vector)
    writer.close()
