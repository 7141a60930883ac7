"""The chain of llama.cpp samplers that turns logits into a token."""

from __future__ import annotations

import secrets
from typing import Any

from ondevice.engine.protocol import ChatOptions
from ondevice.errors import EngineError
from ondevice.models import native

PENALTY_WINDOW = 64  # generated tokens that the repeat penalty looks back on
MAX_GRAMMAR = 1 << 18  # characters


class Sampler:
    """A sampler chain for one answer; close it after."""

    def __init__(self, vocab: native.Vocab, options: ChatOptions) -> None:
        """Build the chain: penalties, grammar, then the usual cuts, temperature and draw.

        Raises:
            EngineError: the grammar is not valid GBNF.
        """
        self._lib = lib = native.llama_cpp()
        self._chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        try:
            frequency, presence = options.frequency_penalty, options.presence_penalty
            if options.repeat_penalty != 1.0 or frequency or presence:
                self._add(
                    lib.llama_sampler_init_penalties(
                        vocab.n_vocab, PENALTY_WINDOW, options.repeat_penalty, frequency, presence
                    )
                )
            if options.grammar is not None:
                self._add(self._grammar(vocab, options.grammar))
            if options.temperature <= 0:
                self._add(lib.llama_sampler_init_greedy())
            else:
                seed = secrets.randbits(32) if options.seed is None else options.seed
                self._add(lib.llama_sampler_init_top_k(options.top_k))
                self._add(lib.llama_sampler_init_top_p(options.top_p, 1))
                self._add(lib.llama_sampler_init_min_p(options.min_p, 1))
                self._add(lib.llama_sampler_init_temp(options.temperature))
                self._add(lib.llama_sampler_init_dist(seed & 0xFFFFFFFF))
        except BaseException:
            self.close()
            raise

    def sample(self, context: Any, row: int = -1) -> int:
        """Draw a token from the last logits of the context pointer `context`, or those of a row."""
        token: int = self._lib.llama_sampler_sample(self._chain, context, row)
        return token

    def close(self) -> None:
        """Free the chain."""
        if self._chain is not None:
            self._lib.llama_sampler_free(self._chain)
            self._chain = None

    def _add(self, sampler: Any) -> None:
        self._lib.llama_sampler_chain_add(self._chain, sampler)

    def _grammar(self, vocab: native.Vocab, grammar: str) -> Any:
        sampler = None
        if len(grammar) <= MAX_GRAMMAR:
            sampler = self._lib.llama_sampler_init_grammar(
                vocab.pointer, grammar.encode("utf-8"), b"root"
            )
        if not sampler:
            raise EngineError(
                "The grammar is not valid GBNF with a 'root' rule; correct the grammar."
            )
        return sampler
