"""What a decoder's blocks consist of, and what of a forward pass is kept for the backward pass.

Letters as in `decoder`: T tokens, C width, H and G heads of width D, F inner width.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ondevice.training.architecture import Architecture
from ondevice.training.buffers import Buffers
from ondevice.training.family_table import LINEAR_LAYERS
from ondevice.training.lora import AdaptedLinear
from ondevice.training.rope import Rope

if TYPE_CHECKING:
    from ondevice._kernels import BF16, F32, I32

Rows = NDArray[np.intp]  # indices of some of the tokens


@dataclass(eq=False)
class Block:
    """One block's parts; a norm that the family does not have is None."""

    attn_norm: F32
    ffn_norm: F32
    attn_post_norm: F32 | None
    ffn_post_norm: F32 | None
    q_norm: F32 | None
    k_norm: F32 | None
    linear: dict[str, AdaptedLinear]
    rope: Rope | None
    window: int

    def trains(self, *layers: str) -> bool:
        """Whether one of the named linear layers, or of all, is trained."""
        return any(self.linear[layer].trained for layer in layers or LINEAR_LAYERS)

    def has_bias(self, *layers: str) -> bool:
        """Whether one of the named linear layers has one."""
        return any(self.linear[layer].bias is not None for layer in layers)


@dataclass(eq=False)
class Saved:
    """What a block's backward pass needs of its forward pass; shapes as in the module's head.

    Where no norm stands between them, attn_out is middle. From attn_out on they have R rows:
    for the tokens `rows`, or for all.
    """

    rows: Rows | None
    x: F32  # (T, C) the block's input
    q_raw: F32 | None  # (T, H, D) before the norm, if there is one
    k_raw: F32 | None  # (T, G, D) before the norm, if there is one
    q: F32 | BF16  # (T, H, D) after norm and RoPE
    k: F32 | BF16  # (T, G, D) after norm and RoPE
    v: F32 | BF16  # (T, G, D)
    o: F32 | BF16  # (T, H, D) attention's result
    lse: F32  # (H, T)
    attn_out: F32  # (R, C) attn_output's result, before the norm
    middle: F32  # (R, C) the residual stream between the two halves
    gate: F32 | BF16  # (R, F)
    up: F32 | BF16  # (R, F)
    ffn_out: F32 | None  # (R, C) ffn_down's result, before the norm; None where there is no norm
    products: dict[str, list[F32]] = field(default_factory=dict)  # A x of each layer's pairs

    @classmethod
    def take(
        cls,
        a: Architecture,
        buffers: Buffers,
        slot: str,
        x: F32,
        rows: Rows | None,
        *,
        bf16_heads: bool,
        bf16_inner: bool,
    ) -> Saved:
        """Return the arrays of `slot` for a block whose input is x.

        With bf16_heads those of attention, with bf16_inner gate and up are in bfloat16.
        """
        family = a.family
        t, r = len(x), len(x) if rows is None else len(rows)
        q, kv = (t, a.n_heads, a.head_dim), (t, a.n_kv_heads, a.head_dim)

        def take(name: str, *shape: int) -> F32:
            return buffers.take(f"{name}.{slot}", *shape)

        def take_bf16(name: str, *shape: int) -> BF16:
            return buffers.take_bf16(f"{name}.{slot}", *shape)

        take_heads, take_inner = (take_bf16 if bf16 else take for bf16 in (bf16_heads, bf16_inner))
        middle = take("middle", r, a.width)
        return cls(
            rows=rows,
            x=x,
            q_raw=take("q_raw", *q) if family.qk_norm else None,
            k_raw=take("k_raw", *kv) if family.qk_norm else None,
            q=take_heads("q", *q),
            k=take_heads("k", *kv),
            v=take_heads("v", *kv),
            o=take_heads("o", *q),
            lse=take("lse", a.n_heads, t),
            attn_out=take("attn_out", r, a.width) if family.post_norm else middle,
            middle=middle,
            gate=take_inner("gate", r, a.n_ff),
            up=take_inner("up", r, a.n_ff),
            ffn_out=take("ffn_out", r, a.width) if family.post_norm else None,
        )


@dataclass(eq=False)
class Places:
    """Where the tokens of a pack stand."""

    first: I32  # (T,) index of the first token of the token's document
    turns: dict[Rope, tuple[F32, F32]]  # cosines and sines (T, D/2)
