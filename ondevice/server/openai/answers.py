"""What the OpenAI-compatible API answers."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal

from pydantic import Field

from ondevice.chat.reply import Reply
from ondevice.engine import protocol
from ondevice.server.routing import Answer

DONE = b"data: [DONE]\n\n"


class Details(Answer):
    """More about a prompt."""

    cached_tokens: int = Field(description="That needed no work, for they were in the cache.")


class Usage(Answer):
    """Token counts."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: Details

    @classmethod
    def of(cls, usage: protocol.Usage) -> Usage:
        """Return what was counted."""
        return cls(
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            total_tokens=usage.prompt_tokens + usage.completion_tokens,
            prompt_tokens_details=Details(cached_tokens=usage.cached_tokens),
        )


class UsedMemory(Answer):
    """A memory that the model was given."""

    id: str
    text: str
    score: float
    place: str = Field(description="`prefix`, `turn` (beside it) or `earlier`.")
    source: str | None
    speaker: str | None = Field(
        description='Whose words: "user", "assistant" or a name; null of facts and notes.'
    )


class SavedFact(Answer):
    """A fact that was taken from the newest turn."""

    id: str
    text: str
    category: str


class ReplacedFact(Answer):
    """A fact that a newer one has replaced."""

    id: str
    text: str


class Receipt(Answer):
    """What was used and kept of the person."""

    used: list[UsedMemory]
    saved: list[SavedFact]
    replaced: list[ReplacedFact] = Field(
        description="Facts that are not used any more for what was saved; they can be restored."
    )
    adapters: list[str]
    user_turn_id: str | None
    assistant_turn_id: str | None
    dropped_exchanges: int = Field(description="That did not fit the model's context.")
    forgotten_meanwhile: bool = Field(description="It was stopped: something was forgotten.")

    @classmethod
    def of(cls, reply: Reply) -> Receipt:
        """Return what was used and saved for a reply."""
        receipt = reply.receipt
        return cls(
            used=[
                UsedMemory(
                    id=memory.id,
                    text=memory.text,
                    score=round(memory.score, 4),
                    place=memory.place,
                    source=memory.source,
                    speaker=memory.speaker,
                )
                for memory in receipt.used
            ],
            saved=[
                SavedFact(id=fact.id, text=fact.text, category=fact.category)
                for fact in receipt.saved
            ],
            replaced=[ReplacedFact(id=fact.id, text=fact.text) for fact in receipt.replaced],
            adapters=reply.adapters,
            user_turn_id=receipt.user_turn_id,
            assistant_turn_id=receipt.assistant_turn_id,
            dropped_exchanges=receipt.dropped_exchanges,
            forgotten_meanwhile=receipt.forgotten_meanwhile,
        )


class Likelihood(Answer):
    """A token and the logarithm of its probability."""

    token: str
    logprob: float
    bytes: list[int]


class TokenLikelihood(Likelihood):
    """A token of the answer, and the likeliest ones in its place."""

    top_logprobs: list[Likelihood]


class ChatLogprobs(Answer):
    """Likelihoods of an answer's tokens."""

    content: list[TokenLikelihood]
    refusal: None

    @classmethod
    def of(cls, likelihoods: Sequence[protocol.TokenLikelihood]) -> ChatLogprobs:
        """Return likelihoods in the shape of chats."""
        return cls(
            content=[
                TokenLikelihood(
                    token=_words(one.content),
                    logprob=one.log_probability,
                    bytes=list(one.content),
                    top_logprobs=[
                        Likelihood(token=_words(other), logprob=value, bytes=list(other))
                        for other, value in one.others
                    ],
                )
                for one in likelihoods
            ],
            refusal=None,
        )


def _words(content: bytes) -> str:
    return content.decode("utf-8", "replace")


class Called(Answer):
    """A function and its arguments as JSON."""

    name: str
    arguments: str


class MadeCall(Answer):
    """A call that the client should make."""

    id: str
    type: Literal["function"]
    function: Called
    index: int = 0


class AssistantMessage(Answer):
    """The answer."""

    role: Literal["assistant"]
    content: str | None
    refusal: None
    tool_calls: list[MadeCall] = Field(default=[])


class Delta(Answer):
    """What is new of the answer."""

    role: Literal["assistant"] = "assistant"
    content: str = ""
    tool_calls: list[MadeCall] = Field(default=[])


class ChatChoice(Answer):
    """The only choice."""

    index: Literal[0]
    message: AssistantMessage
    logprobs: ChatLogprobs | None
    finish_reason: Literal["stop", "length", "tool_calls"]


class ChunkChoice(Answer):
    """The only choice; the last one has a reason."""

    index: Literal[0]
    delta: Delta
    logprobs: ChatLogprobs | None
    finish_reason: Literal["stop", "length", "tool_calls"] | None


@dataclass(frozen=True)
class Head:
    """What stands in every answer to one request."""

    prefix: str
    model: str
    fingerprint: str
    number: str = field(default_factory=lambda: secrets.token_hex(12))
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def id(self) -> str:
        """The request's id."""
        return f"{self.prefix}-{self.number}"


class Envelope(Answer):
    """What stands in every answer."""

    id: str
    created: int
    model: str
    system_fingerprint: str


class ChatCompletion(Envelope):
    """An answer."""

    object: Literal["chat.completion"]
    choices: list[ChatChoice]
    usage: Usage
    ondevice: Receipt


class ChatChunk(Envelope):
    """A part of an answer; the receipt stands in the last one with a choice."""

    object: Literal["chat.completion.chunk"]
    choices: list[ChunkChoice]
    usage: Usage | None = None
    ondevice: Receipt | None = None


class TextLogprobs(Answer):
    """Likelihoods of a completion's tokens."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]

    @classmethod
    def of(cls, likelihoods: Sequence[protocol.TokenLikelihood], offset: int) -> TextLogprobs:
        """Return likelihoods in the shape of plain completions; the text begins at `offset`."""
        tokens = [_words(one.content) for one in likelihoods]
        return cls(
            tokens=tokens,
            token_logprobs=[one.log_probability for one in likelihoods],
            top_logprobs=[
                {_words(other): value for other, value in one.others} for one in likelihoods
            ],
            text_offset=list(accumulate(map(len, tokens[:-1]), initial=offset)) if tokens else [],
        )


class TextChoice(Answer):
    """The only choice."""

    index: Literal[0]
    text: str
    logprobs: TextLogprobs | None
    finish_reason: Literal["stop", "length"] | None


class Completion(Envelope):
    """How a text goes on; in a stream a part of it."""

    object: Literal["text_completion"]
    choices: list[TextChoice]
    usage: Usage | None = None


class EmbeddingUsage(Answer):
    """Token counts."""

    prompt_tokens: int
    total_tokens: int


class Embedding(Answer):
    """A vector of length 1: its values, or little-endian 32-bit floats in base64."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class Embeddings(Answer):
    """Vectors in the order of the texts."""

    object: Literal["list"]
    model: str
    data: list[Embedding]
    usage: EmbeddingUsage


class Model(Answer):
    """Something that can be named as a model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: Literal["ondevice"]


class Models(Answer):
    """Every model."""

    object: Literal["list"]
    data: list[Model]
