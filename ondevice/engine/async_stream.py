"""A chat stream for asyncio: the engine's thread reads it, the event loop gets the pieces."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Self

from ondevice.engine.generation_thread import GenerationThread
from ondevice.engine.protocol import ChatStream
from ondevice.errors import EngineError


class AsyncChatStream:
    """Iterate asynchronously to get the pieces; `stream` holds text, usage and timings.

    Cancelling the task that iterates, or calling `cancel`, ends the answer
    within one token.
    """

    def __init__(self, thread: GenerationThread, start: Callable[[], ChatStream]) -> None:
        """Read the stream that `start`, called in `thread`, returns."""
        self._thread = thread
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
            loop, me = asyncio.get_running_loop(), weakref.ref(self)
            try:
                self._thread.submit(_read, me, loop, self._pieces, self._start, self._stop)
            except RuntimeError as error:  # the thread has ended with its engine
                raise EngineError("The engine is closed; open a new one.") from error
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
    owner: weakref.ref[AsyncChatStream],  # weak, so that a reader who goes away is noticed
    loop: asyncio.AbstractEventLoop,
    pieces: asyncio.Queue[str | BaseException | None],
    start: Callable[[], ChatStream],
    stop: threading.Event,
) -> None:
    end: BaseException | None = None
    try:
        if not stop.is_set():  # it may have waited for another answer
            for piece in _started(owner, start, stop):
                loop.call_soon_threadsafe(pieces.put_nowait, piece)
    except BaseException as error:  # noqa: BLE001 - it is raised in the reader's task
        end = error
    with contextlib.suppress(RuntimeError):  # the loop may be closed by now
        loop.call_soon_threadsafe(pieces.put_nowait, end)


def _started(
    owner: weakref.ref[AsyncChatStream], start: Callable[[], ChatStream], stop: threading.Event
) -> Iterator[str]:
    """Start the stream, show it to its owner, and yield its pieces until nobody wants them."""
    stream = start()
    if (reader := owner()) is not None:
        reader.stream = stream
    del reader
    for piece in stream:
        if stop.is_set():
            stream.cancel()
        yield piece
