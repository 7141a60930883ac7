"""A llama.cpp context: the KV cache, evaluation and logits.

The cache is described by one list, `cached`: the tokens whose keys and values
are known to be in it. The list grows only after llama.cpp has succeeded, and
everything behind it is removed before the next evaluation, so an interrupt at
any moment leaves nothing stale.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ondevice.engine.free_threads import FreeThreads
from ondevice.engine.protocol import TokenLikelihood
from ondevice.errors import EngineError
from ondevice.ground.processor import physical_cores
from ondevice.models import native
from ondevice.models.native import MAX_BRANCHES, PROMPT_CHUNK

_SEQUENCE = 0


class InferenceContext:
    """One sequence of tokens under evaluation."""

    def __init__(
        self, model: Any, vocab: native.Vocab, n_ctx: int, n_threads: int, *, on_gpu: bool = False
    ) -> None:
        """Make a context of `n_ctx` tokens for the model pointer `model`."""
        self._lib = native.llama_cpp()
        self.vocab = vocab
        self.n_ctx = n_ctx
        threads = n_threads or physical_cores()
        self.pointer = native.new_context(model, n_ctx, threads, on_gpu=on_gpu)
        if not self.pointer:
            raise EngineError(
                f"llama.cpp cannot make a context of {n_ctx} tokens "
                f"({native.last_error() or 'not enough memory?'}); use a smaller n_ctx."
            )
        self._memory = self._lib.llama_get_memory(self.pointer)
        self._token = (ctypes.c_int32 * 1)()
        self._single = self._lib.llama_batch_get_one(self._token, 1)
        self.cached: list[int] = []
        self.threads = FreeThreads(1 if on_gpu else threads, self._use_threads)

    def _use_threads(self, count: int) -> None:
        self._lib.llama_set_n_threads(self.pointer, count, count)

    def close(self) -> None:
        """Free the context."""
        if self.pointer:
            self._lib.llama_free(self.pointer)
            self.pointer = None

    def clear(self) -> None:
        """Empty the cache."""
        self.cached = []
        self._lib.llama_memory_clear(self._memory, True)

    def keep_prefix(self, length: int) -> int:
        """Drop all but the first `length` cached tokens; return how many are really left."""
        del self.cached[length:]
        removed = self._lib.llama_memory_seq_rm(self._memory, _SEQUENCE, length, -1)
        if not removed:  # recurrent models cannot forget a part
            self.clear()
        return len(self.cached)

    def common_prefix(self, tokens: Sequence[int]) -> int:
        """Return how many of the cached tokens `tokens` begin with."""
        length = 0
        for ours, theirs in zip(self.cached, tokens, strict=False):
            if ours != theirs:
                break
            length += 1
        return length

    def evaluate(self, tokens: Sequence[int], cancelled: Callable[[], bool] | None = None) -> bool:
        """Evaluate `tokens` behind the cached ones; return False if cancelled in between.

        Raises:
            EngineError: llama.cpp failed; the cache keeps what was evaluated before.
        """
        self.keep_prefix(len(self.cached))  # whatever an interrupt left behind
        for start in range(0, len(tokens), PROMPT_CHUNK):
            if cancelled is not None and cancelled():
                return False
            part = list(tokens[start : start + PROMPT_CHUNK])
            array = (ctypes.c_int32 * len(part))(*part)
            self._decode(self._lib.llama_batch_get_one(array, len(part)))
            self.cached.extend(part)
        return True

    def evaluate_one(self, token: int) -> None:
        """Evaluate one more token behind the cached ones; the fast path of decoding."""
        self._token[0] = token
        self.threads.begin()
        self._decode(self._single)
        self.threads.end()
        self.cached.append(token)

    def logits(self) -> npt.NDArray[np.float32]:
        """Return a copy of the logits, shape (n_vocab,), after the last evaluated token."""
        pointer = self._lib.llama_get_logits_ith(self.pointer, -1)
        return np.ctypeslib.as_array(pointer, shape=(self.vocab.n_vocab,)).copy()

    def likelihood(self, token: int, n_others: int) -> TokenLikelihood:
        """Return how likely `token` was after the last evaluated one, and the likeliest others."""
        logits = self.logits().astype(np.float64)
        top = float(logits.max())
        logits -= top + np.log(np.exp(logits - top).sum())
        best = np.argpartition(logits, -n_others)[-n_others:] if n_others else np.empty(0, int)
        ordered = best[np.argsort(-logits[best], kind="stable")]
        others = tuple((self.vocab.piece(int(i)), float(logits[i])) for i in ordered)
        return TokenLikelihood(self.vocab.piece(token), float(logits[token]), others)

    def all_logits(self, tokens: Sequence[int]) -> npt.NDArray[np.float32]:
        """Evaluate at most `PROMPT_CHUNK` tokens; return the logits after each of them.

        Shape (len(tokens), n_vocab); valid until the next evaluation.
        """
        self.keep_prefix(len(self.cached))
        count, start = len(tokens), len(self.cached)
        batch = self._lib.llama_batch_init(count, 0, 1)
        try:
            batch.n_tokens = count
            for i, token in enumerate(tokens):
                batch.token[i] = token
                batch.pos[i] = start + i
                batch.n_seq_id[i] = 1
                batch.seq_id[i][0] = _SEQUENCE
                batch.logits[i] = 1
            self._decode(batch)
        finally:
            self._lib.llama_batch_free(batch)
        self.cached.extend(tokens)
        pointer = self._lib.llama_get_logits(self.pointer)
        return np.ctypeslib.as_array(pointer, shape=(count, self.vocab.n_vocab))

    def fork(self, count: int) -> None:
        """Let `count` branches go on from the cached tokens; `join` ends that."""
        self.keep_prefix(len(self.cached))
        self.join()
        for sequence in range(1, count + 1):
            self._lib.llama_memory_seq_cp(self._memory, _SEQUENCE, sequence, -1, -1)

    def join(self) -> None:
        """Drop all branches; the cached tokens stay."""
        for sequence in range(1, MAX_BRANCHES + 1):
            self._lib.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def evaluate_branches(
        self, work: Sequence[tuple[int, int, int]], outputs: Sequence[bool]
    ) -> None:
        """Evaluate at most `PROMPT_CHUNK` tokens of branches.

        Args:
            work: (branch, position, token), the branches counted from 0.
            outputs: whether the logits after each of them are wanted.
        """
        batch = self._lib.llama_batch_init(len(work), 0, 1)
        try:
            batch.n_tokens = len(work)
            for i, (branch, position, token) in enumerate(work):
                batch.token[i] = token
                batch.pos[i] = position
                batch.n_seq_id[i] = 1
                batch.seq_id[i][0] = branch + 1
                batch.logits[i] = outputs[i]
            self._decode(batch)
        finally:
            self._lib.llama_batch_free(batch)

    def _decode(self, batch: Any) -> None:
        code = self._lib.llama_decode(self.pointer, batch)
        if code != 0:
            reason = native.last_error() or f"code {code}"
            raise EngineError(
                f"llama.cpp could not evaluate the text ({reason}); try a shorter text or a "
                "smaller n_ctx."
            )
