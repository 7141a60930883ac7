"""`/v1/completions`: going on with a plain text, without memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ondevice.chat import Assistant
from ondevice.engine.protocol import ChatOptions, ChatStream, TokenLikelihood
from ondevice.server.errors import as_api_error, error_body
from ondevice.server.generation import EventStream, Worker, while_connected
from ondevice.server.openai import shapes
from ondevice.server.openai.models import adapters_of
from ondevice.server.openai.requests import CompletionRequest, body_of
from ondevice.server.state import ServerState, state_of


async def completions(request: Request) -> Response:
    """Go on with the prompt."""
    body = await body_of(request, CompletionRequest)
    state = state_of(request)
    assistant = await state.assistant_for(body.ondevice.profile)
    answer = _Completion(state, body, assistant)
    if not body.stream:
        return JSONResponse(await while_connected(request, answer.whole()))
    events = answer.events()
    first = await while_connected(request, anext(events))
    return EventStream(events, [first])


class _Completion:
    """One completion, whole or in chunks."""

    def __init__(self, state: ServerState, body: CompletionRequest, assistant: Assistant) -> None:
        self._state = state
        self._body = body
        self._assistant = assistant
        self._adapters = adapters_of(assistant, body.model, body.ondevice)
        self._options: ChatOptions = body.options(
            assistant.settings.generation, max_tokens=body.max_tokens, logprobs=body.logprobs
        )
        self._stream: ChatStream | None = None
        self._envelope = shapes.Envelope(
            "cmpl", "text_completion", body.model, assistant.engine.model.sha256[:12]
        )

    def _start(self) -> ChatStream:
        self._stream = self._assistant.complete(
            self._body.prompt, self._options, adapters=self._adapters
        )
        return self._stream

    async def whole(self) -> dict[str, Any]:
        """Return the completion when it is complete."""
        likelihoods: list[TokenLikelihood] = []
        async with self._state.queue.turn() as release:
            async for piece in Worker(self._state.thread, self._start, release).pieces():
                likelihoods.extend(piece.likelihoods)
        assert self._stream is not None
        choice = self._choice(self._stream.text, likelihoods, 0, self._finish_reason())
        return self._envelope.wrap([choice], usage=shapes.usage_json(self._stream.usage))

    async def events(self) -> AsyncIterator[bytes]:
        """Yield the chunks as events."""
        begun, offset = False, 0
        try:
            async with self._state.queue.turn() as release:
                pieces = Worker(self._state.thread, self._start, release).pieces()
                try:
                    async for piece in pieces:
                        begun = True
                        choice = self._choice(piece.text, list(piece.likelihoods), offset, None)
                        offset += len(piece.text)
                        yield shapes.event(self._envelope.wrap([choice]))
                finally:
                    await pieces.aclose()
            assert self._stream is not None
            last = self._choice("", [], offset, self._finish_reason())
            yield shapes.event(self._envelope.wrap([last]))
            if self._body.include_usage:
                usage = shapes.usage_json(self._stream.usage)
                yield shapes.event(self._envelope.wrap([], usage=usage))
            yield shapes.DONE
        except Exception as error:
            if not begun:
                raise
            yield shapes.event(error_body(as_api_error(error)))

    def _choice(
        self, text: str, likelihoods: list[TokenLikelihood], offset: int, reason: str | None
    ) -> dict[str, Any]:
        asked = self._body.logprobs is not None
        logprobs = shapes.text_logprobs(likelihoods, offset) if asked else None
        return {"index": 0, "text": text, "logprobs": logprobs, "finish_reason": reason}

    def _finish_reason(self) -> str:
        assert self._stream is not None
        return "length" if self._stream.finish_reason == "length" else "stop"
