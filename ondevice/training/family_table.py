"""The model families that can be trained, each a few lines of data.

What an architecture has in common with its relatives stands here; the sizes of
one model are in `architecture`, how tokens are placed in `rope`, and the
arithmetic, once for all of them, in `decoder`. Names, defaults and meanings of
the metadata are those by which llama.cpp runs the same file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

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

_QKV = frozenset({"attn_q", "attn_k", "attn_v", "attn_qkv"})
_ALL = frozenset({*LINEAR_LAYERS, "attn_qkv"})
_LONG_AND_SHORT = frozenset({"rope_factors_long.weight", "rope_factors_short.weight"})

# Metadata that would change the computation, with the values that do not; names without the
# architecture's prefix.
_NEUTRAL: dict[str, tuple[object, ...]] = {
    "expert_count": (0,),
    "expert_used_count": (0,),
    "expert_shared_feed_forward_length": (0,),
    "nextn_predict_layers": (0,),
    "deepstack_mapping": (-1,),
    "attention.causal": (True,),
    "attention.clamp_kqv": (0.0,),
    "attention.max_alibi_bias": (0.0,),
    "attention.temperature_scale": (0.0, 1.0),
    "attn_logit_softcapping": (0.0,),
    "final_logit_softcapping": (0.0,),
    "use_parallel_residual": (False,),
}
_NO_SCALES: dict[str, tuple[object, ...]] = {
    "embedding_scale": (0.0, 1.0),
    "residual_scale": (0.0, 1.0),
    "logit_scale": (0.0, 1.0),
}


@dataclass(frozen=True)
class Family:
    """How one architecture differs from the others.

    Attributes:
        rope: "interleaved" turns neighbouring pairs (0,1), (2,3)…; "half" turns (i, i + D/2).
        activation: the gate's activation function.
        biases: linear layers that may have a bias.
        qk_norm: each head's queries and keys are normed before they are turned.
        post_norm: what a half of the block adds to the residual stream is normed first.
        fused_gate_up: the tensor `ffn_up` holds the rows of the gate and then those of `ffn_up`.
        partial_rope: a head may have dimensions that are not turned.
        rope_tensors: tensors with divisors of the RoPE frequencies that a file may have.
        rope_switch: the key `rope.scaling.finetuned` says whether positions are used at all.
        no_rope_every: every so many blocks, one does not turn; 0: all turn.
        window_pattern: blocks with a sliding window come in groups of this size, whose last
            block sees everything, unless the file says otherwise; 0: no windows.
        embedding_scale: embeddings are multiplied by the square root of their width.
        scales: the file says by what embeddings, residuals, attention and logits are multiplied.
        width_scaled_layers: a model of exactly so many blocks scales attention by its width
            divided by the number of heads, not by the heads' own width; 0: none does.
        neutral_keys: metadata that would change the computation, with the values that do not.
    """

    rope: Literal["interleaved", "half"]
    activation: Literal["silu", "gelu_tanh"] = "silu"
    biases: frozenset[str] = frozenset()
    qk_norm: bool = False
    post_norm: bool = False
    fused_gate_up: bool = False
    partial_rope: bool = False
    rope_tensors: frozenset[str] = frozenset()
    rope_switch: bool = False
    no_rope_every: int = 0
    window_pattern: int = 0
    embedding_scale: bool = False
    scales: bool = False
    width_scaled_layers: int = 0
    neutral_keys: Mapping[str, tuple[object, ...]] = field(
        default_factory=lambda: _NEUTRAL | _NO_SCALES
    )

    @property
    def norms(self) -> tuple[str, ...]:
        """Names of a block's norms over the residual stream's width."""
        names = ("attn_norm", "ffn_norm")
        return (*names, "post_attention_norm", "post_ffw_norm") if self.post_norm else names


FAMILIES: dict[str, Family] = {
    # Llama 2 and 3.x, Mistral, SmolLM2 and others of the same build.
    "llama": Family(
        rope="interleaved",
        biases=_ALL,
        rope_tensors=_LONG_AND_SHORT | {"rope_freqs.weight"},
    ),
    "qwen2": Family(rope="half", biases=_QKV),
    "qwen3": Family(rope="half", biases=_QKV, qk_norm=True),
    "gemma3": Family(
        rope="half",
        activation="gelu_tanh",
        biases=_QKV,
        qk_norm=True,
        post_norm=True,
        partial_rope=True,
        window_pattern=6,
        embedding_scale=True,
        width_scaled_layers=62,  # Gemma 3 27B
    ),
    # Phi-3, 3.5 and 4; llama.cpp runs them without their sliding windows.
    "phi3": Family(
        rope="half",
        biases=_QKV,
        fused_gate_up=True,
        partial_rope=True,
        rope_tensors=_LONG_AND_SHORT,
    ),
    "granite": Family(
        rope="interleaved",
        biases=_ALL,
        rope_tensors=_LONG_AND_SHORT | {"rope_freqs.weight"},
        rope_switch=True,
        scales=True,
        neutral_keys=_NEUTRAL,
    ),
    "smollm3": Family(rope="interleaved", biases=_QKV, no_rope_every=4),
}
