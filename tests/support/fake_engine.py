"""A scripted engine for tests: it answers what it was told to and records how it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from ondevice.engine.async_stream import AsyncChatStream
from ondevice.engine.generation_thread import GenerationThread
from ondevice.engine.protocol import (
    AdapterUse,
    ChatOptions,
    ChatStream,
    TokenLikelihood,
    TokenScores,
    Usage,
)
from ondevice.errors import AdapterBaseMismatchError, ContextOverflowError, EngineError
from ondevice.models.base_model import BaseModel
from ondevice.models.gguf_header import GgufHeader
from ondevice.models.messages import Message

Script = Sequence[str] | Callable[[Sequence[Message]], str]


@dataclass
class FakeCalls:
    """What a `FakeEngine` was asked to do, in order."""

    chats: list[tuple[list[Message], ChatOptions]] = field(default_factory=list)
    scores: list[tuple[str | list[int], str | list[int]]] = field(default_factory=list)
    adapters: list[list[AdapterUse]] = field(default_factory=list)
    resets: int = 0
    unloads: int = 0


class FakeStream(ChatStream):
    """Streams a ready answer word by word."""

    def __init__(self, answer: str, usage: Usage, limit: int, n_others: int | None = None) -> None:
        """Stream `answer`, at most `limit` tokens (bytes) of it."""
        self._n_others = n_others
        content = answer.encode("utf-8")
        self._length = "length" if len(content) > limit else "stop"
        words = content[:limit].decode("utf-8", "ignore").split(" ")
        spaced = [words[0], *(" " + word for word in words[1:])]
        self._pieces: Iterator[str] = iter([piece for piece in spaced if piece])
        self._prompt_tokens = usage.prompt_tokens
        self._cancelled = threading.Event()

    def __next__(self) -> str:
        """Return the next word."""
        piece = "" if self.finish_reason else next(self._pieces, "")
        if self._cancelled.is_set() or not piece:
            if self.finish_reason is None:
                self._end()
            raise StopIteration
        self.text += piece
        if self._n_others is not None:  # every token has the same score
            content = piece.encode("utf-8")
            others = ((content, -1.0),) * self._n_others
            self.likelihoods = [*self.likelihoods, TokenLikelihood(content, -1.0, others)]
        return piece

    def cancel(self) -> None:
        """End the answer."""
        self._cancelled.set()
        if self.finish_reason is None:
            self._end()

    def _end(self) -> None:
        if self._cancelled.is_set():
            self.finish_reason = "cancelled"
        else:
            self.finish_reason = "length" if self._length == "length" else "stop"
        self.usage = Usage(self._prompt_tokens, 0, len(self.text.encode("utf-8")))


class FakeEngine:
    """Answers from a script; its tokens are UTF-8 bytes and every token has the same score.

    Attributes:
        script: the texts to answer with, or what makes one of the messages; a test may change it.
        model: the base model.
        n_ctx: how many tokens prompt and answer may have together.
    """

    def __init__(
        self, script: Script = ("ok",), *, model: BaseModel | None = None, n_ctx: int = 4096
    ) -> None:
        """Answer with the texts of `script` in turn, the last one for ever, or what it returns."""
        self.script = script
        self._answered = 0
        header = GgufHeader(Path("fake.gguf"), 3, {"general.architecture": "llama"}, {}, 32, 0)
        self.model = model or BaseModel("fake", header.path, "0" * 64, header)
        self.n_ctx = n_ctx
        self._uses: list[AdapterUse] = []
        self._closed = False
        self._thread = GenerationThread()
        self.calls = FakeCalls()

    @property
    def processor_threads(self) -> int | None:
        """None: nothing is computed."""
        return None

    @property
    def active_adapters(self) -> list[AdapterUse]:
        """The adapters that are applied."""
        return list(self._uses)

    def chat(self, messages: Sequence[Message], options: ChatOptions) -> FakeStream:
        """Answer with the script's next text."""
        if self._closed:
            raise EngineError("The engine is closed; open a new one.")
        self.calls.chats.append((list(messages), options))
        room = self.n_ctx - max(1, min(options.max_tokens, self.n_ctx // 4))
        if self.count_prompt(messages) > room:
            raise ContextOverflowError("The messages do not fit the context; shorten them.")
        if callable(self.script):
            answer = self.script(messages)
        else:
            answer = self.script[min(self._answered, len(self.script) - 1)]
        self._answered += 1
        stream = FakeStream(
            answer, Usage(self.count_prompt(messages)), options.max_tokens, options.logprobs
        )
        return stream

    def complete(self, prompt: str, options: ChatOptions) -> FakeStream:
        """Answer with the script's next text."""
        return self.chat([Message("user", prompt)], options)

    def achat(self, messages: Sequence[Message], options: ChatOptions) -> AsyncChatStream:
        """Answer asynchronously with the script's next text."""
        return AsyncChatStream(self._thread, lambda: self.chat(messages, options))

    def score(self, text: str | list[int], *, context: str | list[int] = "") -> TokenScores:
        """Give every token the log-likelihood -1."""
        import numpy as np

        self.calls.scores.append((text, context))
        tokens = self.tokenize(text) if isinstance(text, str) else list(text)
        return TokenScores(tokens, np.full(len(tokens), -1.0))

    def score_options(
        self, options: Sequence[list[int]], *, context: list[int], shared: int = 0
    ) -> list[TokenScores]:
        """Score one after the other."""
        return [self.score(option, context=context) for option in options]

    def answers(
        self,
        conversations: Sequence[Sequence[Message]],
        options: ChatOptions,
        *,
        shared: int = 0,
    ) -> list[str]:
        """Answer one after the other."""
        return [self.chat(messages, options).read() for messages in conversations]

    def set_adapters(self, adapters: Sequence[AdapterUse]) -> None:
        """Record the adapters; one for another base is refused as the real engine would."""
        for use in adapters:
            if use.base_sha256 not in (None, self.model.sha256):
                raise AdapterBaseMismatchError(
                    f"Adapter '{use.name}' was made for another base model than "
                    f"'{self.model.name}'; use the model it was made for, or train it again."
                )
        self.calls.adapters.append(list(adapters))
        self._uses = list(adapters)

    def tokenize(self, text: str) -> list[int]:
        """Return the UTF-8 bytes of `text`."""
        return list(text.encode("utf-8"))

    def count_tokens(self, text: str) -> int:
        """Return the number of UTF-8 bytes of `text`."""
        return len(text.encode("utf-8"))

    def encode_prompt(self, messages: Sequence[Message]) -> list[int]:
        """Return the bytes of the messages' contents."""
        return [byte for message in messages for byte in self.tokenize(message.content)]

    def count_prompt(self, messages: Sequence[Message]) -> int:
        """Return the number of these bytes."""
        return len(self.encode_prompt(messages))

    def reset_cache(self) -> None:
        """Count the call."""
        self.calls.resets += 1

    def unload(self) -> None:
        """Count the call."""
        self.calls.unloads += 1

    def close(self) -> None:
        """Refuse chats from now on."""
        self._closed = True
        self._thread.shutdown(wait=False)

    def __enter__(self) -> Self:
        """Return the engine itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the engine."""
        self.close()
