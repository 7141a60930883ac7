"""Likelihoods of texts, measured where that is fastest.

On a processor llama.cpp takes the same time for each token of a prompt, however
many are given at once. The trainer's decoder, made for many tokens at once, is
several times as fast. It computes the same model more exactly: llama.cpp rounds
activations to eight bits, which moves a perplexity by some tenths of a per cent.
Answers are always written by the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ondevice.engine.protocol import AdapterUse, TokenScores
from ondevice.errors import TrainingError

if TYPE_CHECKING:
    from ondevice.engine.protocol import Engine
    from ondevice.models.base_model import BaseModel
    from ondevice.training.continuing import Past


class Scorer(Protocol):
    """What measures likelihoods."""

    def set_adapters(self, adapters: Sequence[AdapterUse]) -> None:
        """Apply exactly these adapters from now on."""

    def score_options(
        self, options: Sequence[list[int]], *, context: list[int], shared: int = 0
    ) -> list[TokenScores]:
        """Return the log-likelihood of each token of each option; see `Engine.score_options`."""


def scorer_for(engine: Engine) -> Scorer:
    """Return the fastest scorer for the engine's model: the trainer's decoder, or the engine."""
    from ondevice import _kernels

    threads = engine.processor_threads
    # A GPU is faster, and so is llama.cpp where our kernels have no vector instructions.
    if threads is None or _kernels.isa() == "portable":
        return engine
    try:
        return DecoderScorer(engine.model, engine.n_ctx, threads)
    except TrainingError:  # an architecture or tensor type that only llama.cpp knows
        return engine


def set_adapters(engine: Engine, scorer: Scorer, adapters: Sequence[AdapterUse]) -> None:
    """Apply exactly these adapters in both, which may be one."""
    engine.set_adapters(adapters)
    if scorer is not engine:
        scorer.set_adapters(adapters)


class DecoderScorer:
    """Scores with the trainer's decoder."""

    def __init__(self, base: BaseModel, n_ctx: int, threads: int) -> None:
        """Prepare for `base` in a context of `n_ctx` tokens.

        Raises:
            TrainingError: the model is not supported.
        """
        from ondevice import _kernels
        from ondevice.models.tokenizer import Tokenizer
        from ondevice.training.continuing import ContinuingDecoder
        from ondevice.training.weights import Weights

        self._base = base
        with Tokenizer(base) as tokenizer:
            self._first = tokenizer.bos if tokenizer.bos >= 0 else tokenizer.eos
        self._weights = Weights(base.header, n_ctx)
        _kernels.set_threads(threads)
        self._decoder = ContinuingDecoder(self._weights)
        self._past: Past | None = None  # of the tokens that the last contexts began with

    def set_adapters(self, adapters: Sequence[AdapterUse]) -> None:
        """Apply exactly these adapters; the engine has checked them."""
        from ondevice.adapters.gguf_lora import read_adapter
        from ondevice.training.continuing import ContinuingDecoder
        from ondevice.training.lora import frozen_pairs

        stack = [
            frozen_pairs(read_adapter(_content(use), self._base.header), use.scale)
            for use in adapters
            if use.scale != 0
        ]
        self._decoder = ContinuingDecoder(self._weights, stack)
        self._past = None

    def score_options(
        self, options: Sequence[list[int]], *, context: list[int], shared: int = 0
    ) -> list[TokenScores]:
        """Return the log-likelihood of each token of each option after `context`."""
        from ondevice.training.continuing import Past

        context = context or [self._first]
        head = tuple(context[: min(shared, len(context) - 1)])
        if self._past is None or self._past.tokens != head:
            self._past = self._decoder.extend(Past(), head)
        losses = self._decoder.losses_after(self._past, context[len(head) :], options)
        return [
            TokenScores(list(option), -values.astype(np.float64))
            for option, values in zip(options, losses, strict=True)
        ]


def _content(use: AdapterUse) -> bytes:
    return use.source.read_bytes() if isinstance(use.source, Path) else use.source()
