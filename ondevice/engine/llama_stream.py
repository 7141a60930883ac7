"""One answer of the llama.cpp engine, token by token."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from ondevice.engine.context import InferenceContext
from ondevice.engine.prompt import PromptBuilder
from ondevice.engine.protocol import (
    ChatOptions,
    ChatStream,
    FinishReason,
    Timings,
    TokenLikelihood,
    Usage,
)
from ondevice.engine.sampler import Sampler
from ondevice.engine.text_stream import TextStream
from ondevice.errors import EngineError


class LlamaStream(ChatStream):
    """Evaluates what the cache does not hold of the prompt, then samples."""

    def __init__(
        self,
        context: InferenceContext,
        prompts: PromptBuilder,
        tokens: list[int],
        options: ChatOptions,
        release: Callable[[], None],
    ) -> None:
        """Answer the prompt `tokens`; `release` is called once, when the answer has ended.

        Raises:
            EngineError: the grammar is not valid, or the prompt has no tokens.
        """
        if not tokens or min(tokens) < 0:  # llama.cpp would end the process
            raise EngineError(
                "The model's vocabulary has no tokens for this text; use another model."
            )
        self._context = context
        self._prompts = prompts
        self._prompt = tokens
        self._sampler = Sampler(context.vocab, options)
        self._release: Callable[[], None] | None = release
        self._cancelled = threading.Event()
        self._step = threading.Lock()  # held while a piece is being made
        self._began = time.perf_counter()
        self._cached = 0
        self._sampled: list[int] = []
        self._first_token = self._prompt_done = 0.0
        self._text = TextStream(options.stop)
        self._room = min(options.max_tokens, context.n_ctx - len(tokens))
        self._ended: FinishReason | None = None
        # Logits depend a little on which tokens are evaluated together, and a seed promises the
        # same answer whatever the cache happens to hold.
        self._anew = options.seed is not None
        self._n_others = options.logprobs
        self._likelihoods: list[TokenLikelihood] = []
        self.likelihoods = self._likelihoods

    def __next__(self) -> str:
        """Return the next piece of text."""
        with self._step:
            if self._release is None:
                raise StopIteration
            try:
                piece = self._next_piece()
            except BaseException:  # an interrupt, or llama.cpp failed
                self._finish("cancelled")
                raise
            self.text += piece
            if self._ended is not None:
                self._finish(self._ended)
            if not piece:
                raise StopIteration
            return piece

    def cancel(self) -> None:
        """End the answer within one token."""
        self._cancelled.set()
        if self._step.acquire(blocking=False):  # else the thread in it sees the flag
            try:
                self._finish("cancelled")
            finally:
                self._step.release()

    def __del__(self) -> None:
        """End an answer that nobody reads any more."""
        if getattr(self, "_release", None) is not None:
            with contextlib.suppress(TypeError):  # at interpreter exit names may be gone
                self._finish("cancelled")

    def _next_piece(self) -> str:
        """Go on until there is text to show or the answer ends; set `_ended` when it does."""
        vocab, context, sampled = self._context.vocab, self._context, self._sampled
        if not self._prompt_done and not self._evaluate_prompt():
            self._ended = "cancelled"
            return ""
        while True:
            if self._cancelled.is_set():
                self._ended = "cancelled"
            elif len(sampled) >= self._room:
                self._ended = "length"
            else:
                if sampled:  # only now, so that an answer's last token is not evaluated in vain
                    context.evaluate_one(sampled[-1])
                token = self._sampler.sample(context.pointer)
                if vocab.is_eog(token):
                    self._ended = "stop"
            if self._ended is not None:
                return self._text.finish()
            if self._n_others is not None:
                self._likelihoods.append(context.likelihood(token, self._n_others))
            sampled.append(token)
            if len(sampled) == 1:
                self._first_token = time.perf_counter()
            piece = self._text.add(vocab.piece(token))
            if self._text.stopped:
                self._ended = "stop"
                return piece
            if piece:
                return piece

    def _evaluate_prompt(self) -> bool:
        """Evaluate what the cache does not hold of the prompt; return False if cancelled."""
        context, prompt = self._context, self._prompt
        # The last prompt token is always evaluated: sampling needs its logits.
        shared = 0 if self._anew else min(context.common_prefix(prompt), len(prompt) - 1)
        self._cached = context.keep_prefix(shared)
        if not context.evaluate(prompt[self._cached :], self._cancelled.is_set):
            return False
        self._prompt_done = time.perf_counter()
        return True

    def _finish(self, reason: FinishReason) -> None:
        """Close the books once: remember the answer's tokens, free the sampler, let others in."""
        release, self._release = self._release, None
        if release is None:
            return
        now = time.perf_counter()
        self._sampler.close()
        self.finish_reason = reason
        count = len(self._sampled)
        self.usage = Usage(len(self._prompt), self._cached, count)
        done, first = self._prompt_done or now, self._first_token or now
        decode = now - first
        self.timings = Timings(
            first_token_seconds=first - self._began,
            prompt_seconds=done - self._began,
            decode_seconds=decode,
            tokens_per_second=(count - 1) / decode if count > 1 and decode > 0 else 0.0,
        )
        try:
            if self.text:
                self._prompts.remember(self.text, self._sampled)
        finally:
            release()
