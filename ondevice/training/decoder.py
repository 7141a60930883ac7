"""A transformer decoder, forward and backward, over frozen quantized weights.

Letters: T tokens of a pack, C width of the residual stream, H and G query and
key/value heads of width D, F inner feed-forward width, S supervised tokens.

    x = embedding[tokens]
    for each block:
        x = x + post(attn_output · attention(rope(q), rope(k), attn_v · n))
                                   with q = qk(attn_q · n), k = qk(attn_k · n), n = norm(x)
        x = x + post(ffn_down · (act(ffn_gate · n) * ffn_up · n))     with n = norm(x)
    loss = cross_entropy(head · norm(x) at the supervised tokens)

`post` and `qk` are norms that some families have; embeddings, what is added to x,
and logits are multiplied by constants that are 1 in most.

The backward pass runs the same lines in reverse. It keeps of each block x between
its two lines and before them, and q, k, v, the attention's result, gate and up, these
six in bfloat16 where products are made in that (and what goes into `post` and `qk`);
the norms and the activation are cheap and computed again. Blocks below `recompute`
keep x (and the small A x) and run their forward pass a second time. Below the lowest
trained block nothing is kept. The highest block's lines after the attention are
computed for the supervised tokens only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

from ondevice import _kernels
from ondevice._kernels import Packed
from ondevice.errors import TrainingError
from ondevice.training.blocks import Block, Places, Rows, Saved
from ondevice.training.buffers import Buffers
from ondevice.training.data import Pack
from ondevice.training.divergence import divergences
from ondevice.training.family_table import LINEAR_LAYERS
from ondevice.training.lora import AdaptedLinear, Pair
from ondevice.training.weights import Weights

if TYPE_CHECKING:
    from ondevice._kernels import BF16, F32, Precision

Array = TypeVar("Array", "F32", "BF16", "F32 | BF16")


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

        Raises:
            TrainingError: an adapter has a pair for a tensor other than a block's linear layers.
        """
        self.weights = weights
        self.architecture = weights.architecture
        self.precision: Precision = precision
        self.recompute = recompute
        self.buffers = Buffers()
        self._check_names(stack)
        self.blocks = [self._block(index, stack) for index in range(self.architecture.n_layers)]
        self.output_norm = weights.vector("output_norm.weight")
        self.head = weights.matrix(self.architecture.head_tensor)
        self.embedding = weights.matrix("token_embd.weight")
        ropes = {rope for rope in self.architecture.ropes if rope is not None}
        self._rope_tensors = {
            rope: weights.vector(rope.tensor) if rope.tensor else None for rope in ropes
        }
        trained = [index for index, block in enumerate(self.blocks) if block.trains()]
        self.lowest = min(trained, default=self.architecture.n_layers)

    def losses(self, pack: Pack) -> F32:
        """Return the loss in nats of each supervised token of `pack`, shape (S,)."""
        x, _, _ = self._forward(pack, keep=False, rows=pack.rows)
        return self._head(x, pack, None)[1]

    def hidden(self, pack: Pack) -> F32:
        """Return what the head is given for all tokens of `pack`, shape (T, C)."""
        x, _, _ = self._forward(pack, keep=False)
        h = np.empty_like(x)
        self._output_norm(x, h)
        return h

    def losses_and_gradients(self, pack: Pack, weight: float | Callable[[F32], F32]) -> F32:
        """Return the losses (S,), and add their weighted sum's gradient to the trained pairs.

        Args:
            pack: what is computed.
            weight: of every token, or a function that returns the weights (S,) for the losses.
        """
        x, saved, places = self._forward(pack, keep=True, rows=pack.rows)
        if callable(weight):  # the head is computed twice: its gradient depends on the losses
            weights = weight(self._head(x, pack, None)[1])
        else:
            weights = np.full(len(pack.targets), weight, np.float32)
        rstd, losses, dh = self._head(x, pack, weights)
        self._backward(x, saved, places, rstd, dh)
        return losses

    def divergences(self, pack: Pack, reference: F32) -> F32:
        """Return the divergence in nats from a reference at each supervised token, shape (S,).

        Args:
            pack: what is computed.
            reference: what the reference gives the head for those tokens, shape (S, C).
        """
        x, _, _ = self._forward(pack, keep=False, rows=pack.rows)
        h, _ = self._head_input(x)
        return divergences(h, reference, self.head, precision=self.precision)

    def divergences_and_gradients(self, pack: Pack, reference: F32, weight: float) -> F32:
        """Return the divergences (S,), and add `weight` times their sum's gradient to the pairs."""
        x, saved, places = self._forward(pack, keep=True, rows=pack.rows)
        h, rstd = self._head_input(x)
        dh = self.buffers.take("dh", *h.shape)
        found = divergences(h, reference, self.head, dh, weight, precision=self.precision)
        if self.architecture.logit_scale != 1.0:
            dh *= np.float32(1.0 / self.architecture.logit_scale)
        self._backward(x, saved, places, rstd, dh)
        return found

    def _backward(
        self, x: F32, saved: Mapping[int, Saved], places: Places, rstd: F32, dh: F32
    ) -> None:
        """Add to the trained pairs what follows from dh (S, C), the gradient of the normed states.

        x (S, C) is the last block's output, rstd (S,) belongs to the norm behind it.
        """
        dx = self.buffers.take("dx.rows", *x.shape)
        _kernels.rms_norm_backward(dh, x, self.output_norm, rstd, dx)
        for index in range(self.architecture.n_layers - 1, self.lowest - 1, -1):
            block, state = self.blocks[index], saved[index]
            if index < self.recompute:
                self._attention_forward(block, state, places)
                self._feed_forward(block, state, None)
            dx = self._block_backward(block, state, places, dx, index > self.lowest)

    def _check_names(self, stack: Sequence[Mapping[str, Pair]]) -> None:
        """Refuse pairs beside tensors that are computed without: none is ever ignored.

        Raises:
            TrainingError: there is one.
        """
        tensors = self.architecture.linear_tensors()
        layers = range(self.architecture.n_layers)
        known = {f"blk.{index}.{tensor}.weight" for index in layers for tensor in tensors}
        for name in (name for pairs in stack for name in pairs):
            if name not in known:
                raise TrainingError(
                    f"Training does not support an adapter of '{name}'; choose one of the "
                    "layers of the blocks."
                )

    def _block(self, index: int, stack: Sequence[Mapping[str, Pair]]) -> Block:
        a, weights = self.architecture, self.weights
        prefix = f"blk.{index}."
        linear = {}
        for layer in LINEAR_LAYERS:
            part = a.part(layer)
            name, bias = f"{prefix}{part.tensor}.weight", f"{prefix}{part.tensor}.bias"
            linear[layer] = AdaptedLinear(
                weights.rows(name, part.start, part.stop),
                [pairs[name].rows(part.start, part.stop) for pairs in stack if name in pairs],
                weights.vector(bias)[part.start : part.stop] if weights.has(bias) else None,
            )

        def norm(name: str) -> F32 | None:
            name = f"{prefix}{name}.weight"
            return weights.vector(name) if weights.has(name) else None

        return Block(
            attn_norm=weights.vector(f"{prefix}attn_norm.weight"),
            ffn_norm=weights.vector(f"{prefix}ffn_norm.weight"),
            attn_post_norm=norm("post_attention_norm"),
            ffn_post_norm=norm("post_ffw_norm"),
            q_norm=norm("attn_q_norm"),
            k_norm=norm("attn_k_norm"),
            linear=linear,
            rope=a.ropes[index],
            window=a.windows[index],
        )

    def _places(self, pack: Pack) -> Places:
        turns = {
            rope: rope.table(pack.positions, tensor) for rope, tensor in self._rope_tensors.items()
        }
        return Places(pack.first, turns)

    def _forward(
        self, pack: Pack, *, keep: bool, rows: Rows | None = None
    ) -> tuple[F32, dict[int, Saved], Places]:
        """Return the last block's output and, for each trained block, what it kept.

        The output is that of the tokens `rows` (S, C), or of all (T, C).
        """
        self.buffers.begin()
        places = self._places(pack)
        x = self.buffers.take("x.first", len(pack.tokens), self.architecture.width)
        _kernels.dequantize_rows(self.embedding, pack.tokens, x)
        if self.architecture.embedding_scale != 1.0:
            x *= np.float32(self.architecture.embedding_scale)
        saved: dict[int, Saved] = {}
        bf16 = self.precision == "auto" and _kernels.has_bf16()
        for index in range(self.architecture.n_layers):
            block = self.blocks[index]
            kept = keep and index >= self.lowest
            slot = str(index) if kept and index >= self.recompute else "again"
            last = rows if index + 1 == self.architecture.n_layers else None
            state = Saved.take(
                self.architecture, self.buffers, slot, x, last,
                bf16_heads=bf16 and kept,
                # What is rounded must be so in every forward pass, and a bias comes after that.
                bf16_inner=bf16 and not block.has_bias("ffn_gate", "ffn_up"),
            )  # fmt: skip
            # The residual stream that leaves a block: own memory if it must survive, else two
            # arrays in turn, because a block reads its input until its last line.
            out = f"x.{index}" if keep and index + 1 >= self.lowest else f"x.{index % 2}.passing"
            self._attention_forward(block, state, places)
            x = self._feed_forward(block, state, self.buffers.take(out, *state.middle.shape))
            if kept:
                saved[index] = state
        return x, saved, places

    def _attention_forward(self, block: Block, s: Saved, places: Places) -> None:
        """Compute a block's first half, from s.x to s.middle."""
        linear, precision = block.linear, self.precision
        packed, _ = self._normed(s.x, block.attn_norm)
        for layer, kept, raw, norm in (
            ("attn_q", s.q, s.q_raw, block.q_norm),
            ("attn_k", s.k, s.k_raw, block.k_norm),
            ("attn_v", s.v, None, None),
        ):
            rounded = kept.dtype == np.uint16
            heads = self.buffers.take("heads", *kept.shape) if rounded else cast("F32", kept)
            y = heads if raw is None else raw
            s.products[layer] = linear[layer].forward(packed, _flat(y), precision)
            if norm is not None:
                self._norm(_rows(y), norm, _rows(heads))
            if layer != "attn_v":
                self._turn(block, places, heads)
            if rounded:
                _kernels.round_to_bf16(heads, cast("BF16", kept))
        self._attend(block, s, places)
        s.products["attn_output"] = self._add_branch(
            linear["attn_output"], Packed(_some(_flat(s.o), s.rows), precision), s.attn_out,
            block.attn_post_norm, _some(s.x, s.rows), s.middle,
        )  # fmt: skip

    def _attend(self, block: Block, s: Saved, places: Places) -> None:
        """Write attention's result and the logarithms of its sums to s.o and s.lse."""
        _kernels.attention_forward(
            s.q, s.k, s.v, places.first, self.architecture.attention_scale, s.o, s.lse,
            window=block.window, precision=self.precision,
        )  # fmt: skip

    def _feed_forward(self, block: Block, s: Saved, result: F32 | None) -> F32:
        """Compute a block's second half, from s.middle to `result` (R, C), and return that.

        Without `result` only what backward needs is computed, which may leave out the last
        product.
        """
        a, linear, precision = self.architecture, block.linear, self.precision
        packed, _ = self._normed(s.middle, block.ffn_norm)
        s.products["ffn_gate"] = linear["ffn_gate"].forward(packed, s.gate, precision)
        s.products["ffn_up"] = linear["ffn_up"].forward(packed, s.up, precision)
        out = result if s.ffn_out is None else s.ffn_out
        if out is None:  # the product of ffn_down is still there
            return s.middle
        inner = _kernels.gated_forward(
            s.gate, s.up, activation=a.family.activation, precision=precision
        )
        s.products["ffn_down"] = self._add_branch(
            linear["ffn_down"], inner, out, block.ffn_post_norm, s.middle, result
        )
        return s.middle if result is None else result

    def _normed(self, x: F32, norm: F32) -> tuple[Packed, F32]:
        """Return x normed (T, C), and rstd (T,) in memory that the next call uses again."""
        rstd = self.buffers.take("rstd", len(x))
        normed = _kernels.rms_norm_packed(
            x, norm, self.architecture.norm_eps, rstd, precision=self.precision
        )
        return normed, rstd

    def _norm(self, x: F32, norm: F32, y: F32) -> F32:
        """Write x normed to y, and return rstd."""
        rstd = self.buffers.take("rstd.other", len(x))
        _kernels.rms_norm_forward(x, norm, self.architecture.norm_eps, y, rstd)
        return rstd

    def _turn(self, block: Block, places: Places, x: F32, *, backward: bool = False) -> None:
        """Turn queries or keys (T, heads, D), or their gradients, in place."""
        if block.rope is not None:
            interleaved = self.architecture.family.rope == "interleaved"
            cos, sin = places.turns[block.rope]
            _kernels.rope(x, cos, sin, interleaved=interleaved, backward=backward)

    def _add_branch(
        self, linear: AdaptedLinear, inner: Packed, branch: F32, norm: F32 | None, x: F32,
        result: F32 | None,
    ) -> list[F32]:  # fmt: skip
        """Compute branch = linear(inner) and result = x + scale · norm(branch).

        Without a norm the branch is `result` itself. Returns what `linear.forward` does.
        """
        scale = self.architecture.residual_scale
        if norm is None and scale == 1.0 and linear.bias is None:
            return linear.forward(inner, branch, self.precision, plus=x)
        products = linear.forward(inner, branch, self.precision)
        if result is not None:
            if norm is not None:
                self._norm(branch, norm, result)
            if scale != 1.0:
                result *= np.float32(scale)
            result += x
        return products

    def _branch_gradient(self, dx: F32, branch: F32 | None, norm: F32 | None) -> F32:
        """Return the gradient (T, C) of what `_add_branch` was given, from that of its result."""
        scale = self.architecture.residual_scale
        if scale == 1.0 and norm is None:
            return dx
        gradient = self.buffers.take("dbranch", *dx.shape)
        if norm is None or branch is None:
            np.multiply(dx, np.float32(scale), out=gradient)
            return gradient
        rstd = self._norm(branch, norm, gradient)  # only rstd is wanted
        _kernels.rms_norm_backward(dx, branch, norm, rstd, gradient)
        if scale != 1.0:
            gradient *= np.float32(scale)
        return gradient

    def _block_backward(self, block: Block, s: Saved, places: Places, dx: F32, below: bool) -> F32:
        """Return the gradient of the block's input (T, C), from dx (R, C), that of its output.

        dx is used up, and where it has all rows it is what is returned. `below` says whether
        anything under this block is trained; if not, the pass stops at the lowest trained layer.
        """
        attention = block.trains("attn_q", "attn_k", "attn_v", "attn_output")
        self._feed_forward_backward(block, s, dx, below or attention)
        if below or attention:
            return self._attention_backward(block, s, places, dx, below)
        return dx

    def _feed_forward_backward(self, block: Block, s: Saved, dx: F32, below: bool) -> None:
        a, take, precision = self.architecture, self.buffers.take, self.precision
        n_tokens, n_rows, linear = len(s.x), len(dx), block.linear
        activation = a.family.activation
        inner = _kernels.gated_forward(s.gate, s.up, activation=activation, precision=precision)
        deeper = below or block.trains("ffn_gate", "ffn_up")
        # The other blocks' arrays are larger, and the highest comes first: it takes theirs.
        dinner = take("dinner", n_tokens, a.n_ff)[:n_rows] if deeper else None
        branch = Packed(self._branch_gradient(dx, s.ffn_out, block.ffn_post_norm), precision)
        linear["ffn_down"].backward(branch, inner, s.products["ffn_down"], dinner, precision)
        del inner, branch  # the next ones take their memory
        if dinner is None:
            return
        dgate, dup = _kernels.gated_backward(
            dinner, s.gate, s.up, activation=activation, precision=precision
        )
        normed, rstd = self._normed(s.middle, block.ffn_norm)
        dnormed = take("dnormed", n_tokens, a.width)[:n_rows] if below else None
        linear["ffn_gate"].backward(dgate, normed, s.products["ffn_gate"], dnormed, precision)
        linear["ffn_up"].backward(
            dup, normed, s.products["ffn_up"], dnormed, precision, accumulate=True
        )
        if dnormed is not None:
            _kernels.rms_norm_backward(dnormed, s.middle, block.ffn_norm, rstd, dx, accumulate=True)

    def _attention_backward(
        self, block: Block, s: Saved, places: Places, dx: F32, below: bool
    ) -> F32:
        a, take, precision = self.architecture, self.buffers.take, self.precision
        n_tokens, linear = len(s.x), block.linear
        deeper = below or block.trains("attn_q", "attn_k", "attn_v")
        do = take("do", *s.o.shape)[: len(dx)]
        branch = Packed(self._branch_gradient(dx, s.attn_out, block.attn_post_norm), precision)
        linear["attn_output"].backward(
            branch, Packed(_some(_flat(s.o), s.rows), precision), s.products["attn_output"],
            _flat(do) if deeper else None, precision,
        )  # fmt: skip
        if not deeper:
            return dx
        if s.rows is not None:
            do, dx = self._spread("do.all", do, s), self._spread("dx", dx, s)
        dq, dk, dv = take("dq", *s.q.shape), take("dk", *s.k.shape), take("dv", *s.v.shape)
        _kernels.attention_backward(
            do, s.q, s.k, s.v, places.first, a.attention_scale, s.o, s.lse, dq, dk, dv,
            window=block.window, precision=precision,
        )  # fmt: skip
        dq = self._head_gradient(block, places, "dq.raw", dq, s.q_raw, block.q_norm)
        dk = self._head_gradient(block, places, "dk.raw", dk, s.k_raw, block.k_norm)
        normed, rstd = self._normed(s.x, block.attn_norm)
        dnormed = take("dnormed", n_tokens, a.width) if below else None
        for layer, dy in (("attn_q", dq), ("attn_k", dk), ("attn_v", dv)):
            linear[layer].backward(
                Packed(_flat(dy), precision), normed, s.products[layer], dnormed, precision,
                accumulate=layer != "attn_q",
            )  # fmt: skip
        if dnormed is not None:
            _kernels.rms_norm_backward(dnormed, s.x, block.attn_norm, rstd, dx, accumulate=True)
        return dx

    def _spread(self, name: str, d: F32, s: Saved) -> F32:
        """Return d, the gradients of s.rows, with those of the other tokens, which are zero."""
        spread = self.buffers.take(name, len(s.x), *d.shape[1:])
        spread.fill(0.0)
        spread[s.rows] = d
        return spread

    def _head_gradient(
        self, block: Block, places: Places, name: str, d: F32, raw: F32 | None, norm: F32 | None
    ) -> F32:
        """Turn d, the gradient of turned queries or keys, into that of `raw` ones; uses d up."""
        self._turn(block, places, d, backward=True)
        if norm is None or raw is None:
            return d
        result = self.buffers.take(name, *d.shape)
        rstd = self._norm(_rows(raw), norm, _rows(result))  # only rstd is wanted
        _kernels.rms_norm_backward(_rows(d), _rows(raw), norm, rstd, _rows(result))
        return result

    def _output_norm(self, x: F32, h: F32) -> F32:
        """Write what the head is given to h; return rstd."""
        rstd = np.empty(len(x), np.float32)
        _kernels.rms_norm_forward(x, self.output_norm, self.architecture.norm_eps, h, rstd)
        if self.architecture.logit_scale != 1.0:
            h *= np.float32(1.0 / self.architecture.logit_scale)
        return rstd

    def _head_input(self, x: F32) -> tuple[F32, F32]:
        """Return the normed states of the supervised tokens (S, C), and rstd (S,)."""
        h = self.buffers.take("h", *x.shape)
        return h, self._output_norm(x, h)

    def _head(self, x: F32, pack: Pack, weights: F32 | None) -> tuple[F32, F32, F32]:
        """Return rstd (S,), losses (S,) and, with weights, the normed states' gradient (S, C)."""
        h, rstd = self._head_input(x)
        losses = np.empty(len(h), np.float32)
        if weights is None:
            _kernels.cross_entropy(h, self.head, pack.targets, losses, precision=self.precision)
            return rstd, losses, h
        dh = self.buffers.take("dh", *h.shape)
        _kernels.cross_entropy(
            h, self.head, pack.targets, losses, dh, weights, precision=self.precision
        )
        if self.architecture.logit_scale != 1.0:
            dh *= np.float32(1.0 / self.architecture.logit_scale)
        return rstd, losses, dh


def _flat(heads: Array) -> Array:
    """View (T, heads, D) as (T, heads · D)."""
    return heads.reshape(len(heads), -1)


def _some(x: Array, rows: Rows | None) -> Array:
    """Return x, or the named rows of it."""
    return x if rows is None else x[rows]


def _rows(heads: F32) -> F32:
    """View (T, heads, D) as (T · heads, D)."""
    return heads.reshape(-1, heads.shape[-1])
