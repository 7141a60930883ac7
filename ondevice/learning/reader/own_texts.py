"""Texts that a base model writes when nobody asks it anything: its own prose, many at once.

A reader is held to what the model expects in them, so that text which has nothing
to do with notes stays what it was. Which texts they are depends on the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ondevice.errors import EngineError
from ondevice.ground.openmp import release_team
from ondevice.ground.processor import physical_cores
from ondevice.models import native
from ondevice.models.base_model import BaseModel

PARALLEL = 16  # texts at once: a step for all costs little more than for one
TEMPERATURE = 0.8  # at 1 a small model loses the thread and writes no prose
# A text begins with one of these, in turn.
OPENINGS = (
    "The", "In", "When", "A", "If", "This", "There", "For", "It", "As", "Most", "During", "One",
    "While", "After", "He", "She", "They", "We", "To", "How", "What", "Although", "Many", "Since",
    "Each", "Returns", "An", "On", "Once", "Note that", "According to", "Because", "These", "Every",
    "By", "Another", "Some", "Use", "At",
)  # fmt: skip


def own_texts(
    base: BaseModel,
    n_texts: int,
    n_tokens: int,
    *,
    seed: int = 0,
    threads: int = 0,
    told: Callable[[int, int], None] | None = None,
) -> list[list[int]]:
    """Return `n_texts` texts of `n_tokens` tokens each, or fewer where the model ends one.

    Args:
        base: a checked base model.
        n_texts: how many.
        n_tokens: of each, at most.
        seed: of the sampling.
        threads: 0 for one per core.
        told: told how many texts there are, of how many.

    Raises:
        EngineError: llama.cpp failed, or there is not enough memory.
    """
    pointer = native.load_model(base.path)
    try:
        vocab = native.Vocab(pointer)
        starts = [
            vocab.encode(OPENINGS[number % len(OPENINGS)], add_bos=vocab.adds_bos)
            for number in range(n_texts)
        ]
        writer = _Writer(pointer, vocab, n_tokens, threads or physical_cores())
        try:
            texts: list[list[int]] = []
            for first in range(0, n_texts, PARALLEL):
                random = np.random.Generator(np.random.PCG64([seed, first]))
                texts += writer.write(starts[first : first + PARALLEL], random)
                if told is not None:
                    told(len(texts), n_texts)
            return texts
        finally:
            writer.close()
    finally:
        native.llama_cpp().llama_model_free(pointer)


class _Writer:
    """A llama.cpp context of several sequences, each a text."""

    def __init__(self, model: Any, vocab: native.Vocab, n_tokens: int, threads: int) -> None:
        self._lib = lib = native.llama_cpp()
        self._vocab, self._n_tokens = vocab, n_tokens
        params = lib.llama_context_default_params()
        params.n_ctx, params.n_seq_max = PARALLEL * (n_tokens + 8), PARALLEL
        params.n_batch = params.n_ubatch = 128
        params.n_threads = params.n_threads_batch = threads
        native.last_error()
        self._context = lib.llama_init_from_model(model, params)
        if not self._context:
            raise EngineError(
                f"llama.cpp cannot write {PARALLEL} texts at once "
                f"({native.last_error() or 'not enough memory?'}); close other programs."
            )
        self._batch = lib.llama_batch_init(128, 0, 1)

    def close(self) -> None:
        """Free the context."""
        self._lib.llama_batch_free(self._batch)
        self._lib.llama_free(self._context)
        release_team()

    def write(
        self, starts: Sequence[Sequence[int]], random: np.random.Generator
    ) -> list[list[int]]:
        """Continue each of `starts`."""
        self._lib.llama_memory_clear(self._lib.llama_get_memory(self._context), True)
        texts: list[list[int]] = [[] for _ in starts]
        due = {number: list(start) for number, start in enumerate(starts)}  # not evaluated yet
        while due:
            logits = self._evaluate(texts, due)
            due = {}
            for number, values in logits.items():
                token = _sample(values, random)
                if not self._vocab.is_eog(token) and len(texts[number]) < self._n_tokens:
                    due[number] = [token]
        return texts

    def _evaluate(
        self, texts: list[list[int]], due: dict[int, list[int]]
    ) -> dict[int, NDArray[np.float32]]:
        """Evaluate what is due and add it to the texts; return the logits behind each."""
        batch, row, ends = self._batch, 0, {}
        for number, tokens in due.items():
            for token in tokens:
                batch.token[row], batch.pos[row] = token, len(texts[number])
                batch.n_seq_id[row], batch.seq_id[row][0], batch.logits[row] = 1, number, 0
                texts[number].append(token)
                row += 1
            batch.logits[row - 1] = 1
            ends[number] = row - 1
        batch.n_tokens = row
        code = self._lib.llama_decode(self._context, batch)
        if code != 0:
            reason = native.last_error() or f"code {code}"
            raise EngineError(
                f"llama.cpp could not evaluate the model's own texts ({reason}); use another base."
            )
        get = self._lib.llama_get_logits_ith
        size = (self._vocab.n_vocab,)
        return {n: np.ctypeslib.as_array(get(self._context, i), size) for n, i in ends.items()}


def _sample(logits: NDArray[np.float32], random: np.random.Generator) -> int:
    """Return a token by chance, as likely as the model thinks it at `TEMPERATURE`."""
    scaled = logits.astype(np.float64) / TEMPERATURE
    total = np.cumsum(np.exp(scaled - scaled.max()))
    return int(np.searchsorted(total, random.random() * total[-1], side="right"))
