"""What the rest of ondevice knows about an engine, and nothing else."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, Self

from ondevice.models.base_model import BaseModel
from ondevice.models.messages import Message
from ondevice.settings import GenerationSettings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FinishReason = Literal["stop", "length", "cancelled"]
_DEFAULTS = GenerationSettings()


@dataclass(frozen=True)
class ChatOptions:
    """How one answer is sampled; `stop` texts and a GBNF `grammar` bound what it may be.

    With `logprobs` the stream notes each token's likelihood and the so many likeliest others.
    """

    temperature: float = _DEFAULTS.temperature
    top_p: float = _DEFAULTS.top_p
    top_k: int = _DEFAULTS.top_k
    min_p: float = _DEFAULTS.min_p
    repeat_penalty: float = _DEFAULTS.repeat_penalty
    max_tokens: int = _DEFAULTS.max_tokens
    seed: int | None = _DEFAULTS.seed
    stop: tuple[str, ...] = ()
    grammar: str | None = None
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    logprobs: int | None = None

    @classmethod
    def from_settings(
        cls,
        settings: GenerationSettings,
        *,
        stop: Sequence[str] = (),
        grammar: str | None = None,
    ) -> ChatOptions:
        """Return the options that `settings` describe."""
        return cls(
            temperature=settings.temperature,
            top_p=settings.top_p,
            top_k=settings.top_k,
            min_p=settings.min_p,
            repeat_penalty=settings.repeat_penalty,
            max_tokens=settings.max_tokens,
            seed=settings.seed,
            stop=tuple(stop),
            grammar=grammar,
        )


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer; `cached_tokens` of the prompt's were not evaluated again."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True)
class Timings:
    """Seconds that one answer took; `tokens_per_second` counts decoding alone."""

    first_token_seconds: float = 0.0
    prompt_seconds: float = 0.0
    decode_seconds: float = 0.0
    tokens_per_second: float = 0.0


@dataclass(frozen=True)
class TokenScores:
    """Log-likelihoods of a text.

    Attributes:
        tokens: the scored tokens.
        log_likelihood: shape (len(tokens),), natural logarithm of each token's probability
            given everything before it.
    """

    tokens: list[int]
    log_likelihood: npt.NDArray[np.float64]

    @property
    def nats(self) -> float:
        """The text's negative log-likelihood: how many nats it takes to code it."""
        return -float(self.log_likelihood.sum())


@dataclass(frozen=True)
class TokenLikelihood:
    """How likely the model found a token that was sampled, before any sampling setting.

    Attributes:
        content: the bytes that it stands for.
        log_probability: natural logarithm.
        others: the likeliest tokens with theirs, best first.
    """

    content: bytes
    log_probability: float
    others: tuple[tuple[bytes, float], ...] = ()


@dataclass(frozen=True)
class AdapterUse:
    """An adapter to apply.

    Attributes:
        name: what messages call it.
        sha256: the hash of its plain GGUF bytes.
        source: where these bytes are: a file, or a function that returns them.
        base_sha256: the hash of the base model it was made for, if known.
        scale: 1 applies it as trained, 0 not at all.
    """

    name: str
    sha256: str
    source: Callable[[], bytes] | Path
    base_sha256: str | None = None
    scale: float = 1.0


class ChatStream(abc.ABC):
    """An answer that is being written: iterate to get its pieces.

    The engine is busy from the moment `chat` returns until the stream is
    exhausted, cancelled or dropped. `text` grows with every piece; the other
    attributes are final once the stream has ended.
    """

    text: str = ""
    usage: Usage = Usage()
    timings: Timings = Timings()
    finish_reason: FinishReason | None = None
    likelihoods: Sequence[TokenLikelihood] = ()  # grows with `text` if `logprobs` are asked for

    def __iter__(self) -> Iterator[str]:
        """Return the stream itself."""
        return self

    @abc.abstractmethod
    def __next__(self) -> str:
        """Return the next piece of text, never empty."""

    @abc.abstractmethod
    def cancel(self) -> None:
        """End the answer within one token; from any thread, any number of times."""

    def read(self) -> str:
        """Wait for the whole answer and return its text."""
        for _ in self:
            pass
        return self.text


class Engine(Protocol):
    """Generates and scores text with a base model and any adapters on top of it.

    Engines may be used from several threads; one generation runs at a time.
    """

    @property
    def model(self) -> BaseModel:
        """The base model."""

    @property
    def n_ctx(self) -> int:
        """How many tokens prompt and answer may have together."""

    @property
    def processor_threads(self) -> int | None:
        """How many threads of the processor compute the model, 0 for as many as it has.

        None if it is not the processor that computes it.
        """

    def chat(self, messages: Sequence[Message], options: ChatOptions) -> ChatStream:
        """Answer the last message, with all of them in the prompt.

        Raises:
            ContextOverflowError: they do not fit the context; see `Transcript.make_room`.
            EngineError: the grammar is not valid, or the model failed.
        """

    def complete(self, prompt: str, options: ChatOptions) -> ChatStream:
        """Go on with the text `prompt`, without a chat template.

        Raises:
            ContextOverflowError: it does not fit the context.
            EngineError: the grammar is not valid, or the model failed.
        """

    def achat(self, messages: Sequence[Message], options: ChatOptions) -> AsyncIterator[str]:
        """Like `chat`, asynchronously; cancelling the task ends the answer within one token."""

    def score(self, text: str | list[int], *, context: str | list[int] = "") -> TokenScores:
        """Return the log-likelihood of each token of `text` after `context`.

        Raises:
            ContextOverflowError: the two do not fit the context.
        """

    def score_options(
        self, options: Sequence[list[int]], *, context: list[int], shared: int = 0
    ) -> list[TokenScores]:
        """Return the log-likelihood of each token of each option after `context`.

        Args:
            options: tokens of texts that could follow.
            context: tokens.
            shared: so many tokens at its beginning are those of the next contexts too, and need
                not be evaluated again.

        Raises:
            ContextOverflowError: the longest option does not fit the context.
        """

    def answers(
        self,
        conversations: Sequence[Sequence[Message]],
        options: ChatOptions,
        *,
        shared: int = 0,
    ) -> list[str]:
        """Answer the last message of each conversation, several at once.

        Args:
            conversations: what is asked.
            options: of all answers.
            shared: as for `score_options`, of the prompts.

        Raises:
            ContextOverflowError: one does not fit the context.
        """

    def set_adapters(self, adapters: Sequence[AdapterUse]) -> None:
        """Apply exactly these adapters from now on; if one is refused, the former ones stay.

        Raises:
            AdapterBaseMismatchError: one was made for another base model.
            InvalidAdapterError: one is damaged or not the promised file.
            AdapterSelfTestError: one does not do what an adapter does.
        """

    @property
    def active_adapters(self) -> list[AdapterUse]:
        """The adapters that are applied."""

    def tokenize(self, text: str) -> list[int]:
        """Return the tokens of `text`; control-token text in it stays plain text."""

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of `text`."""

    def encode_prompt(self, messages: Sequence[Message]) -> list[int]:
        """Return the tokens of the prompt that asks for an answer to the last message."""

    def count_prompt(self, messages: Sequence[Message]) -> int:
        """Return the number of tokens of that prompt."""

    def reset_cache(self) -> None:
        """Forget every token and answer of earlier conversations."""

    def unload(self) -> None:
        """Free the model's memory; it is loaded again when it is next needed."""

    def close(self) -> None:
        """Free everything; the engine cannot be used after."""

    def __enter__(self) -> Self:
        """Return the engine itself."""

    def __exit__(self, *error: object) -> None:
        """Close the engine."""
