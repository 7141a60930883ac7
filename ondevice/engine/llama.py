"""The engine on llama.cpp."""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from ondevice.engine.async_stream import AsyncChatStream
from ondevice.engine.branches import answer_branches
from ondevice.engine.context import InferenceContext
from ondevice.engine.generation_thread import GenerationThread
from ondevice.engine.llama_stream import LlamaStream
from ondevice.engine.lora import LoraAdapters
from ondevice.engine.prompt import PromptBuilder, shared_prefix
from ondevice.engine.protocol import AdapterUse, ChatOptions, TokenScores
from ondevice.engine.score import log_likelihood, reach
from ondevice.errors import ContextOverflowError, EngineError
from ondevice.ground.openmp import release_team
from ondevice.home import Home
from ondevice.models import native
from ondevice.models.base_model import BaseModel
from ondevice.models.chat_template import ChatTemplate
from ondevice.models.messages import Message
from ondevice.models.native import MAX_BRANCHES
from ondevice.settings import ModelSettings


@dataclass
class _Loaded:
    """What exists while the model is in memory."""

    pointer: Any
    vocab: native.Vocab
    context: InferenceContext
    adapters: LoraAdapters

    def close(self) -> None:
        self.adapters.close()  # llama.cpp wants this order
        self.context.close()
        native.llama_cpp().llama_model_free(self.pointer)


