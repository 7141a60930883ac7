"""What a decoder looks like, as data: read from a GGUF header, checked, never guessed.

A `Family` says how an architecture differs from the others (names of its
tensors, kind of RoPE, activation); `Architecture` adds the sizes of one model. The
forward and backward pass read only this. A file that has anything beyond its
family's description is refused by name, because ignoring a tensor or a key
would train against another model than llama.cpp runs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ondevice.base.gguf_header import GgufHeader
from ondevice.errors import TrainingError

# The linear layers of a block that can be adapted, in the order of the computation.
LINEAR_LAYERS = (
    "attn_q",
    "attn_k",
    "attn_v",
    "attn_output",
    "ffn_gate",
    "ffn_up",
    "ffn_down",
)

_BLOCK = re.compile(r"blk\.(0|[1-9][0-9]*)\.(.+)")


@dataclass(frozen=True)
class Family:
    """How one architecture differs from the others.

    Attributes:
        rope: "interleaved" turns neighbouring pairs (0,1), (2,3)…; "half" turns (i, i + D/2).
        activation: the gate's activation function.
        block_tensors: the tensors of each block.
        global_tensors: the tensors outside the blocks.
        optional_tensors: global tensors that may be absent.
        neutral_keys: metadata that would change the computation, with the values that do not;
            keys are given without the architecture's prefix.
    """

    rope: Literal["interleaved", "half"]
    activation: Literal["silu", "gelu_tanh"]
    block_tensors: frozenset[str]
    global_tensors: frozenset[str]
    optional_tensors: frozenset[str]
    neutral_keys: Mapping[str, tuple[object, ...]]


_LLAMA_BLOCK = frozenset(
    {f"{name}.weight" for name in LINEAR_LAYERS} | {"attn_norm.weight", "ffn_norm.weight"}
)

FAMILIES: dict[str, Family] = {
    "llama": Family(  # Llama 2 and 3.x, Mistral, SmolLM2 and others of the same build
        rope="interleaved",
        activation="silu",
        block_tensors=_LLAMA_BLOCK,
        global_tensors=frozenset({"token_embd.weight", "output_norm.weight"}),
        optional_tensors=frozenset({"output.weight", "rope_freqs.weight"}),
        neutral_keys={
            "expert_count": (0,),
            "expert_used_count": (0,),
            "attention.causal": (True,),
            "attention.sliding_window": (0,),
            "attention.clamp_kqv": (0.0,),
            "attention.max_alibi_bias": (0.0,),
            "attention.temperature_scale": (0.0, 1.0),
            "attn_logit_softcapping": (0.0,),
            "final_logit_softcapping": (0.0,),
            "embedding_scale": (0.0, 1.0),
            "residual_scale": (0.0, 1.0),
            "logit_scale": (0.0, 1.0),
            "use_parallel_residual": (False,),
            "rope.scaling.attn_factor": (0.0, 1.0),
        },
    )
}


@dataclass(frozen=True)
class Architecture:
    """The sizes and constants of one model.

    Attributes:
        name: `general.architecture`.
        family: what it has in common with its relatives.
        n_layers: number of blocks.
        width: values of the residual stream for each token.
        n_heads: query heads.
        n_kv_heads: key and value heads; divides `n_heads`.
        head_dim: width of one head.
        n_ff: inner width of the feed-forward part.
        n_vocab: rows of the embedding table and of the head.
        n_ctx_train: longest context that the model was made for.
        norm_eps: added to the mean square in RMSNorm.
        rope_base: the base of the RoPE frequencies.
        rope_scale: positions are multiplied by this (linear scaling).
        attention_scale: factor on query-key products.
        tied_head: the head is the embedding table.
        rope_factors: the file brings a divisor for each RoPE frequency (`rope_freqs`).
    """

    name: str
    family: Family
    n_layers: int
    width: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    n_ff: int
    n_vocab: int
    n_ctx_train: int
    norm_eps: float
    rope_base: float
    rope_scale: float
    attention_scale: float
    tied_head: bool
    rope_factors: bool

    @property
    def head_tensor(self) -> str:
        """Name of the tensor that turns hidden states into logits."""
        return "token_embd.weight" if self.tied_head else "output.weight"

    def linear_shape(self, layer: str) -> tuple[int, int]:
        """Return (inputs, outputs) of one of `LINEAR_LAYERS`."""
        heads, groups = self.n_heads * self.head_dim, self.n_kv_heads * self.head_dim
        return {
            "attn_q": (self.width, heads),
            "attn_k": (self.width, groups),
            "attn_v": (self.width, groups),
            "attn_output": (heads, self.width),
            "ffn_gate": (self.width, self.n_ff),
            "ffn_up": (self.width, self.n_ff),
            "ffn_down": (self.n_ff, self.width),
        }[layer]


def read_architecture(header: GgufHeader) -> Architecture:
    """Return the architecture of the model that `header` describes.

    Raises:
        TrainingError: the architecture, or something in the file, is not supported; the message
            names it.
    """
    family = FAMILIES.get(header.architecture)
    if family is None:
        known = ", ".join(FAMILIES)
        raise TrainingError(
            f"Training does not support the architecture '{header.architecture}' of "
            f"{header.path.name}; supported: {known}."
        )
    _check_keys(header, family)
    keys = _Keys(header)
    width = keys.count("embedding_length")
    n_heads = keys.count("attention.head_count")
    n_kv_heads = keys.count("attention.head_count_kv", n_heads)
    if n_heads % n_kv_heads:
        raise keys.unusable("attention.head_count_kv")
    head_dim = keys.count("attention.key_length", width // n_heads)
    if keys.count("attention.value_length", head_dim) != head_dim:
        raise keys.unusable("attention.value_length")
    if head_dim % 2 or keys.count("rope.dimension_count", head_dim) != head_dim:
        raise keys.unusable("rope.dimension_count")
    embedding = header.tensors.get("token_embd.weight")
    if embedding is None or len(embedding.shape) != 2:
        raise TrainingError(f"{header.path.name} has no embedding table 'token_embd.weight'.")
    architecture = Architecture(
        name=header.architecture,
        family=family,
        n_layers=keys.count("block_count"),
        width=width,
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        head_dim=head_dim,
        n_ff=keys.count("feed_forward_length"),
        n_vocab=embedding.shape[1],
        n_ctx_train=keys.count("context_length"),
        norm_eps=keys.number("attention.layer_norm_rms_epsilon"),
        rope_base=keys.number("rope.freq_base", 10000.0),
        rope_scale=_rope_scale(keys),
        attention_scale=keys.number("attention.scale", 1.0 / math.sqrt(head_dim)),
        tied_head="output.weight" not in header.tensors,
        rope_factors="rope_freqs.weight" in header.tensors,
    )
    _check_tensors(header, architecture)
    return architecture


class _Keys:
    """Looks up the architecture's own metadata."""

    def __init__(self, header: GgufHeader) -> None:
        self.header = header
        self.prefix = f"{header.architecture}."

    def count(self, key: str, default: int | None = None) -> int:
        value = self.header.metadata.get(self.prefix + key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
            raise self.unusable(key)
        return value

    def number(self, key: str, default: float | None = None) -> float:
        value = self.header.metadata.get(self.prefix + key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.unusable(key)
        if not math.isfinite(value) or value <= 0:
            raise self.unusable(key)
        return float(value)

    def text(self, key: str, default: str) -> str:
        value = self.header.metadata.get(self.prefix + key, default)
        if not isinstance(value, str):
            raise self.unusable(key)
        return value

    def unusable(self, key: str) -> TrainingError:
        return TrainingError(
            f"Training does not support the value of '{self.prefix}{key}' in "
            f"{self.header.path.name}."
        )


def _rope_scale(keys: _Keys) -> float:
    """Return the factor on positions; only no scaling and linear scaling are known."""
    kind = keys.text("rope.scaling.type", "none")
    old_style = keys.header.metadata.get(keys.prefix + "rope.scale_linear")
    if kind == "none":
        return 1.0 / keys.number("rope.scale_linear") if old_style is not None else 1.0
    if kind == "linear":
        return 1.0 / keys.number("rope.scaling.factor", 1.0)
    raise keys.unusable("rope.scaling.type")


def _check_keys(header: GgufHeader, family: Family) -> None:
    for key, neutral in family.neutral_keys.items():
        name = f"{header.architecture}.{key}"
        if name in header.metadata and header.metadata[name] not in neutral:
            raise TrainingError(
                f"Training does not support '{name}', which {header.path.name} uses."
            )


def _check_tensors(header: GgufHeader, architecture: Architecture) -> None:
    """Check that the file has the tensors of its family, in their shapes, and no others."""
    expected: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (architecture.width, architecture.n_vocab),
        "output_norm.weight": (architecture.width,),
    }
    if not architecture.tied_head:
        expected["output.weight"] = (architecture.width, architecture.n_vocab)
    if architecture.rope_factors:
        expected["rope_freqs.weight"] = (architecture.head_dim // 2,)
    for index in range(architecture.n_layers):
        for name in architecture.family.block_tensors:
            layer = name.removesuffix(".weight")
            linear = layer in LINEAR_LAYERS
            expected[f"blk.{index}.{name}"] = (
                architecture.linear_shape(layer) if linear else (architecture.width,)
            )
    for name, shape in expected.items():
        tensor = header.tensors.get(name)
        if tensor is None:
            raise TrainingError(f"{header.path.name} lacks the tensor '{name}'.")
        if tensor.shape != shape:
            raise TrainingError(
                f"The tensor '{name}' of {header.path.name} has shape {tensor.shape}, "
                f"but its metadata says {shape}."
            )
        if len(shape) == 1 and tensor.type != "F32":
            raise TrainingError(f"The tensor '{name}' of {header.path.name} is not F32.")
    for name in header.tensors:
        if name not in expected:
            raise TrainingError(
                f"Training does not support the tensor '{name}', which {header.path.name} has."
            )


def block_of(name: str) -> tuple[int, str] | None:
    """Split "blk.3.attn_q.weight" into (3, "attn_q.weight"); None for tensors outside blocks."""
    match = _BLOCK.fullmatch(name)
    return (int(match[1]), match[2]) if match else None
