"""From a generation in a thread to the event loop, and from there to a client that may go away."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ondevice.engine.generation_thread import GenerationThread
from ondevice.engine.protocol import TokenLikelihood
from ondevice.server.errors import ApiError

T = TypeVar("T")

# Words that come within this time go to the client together, which nobody sees: each event wakes
# the event loop and the client, and so takes a core from the model for a moment.
TOGETHER_SECONDS = 0.02


class Generation(Protocol):
    """A reply or a stream of the engine."""

    @property
    def likelihoods(self) -> Sequence[TokenLikelihood]:
        """Of the tokens so far."""

    def __iter__(self) -> Any:
        """Return an iterator over the pieces."""

    def cancel(self) -> None:
        """End within a token; from any thread."""


@dataclass(frozen=True)
class Piece:
    """Text, and the likelihoods of the tokens that came since the last piece."""

    text: str
    likelihoods: Sequence[TokenLikelihood] = ()


class Worker:
    """Runs one generation in one thread; locks inside belong to that thread."""

    def __init__(
        self,
        thread: GenerationThread,
        start: Callable[[], Generation],
        ended: Callable[[], None] | None = None,
    ) -> None:
        """Prepare to iterate what `start`, called in the thread, returns.

        `ended` is called in the event loop when the generation has ended, though pieces of it may
        still wait for a client that reads slowly.
        """
        self._thread = thread
        self._start = start
        self._when_ended = ended
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[Piece | BaseException | None] = asyncio.Queue()
        self._ended = asyncio.Event()
        self._stop = threading.Event()
        self._generation: Generation | None = None

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """Yield the pieces; leaving early ends the generation and waits for its thread."""
        self._thread.submit(self._run)
        try:
            while (piece := await self._pieces.get()) is not None:
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            self._stop.set()
            if self._generation is not None:
                self._generation.cancel()
            # Shielded: a cancelled request must not let the next one in before the model is free.
            await asyncio.shield(self._ended.wait())

    def _run(self) -> None:
        end: BaseException | None = None
        seen, held, posted = 0, "", 0.0
        try:
            self._generation = generation = self._start()
            if self._stop.is_set():
                generation.cancel()
            for text in generation:
                held += text
                now = time.perf_counter()
                if now - posted >= TOGETHER_SECONDS:
                    new = generation.likelihoods[seen:]
                    self._post(self._pieces.put_nowait, Piece(held, new))
                    seen, held, posted = seen + len(new), "", now
            new = generation.likelihoods[seen:]
            if held or new:
                self._post(self._pieces.put_nowait, Piece(held, new))
        except BaseException as error:  # noqa: BLE001 - it is raised in the request's task
            end = error
        self._post(self._pieces.put_nowait, end)
        if self._when_ended is not None:
            self._post(self._when_ended)
        self._post(self._ended.set)

    def _post(self, call: Callable[..., None], *values: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed
            self._loop.call_soon_threadsafe(call, *values)


async def while_connected(request: Request, work: Awaitable[T]) -> T:
    """Return what `work` returns; cancel it when the client goes away.

    The body must have been read.
    """
    task: asyncio.Task[T] = asyncio.create_task(_awaited(work))
    gone = asyncio.create_task(_disconnect(request.receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        left = not task.done()
    except asyncio.CancelledError:  # the server stops and waits no longer: say so at once
        raise ApiError(503, "The server is stopping; start it again.", code="stopping") from None
    finally:
        gone.cancel()
        task.cancel()
    await asyncio.wait({task, gone})
    if left and task.cancelled():
        raise ApiError(499, "The client has gone.", code="client_gone")
    return task.result()


async def _awaited(work: Awaitable[T]) -> T:
    return await work


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class EventStream(Response):
    """Server-sent events; the client's going away closes `events`."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes], first: Iterable[bytes] = ()) -> None:
        """Send `first`, then `events`, each a whole event; `events` is closed in any case."""
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._first = first
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the end, or until nobody listens."""
        task = asyncio.ensure_future(self._send(send))
        gone = asyncio.ensure_future(_disconnect(receive))
        try:
            await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            task.cancel()
            gone.cancel()
            await asyncio.wait({task, gone})
        if not task.cancelled():
            task.result()

    async def _send(self, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            for event in self._first:
                await send({"type": "http.response.body", "body": event, "more_body": True})
            async for event in self._events:
                await send({"type": "http.response.body", "body": event, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            close = getattr(self._events, "aclose", None)
            if close is not None:
                await close()
