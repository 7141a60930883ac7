"""`/v1/chat/completions`: a conversation of the client's, answered with what is remembered."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Literal

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from ondevice.chat import Assistant
from ondevice.chat.reply import Reply
from ondevice.chat.session import MemoryUse
from ondevice.engine.protocol import TokenLikelihood
from ondevice.errors import EngineError
from ondevice.models.messages import Message
from ondevice.server.errors import ApiError
from ondevice.server.events import Events
from ondevice.server.generation import Piece, Worker, while_connected
from ondevice.server.openai.answers import (
    DONE,
    AssistantMessage,
    Called,
    ChatChoice,
    ChatChunk,
    ChatCompletion,
    ChatLogprobs,
    ChunkChoice,
    Delta,
    Head,
    MadeCall,
    Receipt,
    Usage,
)
from ondevice.server.openai.models import adapters_of
from ondevice.server.openai.requests import ChatRequest, Personalization, openai_routes
from ondevice.server.openai.tools import Constraint, as_messages, call_in, constraint_of
from ondevice.server.remedies import WORDS
from ondevice.server.state import ServerState

routes = openai_routes()


@routes.post("/chat/completions")
async def chat_completions(
    state: ServerState, body: ChatRequest, request: Request
) -> ChatCompletion | Events[ChatChunk]:
    """Answer a conversation's newest turn."""
    assistant = await state.assistant_for(body.ondevice.profile)
    try:
        constraint = await run_in_threadpool(constraint_of, body)
        messages = as_messages(body.messages, constraint.tools)
        reply = _reply(assistant, body, messages, constraint)
    except EngineError as error:
        raise ApiError(400, error.said(WORDS), code="invalid_value") from error
    answer = _Answer(state, body, reply, constraint)
    if not body.stream:
        return await while_connected(request, answer.whole())
    events = answer.events()
    # Errors before the first token become a status, not an event.
    first = await while_connected(request, anext(events))
    return Events(events, [first], end=DONE)


def _reply(
    assistant: Assistant, body: ChatRequest, messages: Sequence[Message], constraint: Constraint
) -> Reply:
    options = body.options(
        assistant.settings.generation,
        max_tokens=body.max_completion_tokens or body.max_tokens,
        logprobs=(body.top_logprobs or 0) if body.logprobs else None,
        grammar=constraint.grammar,
    )
    return assistant.respond(
        messages,
        options,
        memory=memory_of(body.ondevice),
        adapters=adapters_of(assistant, body.model, body.ondevice),
    )


def memory_of(wanted: Personalization) -> MemoryUse:
    """Return how memory is used.

    Raises:
        ApiError: 400, a temporary request asks for memory.
    """
    if wanted.temporary and "memory" in wanted.model_fields_set and wanted.memory != "off":
        raise ApiError(
            400,
            "A temporary chat has no memory; leave out 'memory' or 'temporary'.",
            code="invalid_value",
            param="ondevice.memory",
        )
    return "off" if wanted.temporary else wanted.memory


class _Answer:
    """One answer, whole or in chunks."""

    def __init__(
        self, state: ServerState, body: ChatRequest, reply: Reply, constraint: Constraint
    ) -> None:
        self._state = state
        self._body = body
        self._reply = reply
        self._tools = constraint.tools
        self._head = Head("chatcmpl", body.model, state.assistant.engine.model.sha256[:12])

    async def whole(self) -> ChatCompletion:
        """Return the answer when it is complete."""
        likelihoods: list[TokenLikelihood] = []
        async with self._state.queue.turn() as release:
            async for piece in Worker(self._state.thread, lambda: self._reply, release).pieces():
                likelihoods.extend(piece.likelihoods)
        text = self._reply.text
        call = call_in(text, self._tools)
        message = AssistantMessage(role="assistant", content=text, refusal=None)
        if call is not None:
            message.content, message.tool_calls = None, [_made_call(*call)]
        choice = ChatChoice(
            index=0,
            message=message,
            logprobs=ChatLogprobs.of(likelihoods) if self._body.logprobs else None,
            finish_reason=self._finish_reason(call is not None),
        )
        return ChatCompletion(
            id=self._head.id,
            object="chat.completion",
            created=self._head.created,
            model=self._head.model,
            system_fingerprint=self._head.fingerprint,
            choices=[choice],
            usage=Usage.of(self._reply.usage),
            ondevice=Receipt.of(self._reply),
        )

    async def events(self) -> AsyncGenerator[ChatChunk, None]:
        """Yield the chunks; the first one comes with the first token."""
        held = ""  # what may become a call is not shown as words
        begun = False
        async with self._state.queue.turn() as release:
            worker = Worker(self._state.thread, lambda: self._reply, release)
            async with contextlib.aclosing(worker.pieces()) as pieces:
                async for piece in pieces:
                    if not begun:
                        begun = True
                        yield self._chunk(Delta(role="assistant", content=""))
                    if self._tools and (held or piece.text.startswith("{")):
                        held += piece.text
                        continue
                    yield self._chunk(Delta(content=piece.text), piece)
        if not begun:
            yield self._chunk(Delta(role="assistant", content=""))
        for chunk in self._ending(held):
            yield chunk

    def _ending(self, held: str) -> Iterator[ChatChunk]:
        call = call_in(held, self._tools)
        if call is not None:
            yield self._chunk(Delta(tool_calls=[_made_call(*call, index=0)]))
        elif held:
            yield self._chunk(Delta(content=held))
        last = self._chunk(Delta())
        last.choices[0].finish_reason = self._finish_reason(call is not None)
        last.ondevice = Receipt.of(self._reply)
        yield last
        if self._body.include_usage:
            counted = self._chunk()
            counted.usage = Usage.of(self._reply.usage)
            yield counted

    def _chunk(self, delta: Delta | None = None, piece: Piece | None = None) -> ChatChunk:
        logprobs = None
        if piece is not None and self._body.logprobs:
            logprobs = ChatLogprobs.of(piece.likelihoods)
        chunk = ChatChunk(
            id=self._head.id,
            object="chat.completion.chunk",
            created=self._head.created,
            model=self._head.model,
            system_fingerprint=self._head.fingerprint,
            choices=[],
        )
        if delta is not None:
            chunk.choices.append(
                ChunkChoice(index=0, delta=delta, logprobs=logprobs, finish_reason=None)
            )
        return chunk

    def _finish_reason(self, called: bool) -> Literal["stop", "length", "tool_calls"]:
        if called:
            return "tool_calls"
        return "length" if self._reply.finish_reason == "length" else "stop"


def _made_call(name: str, arguments: str, **index: int) -> MadeCall:
    return MadeCall(
        id=f"call_{secrets.token_hex(12)}",
        type="function",
        function=Called(name=name, arguments=arguments),
        **index,
    )
