"""What the OpenAI-compatible API answers, as models that the OpenAPI document shows.

Tests check every answer against them; at run time nothing is checked twice.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """An object that has these fields and no others."""

    model_config = ConfigDict(extra="forbid")


class Details(Answer):
    """More about a prompt."""

    cached_tokens: int = Field(description="That needed no work, for they were in the cache.")


class Usage(Answer):
    """Token counts."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: Details


class UsedMemory(Answer):
    """A memory that the model was given."""

    id: str
    text: str
    score: float
    place: Literal["prefix", "turn", "earlier"]
    source: str | None


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
    tool_calls: list[MadeCall] = []


class Delta(Answer):
    """What is new of the answer."""

    role: Literal["assistant"] = "assistant"
    content: str = ""
    tool_calls: list[MadeCall] = []


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


class Health(Answer):
    """The server is there."""

    status: Literal["ok"]
    version: str
    queued: int = Field(description="Requests that wait for the model.")


class ErrorFields(Answer):
    """What was refused or went wrong, and why."""

    message: str
    type: str
    param: str | None
    code: str | None


class Error(Answer):
    """A refusal."""

    error: ErrorFields


StreamedChat: Any = ChatChunk | Error
StreamedText: Any = Completion | Error
