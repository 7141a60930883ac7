"""`/v1/chat/completions`: a conversation of the client's, answered with what is remembered."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ondevice.chat import Assistant
from ondevice.chat.client_reply import MemoryUse
from ondevice.chat.reply import Reply
from ondevice.engine.protocol import TokenLikelihood
from ondevice.errors import EngineError
from ondevice.models.messages import Message
from ondevice.server.errors import ApiError, as_api_error, error_body
from ondevice.server.generation import EventStream, Piece, Worker, while_connected
from ondevice.server.openai import shapes
from ondevice.server.openai.models import adapters_of
from ondevice.server.openai.requests import ChatRequest, Personalization, body_of
from ondevice.server.openai.tools import Constraint, as_messages, call_in, constraint_of
from ondevice.server.state import ServerState, state_of


async def chat_completions(request: Request) -> Response:
    """Answer the newest user turn."""
    body = await body_of(request, ChatRequest)
    state = state_of(request)
    assistant = await state.assistant_for(body.ondevice.profile)
    try:
        constraint = await run_in_threadpool(constraint_of, body)
        messages = as_messages(body.messages, constraint.tools)
        reply = _reply(assistant, body, messages, constraint)
    except EngineError as error:
        raise ApiError(400, str(error), code="invalid_value") from error
    answer = _ChatAnswer(state, body, reply, constraint)
    if not body.stream:
        return JSONResponse(await while_connected(request, answer.whole()))
    events = answer.events()
    # Errors before the first token become a status, not an event.
    first = await while_connected(request, anext(events))
    return EventStream(events, [first])


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


class _ChatAnswer:
    """One answer, whole or in chunks."""

    def __init__(
        self, state: ServerState, body: ChatRequest, reply: Reply, constraint: Constraint
    ) -> None:
        self._state = state
        self._body = body
        self._reply = reply
        self._tools = constraint.tools
        self._envelope = shapes.Envelope(
            "chatcmpl",
            "chat.completion.chunk" if body.stream else "chat.completion",
            body.model,
            state.assistant.engine.model.sha256[:12],
        )

    async def whole(self) -> dict[str, Any]:
        """Return the answer when it is complete."""
        likelihoods: list[TokenLikelihood] = []
        async with self._state.queue.turn() as release:
            async for piece in Worker(self._state.thread, lambda: self._reply, release).pieces():
                likelihoods.extend(piece.likelihoods)
        text = self._reply.text
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        call = call_in(text, self._tools)
        if call is not None:
            message |= {"content": None, "tool_calls": [_tool_call(*call)]}
        choice = {
            "index": 0,
            "message": message,
            "logprobs": shapes.chat_logprobs(likelihoods) if self._body.logprobs else None,
            "finish_reason": self._finish_reason(call is not None),
        }
        return self._envelope.wrap(
            [choice],
            usage=shapes.usage_json(self._reply.usage),
            ondevice=shapes.receipt_json(self._reply),
        )

    async def events(self) -> AsyncIterator[bytes]:
        """Yield the chunks as events; the first one comes with the first token."""
        held = ""  # what may become a call is not shown as words
        begun = False
        try:
            async with self._state.queue.turn() as release:
                pieces = Worker(self._state.thread, lambda: self._reply, release).pieces()
                try:
                    async for piece in pieces:
                        if not begun:
                            begun = True
                            yield self._chunk({"role": "assistant", "content": ""})
                        if self._tools and (held or not self._shown(held + piece.text)):
                            held += piece.text
                            continue
                        yield self._chunk({"content": piece.text}, piece)
                finally:
                    await pieces.aclose()
            if not begun:
                yield self._chunk({"role": "assistant", "content": ""})
            for event in self._ending(held):
                yield event
        except Exception as error:
            if not begun:
                raise
            yield shapes.event(error_body(as_api_error(error)))

    @staticmethod
    def _shown(text: str) -> bool:
        return not text.startswith("{")

    def _ending(self, held: str) -> list[bytes]:
        call = call_in(held, self._tools)
        events = []
        if call is not None:
            events.append(self._chunk({"tool_calls": [{"index": 0, **_tool_call(*call)}]}))
        elif held:
            events.append(self._chunk({"content": held}))
        last = {"index": 0, "delta": {}, "logprobs": None}
        last["finish_reason"] = self._finish_reason(call is not None)
        receipt = shapes.receipt_json(self._reply)
        events.append(shapes.event(self._envelope.wrap([last], ondevice=receipt)))
        if self._body.include_usage:
            usage = shapes.usage_json(self._reply.usage)
            events.append(shapes.event(self._envelope.wrap([], usage=usage)))
        return [*events, shapes.DONE]

    def _chunk(self, delta: dict[str, Any], piece: Piece | None = None) -> bytes:
        logprobs = None
        if piece is not None and self._body.logprobs:
            logprobs = shapes.chat_logprobs(piece.likelihoods)
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": None}
        return shapes.event(self._envelope.wrap([choice]))

    def _finish_reason(self, called: bool) -> str:
        if called:
            return "tool_calls"
        return "length" if self._reply.finish_reason == "length" else "stop"


def _tool_call(name: str, arguments: str) -> dict[str, Any]:
    return {
        "id": f"call_{secrets.token_hex(12)}",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }
