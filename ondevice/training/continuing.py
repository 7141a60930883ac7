"""A decoder that goes on from tokens that it has computed before.

What several texts begin with is computed once: its keys and values are kept, and
what follows attends to them besides itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from ondevice import _kernels
from ondevice.training.blocks import Block, Places, Saved
from ondevice.training.data import Pack
from ondevice.training.decoder import Decoder

if TYPE_CHECKING:
    from ondevice._kernels import F32


@dataclass(frozen=True, eq=False)
class Past:
    """Tokens that were computed, with what later ones need of them.

    Attributes:
        tokens: P of them.
        keys: (P, G, D) of each block, norm and RoPE applied.
        values: (P, G, D) of each block.
    """

    tokens: tuple[int, ...] = ()
    keys: tuple[F32, ...] = ()
    values: tuple[F32, ...] = ()


class ContinuingDecoder(Decoder):
    """A decoder for losses of texts that begin alike; it trains nothing."""

    _past = Past()
    _kept: list[tuple[F32, F32]] | None = None  # of the blocks so far, while a past is made

    def extend(self, past: Past, tokens: Sequence[int]) -> Past:
        """Return `past` with `tokens` behind it."""
        if not tokens:
            return past
        self._past, self._kept = past, []
        try:
            self._forward(_pack([list(tokens)], [0], len(past.tokens)), keep=False)
            keys, values = zip(*self._kept, strict=True)
        finally:
            self._past, self._kept = Past(), None
        return Past((*past.tokens, *tokens), keys, values)

    def losses_after(
        self, past: Past, before: Sequence[int], texts: Sequence[Sequence[int]]
    ) -> list[F32]:
        """Return the loss in nats of each token of each text behind `past` and `before`.

        Args:
            past: of this decoder.
            before: at least one token.
            texts: each is computed by itself, as if the others were not there.
        """
        if len(texts) > 1:  # what they have in common is computed once
            past, before = self.extend(past, before[:-1]), before[-1:]
        inputs = [[*before, *text[:-1]] for text in texts]
        counts = [len(text) for text in texts]
        one = _pack(inputs, counts, len(past.tokens), [t for text in texts for t in text])
        self._past = past
        try:
            losses = self.losses(one)
        finally:
            self._past = Past()
        return np.split(losses, np.cumsum(counts)[:-1])

    def _attend(self, block: Block, s: Saved, places: Places) -> None:
        """Attend to the past too; see `Decoder`."""
        n_past, index = len(self._past.tokens), self._index(block)
        if n_past:
            past_k, past_v = self._past.keys[index], self._past.values[index]
        if self._kept is not None:
            kept = (cast("F32", s.k), cast("F32", s.v))  # only a training rounds them
            if n_past:
                kept = (np.concatenate([past_k, s.k]), np.concatenate([past_v, s.v]))
            self._kept.append((kept[0].copy(), kept[1].copy()))
        if not n_past:
            super()._attend(block, s, places)
        elif places.first.any():  # several texts, all of them short
            super()._attend(block, s, places)
            self._add_past(block, s, places, past_k, past_v)
        else:
            self._attend_in_one_row(block, s, past_k, past_v)

    def _attend_in_one_row(self, block: Block, s: Saved, past_k: F32, past_v: F32) -> None:
        """Let the kernel see past and present as one text; the queries of the past are empty."""
        n_past, take = len(past_k), self.buffers.take
        n_tokens = n_past + len(s.q)
        q, o = take("past.q", n_tokens, *s.q.shape[1:]), take("past.o", n_tokens, *s.o.shape[1:])
        q[:n_past], q[n_past:] = 0.0, s.q
        lse = take("past.lse", s.lse.shape[0], n_tokens)
        _kernels.attention_forward(
            q, np.concatenate([past_k, s.k]), np.concatenate([past_v, s.v]),
            np.zeros(n_tokens, np.int32), self.architecture.attention_scale, o, lse,
            window=block.window, precision=self.precision,
        )  # fmt: skip
        s.o[:] = o[n_past:]

    def _add_past(self, block: Block, s: Saved, places: Places, past_k: F32, past_v: F32) -> None:
        """Combine s.o, attention to the text itself, with attention to the past (P, G, D)."""
        a, (n_tokens, n_heads, d) = self.architecture, s.q.shape
        n_groups, n_past = a.n_kv_heads, len(past_k)
        shared = n_heads // n_groups
        q = s.q.reshape(n_tokens, n_groups, shared, d).transpose(1, 2, 0, 3)  # (G, H/G, T, D)
        scores = q @ past_k.transpose(1, 2, 0)[:, None] * np.float32(a.attention_scale)
        if block.window:
            place = n_past + np.arange(n_tokens, dtype=np.int32) - places.first
            hidden = np.arange(n_past)[None, :] <= (place - block.window)[:, None]
            scores[:, :, hidden] = -np.inf
        largest = np.maximum(scores.max(axis=-1, keepdims=True), np.float32(-1e30))
        np.exp(scores - largest, out=scores)
        total = scores.sum(axis=-1, keepdims=True)
        seen = scores @ past_v.transpose(1, 0, 2)[:, None] / np.maximum(total, np.float32(1e-30))
        with np.errstate(divide="ignore"):
            past_lse = largest[..., 0] + np.log(total[..., 0])  # (G, H/G, T)
        own_lse = s.lse.reshape(n_groups, shared, n_tokens)
        both = np.logaddexp(past_lse, own_lse)
        theirs = np.exp(past_lse - both)[..., None]
        ours = np.exp(own_lse - both)[..., None]
        own = s.o.reshape(n_tokens, n_groups, shared, d).transpose(1, 2, 0, 3)
        merged = ours * own + theirs * seen
        s.o[:] = merged.transpose(2, 0, 1, 3).reshape(s.o.shape)

    def _index(self, block: Block) -> int:
        return self.blocks.index(block)


def _pack(
    inputs: Sequence[Sequence[int]],
    scored: Sequence[int],
    n_past: int,
    targets: Sequence[int] = (),
) -> Pack:
    """Return a pack of texts behind `n_past` tokens, each scored at its last so many tokens."""
    lengths = [len(text) for text in inputs]
    starts = np.cumsum([0, *lengths[:-1]])
    rows = [
        start + length - count + i
        for start, length, count in zip(starts, lengths, scored, strict=True)
        for i in range(count)
    ]
    return Pack(
        tokens=np.array([token for text in inputs for token in text], np.int32),
        positions=np.concatenate([np.arange(n, dtype=np.int32) + n_past for n in lengths]),
        first=np.repeat(starts, lengths).astype(np.int32),
        rows=np.array(rows, np.intp),
        targets=np.array(targets, np.int32),
        document=np.repeat(np.arange(len(inputs), dtype=np.int32), scored),
    )
