"""The bodies of requests, checked. What would change an answer and is not supported is refused;
other fields that OpenAI's clients send are ignored."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from ondevice.engine.protocol import ChatOptions
from ondevice.server.errors import ApiError
from ondevice.settings import GenerationSettings

MOST_MESSAGES = 2000
MOST_INPUTS = 2048

Stop = str | Annotated[list[str], Field(max_length=16)] | None


class AdapterChoice(BaseModel):
    """An adapter of the profile and how strongly it is applied."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=200)
    scale: Annotated[float, Field(ge=-10, le=10, allow_inf_nan=False)] | None = None


class Personalization(BaseModel):
    """What is used and kept of the person, in this request."""

    model_config = ConfigDict(extra="forbid")
    profile: str | None = Field(
        default=None, description="Whose memory; the served profile's if absent."
    )
    memory: Literal["on", "off", "read-only"] = Field(
        default="on",
        description="`on` recalls and saves the newest user turn; `read-only` saves nothing.",
    )
    adapters: list[AdapterChoice] | None = Field(
        default=None, max_length=8, description="Instead of the active ones; empty for none."
    )
    temporary: bool = Field(
        default=False, description="The same as memory `off`: nothing is read or kept."
    )


class Sampling(BaseModel):
    """What chats and completions share."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())
    model: str = Field("default", max_length=500)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    stop: Stop = None
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**64)
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    n: Literal[1] | None = 1
    logit_bias: Annotated[dict[str, float], Field(max_length=0)] | None = None
    ondevice: Personalization = Field(default_factory=lambda: Personalization())

    def options(
        self,
        defaults: GenerationSettings,
        *,
        max_tokens: int | None,
        logprobs: int | None,
        grammar: str | None = None,
    ) -> ChatOptions:
        """Return how to sample; what the client leaves open is the settings' choice."""
        stop = [self.stop] if isinstance(self.stop, str) else self.stop or []
        chosen = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "seed": self.seed & 0xFFFFFFFF if self.seed is not None else None,
            "max_tokens": max_tokens,
            "frequency_penalty": self.frequency_penalty,
            "presence_penalty": self.presence_penalty,
        }
        options = ChatOptions.from_settings(defaults, stop=stop, grammar=grammar)
        known: dict[str, Any] = {k: v for k, v in chosen.items() if v is not None}
        return ChatOptions(**{**vars(options), **known, "logprobs": logprobs})

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with a chunk of token counts."""
        return bool(self.stream_options and self.stream_options.include_usage)


class StreamOptions(BaseModel):
    """What a stream contains."""

    include_usage: bool | None = False


class TextPart(BaseModel):
    """A part of a message; only text is understood."""

    type: Literal["text"]
    text: str


class CalledFunction(BaseModel):
    """What an earlier answer called."""

    name: str
    arguments: str


class ToolCall(BaseModel):
    """A call in an earlier answer."""

    id: str = ""
    type: Literal["function"] = "function"
    function: CalledFunction


class ChatMessage(BaseModel):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = Field(default=None, max_length=64)
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        """The text of all parts."""
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class Function(BaseModel):
    """A function that the model may ask the client to call."""

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str | None = None
    parameters: dict[str, Any] | None = None


class Tool(BaseModel):
    """A tool."""

    type: Literal["function"]
    function: Function


class NamedFunction(BaseModel):
    """The name of a function."""

    name: str


class NamedTool(BaseModel):
    """The tool that must be called."""

    type: Literal["function"]
    function: NamedFunction


class JsonSchema(BaseModel):
    """A schema that the answer must fit."""

    model_config = ConfigDict(populate_by_name=True)
    name: str = "answer"
    schema_: dict[str, Any] = Field(default_factory=dict, alias="schema")


class ResponseFormat(BaseModel):
    """Text, some JSON object, or JSON that fits a schema."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class ChatRequest(Sampling):
    """The body of `/v1/chat/completions`."""

    messages: list[ChatMessage] = Field(min_length=1, max_length=MOST_MESSAGES)
    max_tokens: int | None = Field(default=None, ge=1, le=2**31)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=2**31)
    logprobs: bool | None = False
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    response_format: ResponseFormat | None = None
    tools: list[Tool] | None = Field(default=None, max_length=64)
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None


class CompletionRequest(Sampling):
    """The body of `/v1/completions`."""

    prompt: str
    max_tokens: int | None = Field(default=16, ge=1, le=2**31)
    logprobs: int | None = Field(default=None, ge=0, le=20)
    echo: Literal[False] | None = None
    suffix: Annotated[str, Field(max_length=0)] | None = None


class EmbeddingRequest(BaseModel):
    """The body of `/v1/embeddings`."""

    model: str = Field(max_length=500)
    input: str | Annotated[list[str], Field(min_length=1, max_length=MOST_INPUTS)]
    encoding_format: Literal["float", "base64"] | None = "float"
    dimensions: int | None = None


Body = TypeVar("Body", bound=BaseModel)


async def body_of(request: Request, kind: type[Body]) -> Body:
    """Return the checked body of a request.

    Raises:
        ApiError: 400, it is not JSON, or a field does not fit; the message names the field.
    """
    content = await request.body()
    try:
        return kind.model_validate_json(content)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        param = ".".join(str(part) for part in first["loc"]) or None
        what = f"'{param}': " if param else "The body is not valid JSON: "
        raise ApiError(400, f"{what}{first['msg']}.", code="invalid_value", param=param) from None
