"""A transformer decoder, forward and backward, over frozen quantized weights.

Letters: T tokens of a pack, C width of the residual stream, H and G query and
key/value heads of width D, F inner feed-forward width, S supervised tokens.

    x = embedding[tokens]
    for each block:
        x = x + attn_output · attention(rope(attn_q · n), rope(attn_k · n), attn_v · n)
                                                              with n = norm(x)
        x = x + ffn_down · (act(ffn_gate · n) * ffn_up · n)   with n = norm(x)
    loss = cross_entropy(head · norm(x) at the supervised tokens)

The backward pass runs the same lines in reverse. It keeps x, q, k, v, the
attention's result, gate and up of each block; the norms and the activation are
cheap and computed again. Blocks below `recompute` keep x (and the small A x)
and run their forward pass a second time. Below the lowest trained block nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ondevice import _kernels
from ondevice._kernels import Packed
from ondevice.training.architecture import LINEAR_LAYERS
from ondevice.training.buffers import Buffers
from ondevice.training.data import Pack
from ondevice.training.lora import AdaptedLinear, Pair
from ondevice.training.weights import Weights

if TYPE_CHECKING:
    from ondevice._kernels import F32, I32, Precision


@dataclass(eq=False)
class Block:
    """One block's parts."""

    attn_norm: F32
    ffn_norm: F32
    linear: dict[str, AdaptedLinear]

    def trains(self, *layers: str) -> bool:
        """Whether one of the named linear layers, or of all, is trained."""
        return any(self.linear[layer].trained for layer in layers or LINEAR_LAYERS)


@dataclass(eq=False)
class Saved:
    """What a block's backward pass needs of its forward pass; shapes as in the module's head."""

    x: F32  # (T, C) the block's input
    q: F32  # (T, H, D) after RoPE
    k: F32  # (T, G, D) after RoPE
    v: F32  # (T, G, D)
    o: F32  # (T, H, D) attention's result
    lse: F32  # (H, T)
    middle: F32  # (T, C) the residual stream between the two halves
    gate: F32  # (T, F)
    up: F32  # (T, F)
    products: dict[str, list[F32]] = field(default_factory=dict)  # A x of each layer's pairs


@dataclass(eq=False)
class Places:
    """Where the tokens of a pack stand."""

    first: I32  # (T,) index of the first token of the token's document
    cos: F32  # (T, D/2)
    sin: F32


