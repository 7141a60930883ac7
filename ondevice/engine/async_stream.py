"""A chat stream for asyncio: a worker thread reads the stream, the event loop gets the pieces."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Self

from ondevice.engine.protocol import ChatStream


class AsyncChatStream:
    """Iterate asynchronously to get the pieces; `stream` holds text, usage and timings.

    Cancelling the task that iterates, or calling `cancel`, ends the answer
    within one token.
    """

    def __init__(self, start: Callable[[], ChatStream]) -> None:
        """Read the stream that `start` returns; it is called in a worker thread."""
        self._start = start
        self.stream: ChatStream | None = None
        self._stop = threading.Event()
        self._pieces: asyncio.Queue[str | BaseException | None] | None = None

    def __aiter__(self) -> Self:
        """Return the stream itself."""
        return self

    async def __anext__(self) -> str:
        """Return the next piece of text."""
        if self._pieces is None:
            self._pieces = asyncio.Queue()
            worker = threading.Thread(
                target=_read,
                args=(self, asyncio.get_running_loop(), self._pieces, self._start, self._stop),
                daemon=True,
            )
            worker.start()
        try:
            piece = await self._pieces.get()
        except BaseException:
            self.cancel()
            raise
        if isinstance(piece, str):
            return piece
        self._pieces.put_nowait(None)  # further calls end at once
        if piece is None:
            raise StopAsyncIteration
        raise piece

    def cancel(self) -> None:
        """End the answer within one token; from any thread."""
        self._stop.set()
        if self.stream is not None:
            self.stream.cancel()

    async def aclose(self) -> None:
        """End the answer within one token."""
        self.cancel()

    def __del__(self) -> None:
        """End an answer that nobody reads any more."""
        self._stop.set()


def _read(
    owner: AsyncChatStream,
    loop: asyncio.AbstractEventLoop,
    pieces: asyncio.Queue[str | BaseException | None],
    start: Callable[[], ChatStream],
    stop: threading.Event,
) -> None:
    end: BaseException | None = None
    try:
        stream = start()
        owner.stream = stream
        del owner  # so that a reader who goes away is noticed
        if stop.is_set():
            stream.cancel()
        for piece in stream:
            if stop.is_set():
                stream.cancel()
            loop.call_soon_threadsafe(pieces.put_nowait, piece)
    except BaseException as error:  # noqa: BLE001 - it is raised in the reader's task
        end = error
    with contextlib.suppress(RuntimeError):  # the loop may be closed by now
        loop.call_soon_threadsafe(pieces.put_nowait, end)
