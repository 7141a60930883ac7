"""Server-sent events to a client that may go away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable
from typing import Generic, TypeVar

from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ondevice.server.errors import error_of

Event = TypeVar("Event", bound=BaseModel)

STILL_HERE = b": still here\n\n"


def encoded(answer: BaseModel) -> bytes:
    """Return an answer as JSON, without fields that were not set."""
    return answer.model_dump_json(by_alias=True, exclude_unset=True).encode()


class Events(Response, Generic[Event]):
    """Server-sent events; the client's going away closes `events`."""

    media_type = "text/event-stream"

    def __init__(
        self,
        events: AsyncGenerator[Event | None, None],
        first: Iterable[Event] = (),
        *,
        end: bytes = b"",
    ) -> None:
        """Send `first`, then `events`, then `end`; what goes wrong is the last event.

        Args:
            events: what is sent as it comes, None as a comment; it is closed in any case.
            first: what came already.
            end: what follows when nothing went wrong.
        """
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._first = first
        self._events = events
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the end, or until nobody listens."""
        task = asyncio.ensure_future(self._send(send))
        gone = asyncio.ensure_future(disconnected(receive))
        try:
            await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            task.cancel()
            gone.cancel()
            await asyncio.wait({task, gone})
        if not task.cancelled():
            task.result()

    async def _send(self, send: Send) -> None:
        async with contextlib.aclosing(self._events), contextlib.aclosing(self._lines()) as lines:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async for line in lines:
                await send({"type": "http.response.body", "body": line, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    async def _lines(self) -> AsyncGenerator[bytes, None]:
        try:
            for event in self._first:
                yield _line(event)
            async for later in self._events:
                yield STILL_HERE if later is None else _line(later)
        except Exception as error:  # noqa: BLE001 - it is told: the status was sent already
            yield _line(error_of(error))
        else:
            if self._end:
                yield self._end


def _line(event: BaseModel) -> bytes:
    return b"data: " + encoded(event) + b"\n\n"


async def disconnected(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