class Decoder:
    """A base model with adapters, ready to compute losses and gradients."""

    def __init__(
        self,
        weights: Weights,
        stack: Sequence[Mapping[str, Pair]] = (),
        *,
        precision: Precision = "auto",
        recompute: int = 0,
    ) -> None:
        """Put the pairs of `stack`, the lowest adapter first, beside the base's matrices.

        Args:
            weights: the base model.
            stack: base tensor name -> pair, of each adapter.
            precision: "f32" multiplies in float32 even where bfloat16 is faster.
            recompute: so many blocks, from below, are computed twice instead of kept.
        """
        self.weights = weights
        self.architecture = weights.architecture
        self.precision: Precision = precision
        self.recompute = recompute
        self.buffers = Buffers()
        self.blocks = [self._block(index, stack) for index in range(self.architecture.n_layers)]
        self.output_norm = weights.vector("output_norm.weight")
        self.head = weights.matrix(self.architecture.head_tensor)
        self.embedding = weights.matrix("token_embd.weight")
        self.rope_factors = (
            weights.vector("rope_freqs.weight") if self.architecture.rope_factors else None
        )
        trained = [index for index, block in enumerate(self.blocks) if block.trains()]
        self.lowest = min(trained, default=self.architecture.n_layers)

    def losses(self, pack: Pack) -> F32:
        """Return the loss in nats of each supervised token of `pack`, shape (S,)."""
        x, _, _ = self._forward(pack, keep=False)
        _, _, losses, _ = self._head(x, pack, None)
        return losses

    def hidden(self, pack: Pack) -> F32:
        """Return the normed hidden states of all tokens of `pack`, shape (T, C), for tests."""
        x, _, _ = self._forward(pack, keep=False)
        h, rstd = np.empty_like(x), np.empty(len(x), np.float32)
        _kernels.rms_norm_forward(x, self.output_norm, self.architecture.norm_eps, h, rstd)
        return h

    def losses_and_gradients(self, pack: Pack, weight: float | Callable[[F32], F32]) -> F32:
        """Return the losses (S,), and add their weighted sum's gradient to the trained pairs.

        Args:
            pack: what is computed.
            weight: of every token, or a function that returns the weights (S,) for the losses.
        """
        x, saved, places = self._forward(pack, keep=True)
        if callable(weight):  # the head is computed twice: its gradient depends on the losses
            weights = weight(self._head(x, pack, None)[2])
        else:
            weights = np.full(len(pack.targets), weight, np.float32)
        h, rstd, losses, dh = self._head(x, pack, weights)
        dh_rows = self.buffers.take("dh_rows", *h.shape)
        _kernels.rms_norm_backward(
            dh, np.ascontiguousarray(x[pack.rows]), self.output_norm, rstd, dh_rows
        )
        dx = self.buffers.take("dx", *x.shape)
        dx.fill(0.0)
        dx[pack.rows] = dh_rows
        for index in range(self.architecture.n_layers - 1, self.lowest - 1, -1):
            block, state = self.blocks[index], saved[index]
            if index < self.recompute:
                self._attention_forward(block, state, places)
                self._feed_forward(block, state, None)
            self._block_backward(block, state, places, dx, index > self.lowest)
        return losses

    def _block(self, index: int, stack: Sequence[Mapping[str, Pair]]) -> Block:
        linear = {}
        for layer in LINEAR_LAYERS:
            name = f"blk.{index}.{layer}.weight"
            pairs = [adapter[name] for adapter in stack if name in adapter]
            linear[layer] = AdaptedLinear(self.weights.matrix(name), pairs)
        return Block(
            attn_norm=self.weights.vector(f"blk.{index}.attn_norm.weight"),
            ffn_norm=self.weights.vector(f"blk.{index}.ffn_norm.weight"),
            linear=linear,
        )

    def _places(self, pack: Pack) -> Places:
        shape = (len(pack.tokens), self.architecture.head_dim // 2)
        cos, sin = np.empty(shape, np.float32), np.empty(shape, np.float32)
        base, scale = self.architecture.rope_base, self.architecture.rope_scale
        _kernels.rope_table(pack.positions, base, self.rope_factors, cos, sin, scale=scale)
        return Places(pack.first, cos, sin)

    def _forward(self, pack: Pack, *, keep: bool) -> tuple[F32, dict[int, Saved], Places]:
        """Return the last block's output (T, C) and, for each trained block, what it kept."""
        self.buffers.begin()
        places = self._places(pack)
        x = self.buffers.take("x.first", len(pack.tokens), self.architecture.width)
        _kernels.dequantize_rows(self.embedding, pack.tokens, x)
        saved: dict[int, Saved] = {}
        for index in range(self.architecture.n_layers):
            block = self.blocks[index]
            kept = keep and index >= self.lowest
            state = self._state(str(index) if kept and index >= self.recompute else "again", x)
            # The residual stream that leaves a block: own memory if it must survive, else two
            # arrays in turn, because a block reads its input until its last line.
            out = f"x.{index}" if keep and index + 1 >= self.lowest else f"x.{index % 2}.passing"
            self._attention_forward(block, state, places)
            x = self._feed_forward(block, state, self.buffers.take(out, *x.shape))
            if kept:
                saved[index] = state
        return x, saved, places

    def _state(self, slot: str, x: F32) -> Saved:
        """Return the arrays of `slot` for a block whose input is x."""
        a, take, n_tokens = self.architecture, self.buffers.take, len(x)
        return Saved(
            x=x,
            q=take(f"q.{slot}", n_tokens, a.n_heads, a.head_dim),
            k=take(f"k.{slot}", n_tokens, a.n_kv_heads, a.head_dim),
            v=take(f"v.{slot}", n_tokens, a.n_kv_heads, a.head_dim),
            o=take(f"o.{slot}", n_tokens, a.n_heads, a.head_dim),
            lse=take(f"lse.{slot}", a.n_heads, n_tokens),
            middle=take(f"middle.{slot}", n_tokens, a.width),
            gate=take(f"gate.{slot}", n_tokens, a.n_ff),
            up=take(f"up.{slot}", n_tokens, a.n_ff),
        )

    def _attention_forward(self, block: Block, s: Saved, places: Places) -> None:
        """Compute a block's first half, from s.x to s.middle."""
        a, linear, precision = self.architecture, block.linear, self.precision
        normed = self.buffers.take("normed", *s.x.shape)
        rstd = self.buffers.take("rstd", len(s.x))
        _kernels.rms_norm_forward(s.x, block.attn_norm, a.norm_eps, normed, rstd)
        packed = Packed(normed, precision)
        for layer, y in (("attn_q", s.q), ("attn_k", s.k), ("attn_v", s.v)):
            s.products[layer] = linear[layer].forward(packed, _flat(y), precision)
        interleaved = a.family.rope == "interleaved"
        _kernels.rope(s.q, places.cos, places.sin, interleaved=interleaved)
        _kernels.rope(s.k, places.cos, places.sin, interleaved=interleaved)
        _kernels.attention_forward(
            s.q, s.k, s.v, places.first, a.attention_scale, s.o, s.lse, precision=precision
        )
        s.products["attn_output"] = linear["attn_output"].forward(
            Packed(_flat(s.o), precision), s.middle, precision
        )
        s.middle += s.x

    def _feed_forward(self, block: Block, s: Saved, result: F32 | None) -> F32:
        """Compute a block's second half, from s.middle to `result` (T, C), and return that.

        Without `result` only what backward needs is computed: the last product is still there.
        """
        a, linear, precision = self.architecture, block.linear, self.precision
        normed = self.buffers.take("normed", *s.x.shape)
        rstd = self.buffers.take("rstd", len(s.x))
        _kernels.rms_norm_forward(s.middle, block.ffn_norm, a.norm_eps, normed, rstd)
        packed = Packed(normed, precision)
        s.products["ffn_gate"] = linear["ffn_gate"].forward(packed, s.gate, precision)
        s.products["ffn_up"] = linear["ffn_up"].forward(packed, s.up, precision)
        if result is None:
            return s.middle
        inner = self.buffers.take("inner", len(s.x), a.n_ff)
        _kernels.gated_forward(s.gate, s.up, inner, activation=a.family.activation)
        s.products["ffn_down"] = linear["ffn_down"].forward(
            Packed(inner, precision), result, precision
        )
        result += s.middle
        return result

    def _block_backward(self, block: Block, s: Saved, places: Places, dx: F32, below: bool) -> None:
        """Turn dx (T, C), the gradient of the block's output, into that of its input, in place.

        `below` says whether anything under this block is trained; if not, the pass stops at the
        lowest trained layer.
        """
        attention = block.trains("attn_q", "attn_k", "attn_v", "attn_output")
        self._feed_forward_backward(block, s, dx, below or attention)
        if below or attention:
            self._attention_backward(block, s, places, dx, below)

    def _feed_forward_backward(self, block: Block, s: Saved, dx: F32, below: bool) -> None:
        a, take, precision = self.architecture, self.buffers.take, self.precision
        n_tokens, linear = len(dx), block.linear
        normed, rstd = take("normed", n_tokens, a.width), take("rstd", n_tokens)
        _kernels.rms_norm_forward(s.middle, block.ffn_norm, a.norm_eps, normed, rstd)
        inner, dinner = take("inner", n_tokens, a.n_ff), take("dinner", n_tokens, a.n_ff)
        _kernels.gated_forward(s.gate, s.up, inner, activation=a.family.activation)
        deeper = below or block.trains("ffn_gate", "ffn_up")
        linear["ffn_down"].backward(
            dx, inner, s.products["ffn_down"], dinner if deeper else None, precision
        )
        if not deeper:
            return
        # gate and up are not needed any more: their gradients take their place.
        _kernels.gated_backward(dinner, s.gate, s.up, s.gate, s.up, activation=a.family.activation)
        dnormed = take("dnormed", n_tokens, a.width) if below else None
        linear["ffn_gate"].backward(s.gate, normed, s.products["ffn_gate"], dnormed, precision)
        linear["ffn_up"].backward(
            s.up, normed, s.products["ffn_up"], dnormed, precision, accumulate=True
        )
        if dnormed is not None:
            _kernels.rms_norm_backward(dnormed, s.middle, block.ffn_norm, rstd, dx, accumulate=True)

    def _attention_backward(
        self, block: Block, s: Saved, places: Places, dx: F32, below: bool
    ) -> None:
        a, take, precision = self.architecture, self.buffers.take, self.precision
        n_tokens, linear = len(dx), block.linear
        deeper = below or block.trains("attn_q", "attn_k", "attn_v")
        do = take("do", *s.o.shape)
        linear["attn_output"].backward(
            dx, _flat(s.o), s.products["attn_output"], _flat(do) if deeper else None, precision
        )
        if not deeper:
            return
        dq, dk, dv = take("dq", *s.q.shape), take("dk", *s.k.shape), take("dv", *s.v.shape)
        _kernels.attention_backward(
            do, s.q, s.k, s.v, places.first, a.attention_scale, s.o, s.lse, dq, dk, dv,
            precision=precision,
        )  # fmt: skip
        interleaved = a.family.rope == "interleaved"
        _kernels.rope(dq, places.cos, places.sin, interleaved=interleaved, backward=True)
        _kernels.rope(dk, places.cos, places.sin, interleaved=interleaved, backward=True)
        normed, rstd = take("normed", n_tokens, a.width), take("rstd", n_tokens)
        _kernels.rms_norm_forward(s.x, block.attn_norm, a.norm_eps, normed, rstd)
        dnormed = take("dnormed", n_tokens, a.width) if below else None
        for layer, dy in (("attn_q", dq), ("attn_k", dk), ("attn_v", dv)):
            linear[layer].backward(
                _flat(dy), normed, s.products[layer], dnormed, precision,
                accumulate=layer != "attn_q",
            )  # fmt: skip
        if dnormed is not None:
            _kernels.rms_norm_backward(dnormed, s.x, block.attn_norm, rstd, dx, accumulate=True)

    def _head(self, x: F32, pack: Pack, weights: F32 | None) -> tuple[F32, F32, F32, F32]:
        """Return normed states (S, C), rstd (S,), losses (S,) and, with weights, d states."""
        rows = np.ascontiguousarray(x[pack.rows])
        h = self.buffers.take("h", *rows.shape)
        rstd = np.empty(len(rows), np.float32)
        losses = np.empty(len(rows), np.float32)
        _kernels.rms_norm_forward(rows, self.output_norm, self.architecture.norm_eps, h, rstd)
        dh = self.buffers.take("dh", *rows.shape) if weights is not None else None
        _kernels.cross_entropy(
            h, self.head, pack.targets, losses, dh, weights, precision=self.precision
        )
        return h, rstd, losses, h if dh is None else dh


def _flat(heads: F32) -> F32:
    """View (T, heads, D) as (T, heads · D)."""
    return heads.reshape(len(heads), -1)