class LlamaEngine:
    """Generates and scores text with llama.cpp; loads the model when it is first needed.

    May be used from several threads. One generation runs at a time: `chat`,
    `score` and `set_adapters` wait for a stream of another thread to end; a
    stream that the same thread left unfinished is cancelled.
    """

    def __init__(self, model: BaseModel, settings: ModelSettings, home: Home) -> None:
        """Prepare an engine for `model`; nothing is loaded yet.

        Raises:
            UnsafeTemplateError: the model's chat template does more than format text.
        """
        self._model = model
        self._settings = settings
        self._home = home
        self._template = ChatTemplate.from_header(model.header)
        trained = model.header.metadata.get(f"{model.header.architecture}.context_length")
        limit = trained if isinstance(trained, int) else settings.n_ctx
        self._n_ctx = min(settings.n_ctx, limit) if settings.n_ctx > 0 else limit
        self._busy = threading.Lock()  # held by whoever evaluates
        self._load = threading.RLock()  # held while the model is loaded, freed or only tokenizes
        self._loaded: _Loaded | None = None
        self._prompts: PromptBuilder | None = None
        self._uses: list[AdapterUse] = []
        self._cache_key: tuple[object, ...] = ()
        self._reached: tuple[list[int], int] = ([], 0)  # see `reach`: tokens, how many are shared
        self._stream: weakref.ref[LlamaStream] | None = None
        self._stream_thread = 0
        self._closed = False
        self._last_used = time.monotonic()
        self._timer: threading.Timer | None = None
        self._thread = GenerationThread()  # of `achat`

    @property
    def model(self) -> BaseModel:
        """The base model."""
        return self._model

    @property
    def n_ctx(self) -> int:
        """How many tokens prompt and answer may have together."""
        return self._n_ctx

    @property
    def processor_threads(self) -> int | None:
        """How many threads compute the model, 0 for all; None if a GPU helps."""
        return None if self._settings.n_gpu_layers else self._settings.n_threads

    @property
    def is_loaded(self) -> bool:
        """Whether the model is in memory now."""
        return self._loaded is not None

    @property
    def active_adapters(self) -> list[AdapterUse]:
        """The adapters that are applied."""
        return list(self._uses)

    def chat(self, messages: Sequence[Message], options: ChatOptions) -> LlamaStream:
        """Answer the last message; see `Engine.chat`."""
        self._acquire()
        try:
            loaded, prompts = self._ensure_loaded()
            self._use_cache_of("chat", tuple((u.sha256, u.scale) for u in self._uses))
            reserve = max(1, min(options.max_tokens, self._n_ctx // 4))
            tokens = prompts.fit(messages, self._n_ctx - reserve)
            stream = LlamaStream(loaded.context, prompts, tokens, options, self._release)
        except BaseException:
            self._release()
            raise
        self._stream, self._stream_thread = weakref.ref(stream), threading.get_ident()
        return stream

    def complete(self, prompt: str, options: ChatOptions) -> LlamaStream:
        """Go on with the text `prompt`; see `Engine.complete`."""
        self._acquire()
        try:
            loaded, prompts = self._ensure_loaded()
            self._use_cache_of("chat", tuple((u.sha256, u.scale) for u in self._uses))
            vocab = loaded.vocab
            tokens = vocab.encode(prompt, add_bos=vocab.adds_bos)
            if not tokens:
                tokens = [vocab.bos if vocab.bos >= 0 else vocab.eos]
            if len(tokens) >= self._n_ctx:
                raise ContextOverflowError(
                    f"The text has {len(tokens)} tokens, but the model's context holds "
                    f"{self._n_ctx}; shorten it or raise n_ctx."
                )
            stream = LlamaStream(loaded.context, prompts, tokens, options, self._release)
        except BaseException:
            self._release()
            raise
        self._stream, self._stream_thread = weakref.ref(stream), threading.get_ident()
        return stream

    def achat(self, messages: Sequence[Message], options: ChatOptions) -> AsyncChatStream:
        """Answer the last message asynchronously; see `Engine.achat`."""
        return AsyncChatStream(self._thread, lambda: self.chat(messages, options))

    def score(self, text: str | list[int], *, context: str | list[int] = "") -> TokenScores:
        """Return the log-likelihood of each token of `text`; see `Engine.score`.

        Without a context the first token is judged after the model's first token (BOS).
        """
        with self._exclusive():
            loaded, _ = self._ensure_loaded()
            vocab = loaded.vocab
            before = vocab.encode(context, add_bos=True) if isinstance(context, str) else context
            tokens = vocab.encode(text) if isinstance(text, str) else list(text)
            return self._scores(loaded, [tokens], before, 0)[0]

    def score_options(
        self, options: Sequence[list[int]], *, context: list[int], shared: int = 0
    ) -> list[TokenScores]:
        """Return the log-likelihood of each token of each option; see `Engine.score_options`."""
        with self._exclusive():
            loaded, _ = self._ensure_loaded()
            return self._scores(loaded, options, context, shared)

    def answers(
        self,
        conversations: Sequence[Sequence[Message]],
        options: ChatOptions,
        *,
        shared: int = 0,
    ) -> list[str]:
        """Answer the last message of each conversation; see `Engine.answers`."""
        with self._exclusive():
            loaded, builder = self._ensure_loaded()
            prompts = [builder.encode(messages) for messages in conversations]
            # Of a single prompt everything but the last token, whose logits are needed.
            stem = prompts[0][: shared_prefix([p[:-1] for p in prompts])] if prompts else []
            rests = [prompt[len(stem) :] for prompt in prompts]
            needs = [len(rest) + options.max_tokens for rest in rests]
            if max(needs, default=0) + len(stem) > self._n_ctx:
                raise ContextOverflowError(
                    f"Prompt and answer have {max(needs) + len(stem)} tokens, but the model's "
                    f"context holds {self._n_ctx}; shorten it or raise n_ctx."
                )
            found: list[str] = []
            for part in _together(needs, self._n_ctx - len(stem)):
                self._reach(loaded, stem, shared)
                found += answer_branches(loaded.context, rests[part], options)
            return found

    def _scores(
        self, loaded: _Loaded, options: Sequence[list[int]], before: list[int], shared: int
    ) -> list[TokenScores]:
        vocab = loaded.vocab
        before = before or [vocab.bos if vocab.bos >= 0 else vocab.eos]
        lengths = [len(option) for option in options]
        if any(not 0 <= token < vocab.n_vocab for text in (before, *options) for token in text):
            raise EngineError(
                "A token to score is not in the model's vocabulary; use the tokens of this model."
            )
        if len(before) + max(lengths, default=0) > self._n_ctx:
            raise ContextOverflowError(
                f"Text and context have {len(before) + max(lengths)} tokens, but the model's "
                f"context holds {self._n_ctx}; score a shorter text or raise n_ctx."
            )
        found: list[TokenScores] = []
        for option in options:
            self._reach(loaded, before[:-1], shared)
            values = log_likelihood(loaded.context, before[-1], option)
            found.append(TokenScores(list(option), values))
        return found

    def _reach(self, loaded: _Loaded, wanted: list[int], shared: int) -> None:
        """Let the cache hold exactly `wanted`, evaluated as `score` and `answers` do."""
        kept = self._use_cache_of("score", tuple((u.sha256, u.scale) for u in self._uses))
        last, last_shared = self._reached
        self._reached = ([], 0)  # until it is done
        reach(loaded.context, wanted, last if kept and last_shared == shared else [], shared)
        self._reached = (wanted, shared)

    def set_adapters(self, adapters: Sequence[AdapterUse]) -> None:
        """Apply exactly these adapters from now on; see `Engine.set_adapters`."""

        def essence(uses: Sequence[AdapterUse]) -> list[tuple[str, str | None, float]]:
            return [(use.sha256, use.base_sha256, use.scale) for use in uses]

        with self._exclusive():
            if essence(adapters) != essence(self._uses):
                self._activate(adapters)
                self._cache_key = ()
            self._uses = list(adapters)

    def _activate(self, adapters: Sequence[AdapterUse]) -> None:
        """Apply the adapters; a model that was unloaded is loaded with these, not the former ones.

        One of those may be what nobody can read any more, because something was forgotten.
        """
        with self._load:
            loaded = self._loaded
            if loaded is None:
                former, self._uses = self._uses, list(adapters)
                try:
                    self._ensure_loaded()
                except BaseException:
                    self._uses = former
                    raise
        if loaded is not None:
            loaded.adapters.activate(adapters)

    def tokenize(self, text: str) -> list[int]:
        """Return the tokens of `text`; control-token text in it stays plain text."""
        with self._load:
            loaded, _ = self._ensure_loaded()
            tokens = loaded.vocab.encode(text)
        self._start_idle_timer()
        return tokens

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of `text`."""
        return len(self.tokenize(text))

    def encode_prompt(self, messages: Sequence[Message]) -> list[int]:
        """Return the tokens of the prompt that asks for an answer to the last message."""
        with self._load:
            _, prompts = self._ensure_loaded()
            tokens = prompts.encode(messages)
        self._start_idle_timer()
        return tokens

    def count_prompt(self, messages: Sequence[Message]) -> int:
        """Return the number of tokens of that prompt."""
        return len(self.encode_prompt(messages))

    def reset_cache(self) -> None:
        """Forget every token and answer of earlier conversations."""
        with self._exclusive(), self._load:
            if self._loaded is not None:
                self._loaded.context.clear()
                self._loaded.adapters.free_idle(keep=0)
            if self._prompts is not None:
                self._prompts.forget()

    def unload(self) -> None:
        """Free the model's memory; it is loaded again, with its adapters, when next needed."""
        with self._exclusive():
            self._free()

    def close(self) -> None:
        """Free everything; the engine cannot be used after."""
        if self._closed:
            return
        self._acquire()
        try:
            self._closed = True
            self._free()
            self._prompts = None
        finally:
            self._busy.release()
        self._thread.shutdown(wait=False)
        timer = self._timer
        if timer is not None:
            timer.cancel()
            if timer is not threading.current_thread():
                timer.join()

    def __enter__(self) -> Self:
        """Return the engine itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the engine."""
        self.close()

    def _ensure_loaded(self) -> tuple[_Loaded, PromptBuilder]:
        with self._load:
            if self._closed:
                raise EngineError("The engine is closed; open a new one.")
            if self._loaded is None:
                self._loaded = self._open()
                if self._prompts is None:
                    self._prompts = PromptBuilder(
                        self._model.header, self._template, self._loaded.vocab
                    )
                else:  # its remembered answers stay good: tokens do not depend on the load
                    self._prompts.use_vocab(self._loaded.vocab)
            assert self._prompts is not None
            return self._loaded, self._prompts

    def _open(self) -> _Loaded:
        """Load model, context and the adapters that are in use."""
        pointer = native.load_model(self._model.path, n_gpu_layers=self._settings.n_gpu_layers)
        with contextlib.ExitStack() as undo:
            undo.callback(native.llama_cpp().llama_model_free, pointer)
            vocab = native.Vocab(pointer)
            context = InferenceContext(
                pointer,
                vocab,
                self._n_ctx,
                self._settings.n_threads,
                on_gpu=self._settings.n_gpu_layers != 0,
            )
            undo.callback(context.close)
            adapters = LoraAdapters(self._model, pointer, context, self._home.cache)
            undo.callback(adapters.close)
            if self._uses:
                adapters.activate(self._uses)
            undo.pop_all()
        self._cache_key = ()
        return _Loaded(pointer, vocab, context, adapters)

    def _free(self) -> None:
        with self._load:
            if self._loaded is not None:
                self._loaded.close()
                self._loaded = None

    def _use_cache_of(self, purpose: str, adapters: tuple[object, ...]) -> bool:
        """Empty the KV cache unless it was filled for the same purpose, model and adapters."""
        key = (purpose, self._model.sha256, adapters)
        if key == self._cache_key:
            return True
        assert self._loaded is not None
        self._loaded.context.clear()
        self._cache_key = key
        return False

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        self._acquire()
        try:
            yield
        finally:
            self._release()

    def _acquire(self) -> None:
        """Become the one who evaluates; a stream that this thread left open is cancelled."""
        if not self._busy.acquire(blocking=False):
            stream = self._stream() if self._stream is not None else None
            if stream is not None and self._stream_thread == threading.get_ident():
                stream.cancel()
            self._busy.acquire()

    def _release(self) -> None:
        release_team()
        self._stream = None
        self._busy.release()
        self._start_idle_timer()

    def _start_idle_timer(self) -> None:
        self._last_used = time.monotonic()
        seconds = self._settings.idle_seconds
        if seconds > 0 and not self._closed and self._timer is None:
            self._schedule(seconds)

    def _schedule(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._unload_if_idle)
        self._timer.daemon = True
        self._timer.start()

    def _unload_if_idle(self) -> None:
        """Unload if nothing happened for the idle time, else look again when it could be over."""
        left = self._last_used + self._settings.idle_seconds - time.monotonic()
        if left <= 0 and self._busy.acquire(blocking=False):
            try:
                self._timer = None
                self._free()
            finally:
                self._busy.release()
        elif not self._closed:
            self._schedule(max(left, 0.05))


def _together(sizes: Sequence[int], room: int) -> Iterator[slice]:
    """Yield slices of neighbours that fit `room` together, at least one and at most a few."""
    start, used = 0, 0
    for index, size in enumerate(sizes):
        if index > start and (used + size > room or index - start == MAX_BRANCHES):
            yield slice(start, index)
            start, used = index, 0
        used += size
    if sizes:
        yield slice(start, len(sizes))
