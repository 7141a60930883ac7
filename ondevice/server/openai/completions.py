"""`/v1/completions`: going on with a plain text, without memory."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence
from typing import Literal

from starlette.requests import Request

from ondevice.chat import Assistant
from ondevice.engine.protocol import ChatOptions, ChatStream, TokenLikelihood
from ondevice.server.events import Events
from ondevice.server.generation import Worker, while_connected
from ondevice.server.openai.answers import DONE, Completion, Head, TextChoice, TextLogprobs, Usage
from ondevice.server.openai.models import adapters_of
from ondevice.server.openai.requests import CompletionRequest, openai_routes
from ondevice.server.state import ServerState

routes = openai_routes()


@routes.post("/completions")
async def completions(
    state: ServerState, body: CompletionRequest, request: Request
) -> Completion | Events[Completion]:
    """Go on with a text, without memory."""
    answer = _Answer(state, body, await state.assistant_for(body.ondevice.profile))
    if not body.stream:
        return await while_connected(request, answer.whole())
    events = answer.events()
    # Errors before the first token become a status, not an event.
    first = await while_connected(request, anext(events))
    return Events(events, [first], end=DONE)


class _Answer:
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
        self._head = Head("cmpl", body.model, assistant.engine.model.sha256[:12])

    def _start(self) -> ChatStream:
        self._stream = self._assistant.complete(
            self._body.prompt, self._options, adapters=self._adapters
        )
        return self._stream

    async def whole(self) -> Completion:
        """Return the completion when it is complete."""
        likelihoods: list[TokenLikelihood] = []
        async with self._state.queue.turn() as release:
            async for piece in Worker(self._state.thread, self._start, release).pieces():
                likelihoods.extend(piece.likelihoods)
        assert self._stream is not None
        answer = self._made(self._choice(self._stream.text, likelihoods, 0, self._finish_reason()))
        answer.usage = Usage.of(self._stream.usage)
        return answer

    async def events(self) -> AsyncGenerator[Completion, None]:
        """Yield the chunks."""
        offset = 0
        async with self._state.queue.turn() as release:
            worker = Worker(self._state.thread, self._start, release)
            async with contextlib.aclosing(worker.pieces()) as pieces:
                async for piece in pieces:
                    yield self._made(self._choice(piece.text, piece.likelihoods, offset, None))
                    offset += len(piece.text)
        assert self._stream is not None
        yield self._made(self._choice("", [], offset, self._finish_reason()))
        if self._body.include_usage:
            counted = self._made()
            counted.usage = Usage.of(self._stream.usage)
            yield counted

    def _made(self, *choices: TextChoice) -> Completion:
        return Completion(
            id=self._head.id,
            object="text_completion",
            created=self._head.created,
            model=self._head.model,
            system_fingerprint=self._head.fingerprint,
            choices=list(choices),
        )

    def _choice(
        self,
        text: str,
        likelihoods: Sequence[TokenLikelihood],
        offset: int,
        reason: Literal["stop", "length"] | None,
    ) -> TextChoice:
        asked = self._body.logprobs is not None
        logprobs = TextLogprobs.of(likelihoods, offset) if asked else None
        return TextChoice(index=0, text=text, logprobs=logprobs, finish_reason=reason)

    def _finish_reason(self) -> Literal["stop", "length"]:
        assert self._stream is not None
        return "length" if self._stream.finish_reason == "length" else "stop"
