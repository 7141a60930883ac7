"""One generation at a time: first come, first served, with a bounded line and a bounded wait."""

from __future__ import annotations

import asyncio
import collections
import contextlib
from collections.abc import AsyncIterator, Callable

from ondevice.server.errors import ApiError


class GenerationQueue:
    """The line before the model; use it from one event loop only."""

    def __init__(self, most: int, wait_seconds: float) -> None:
        """Let `most` requests wait, each for `wait_seconds` at the most."""
        self._most = most
        self._seconds = wait_seconds
        self._busy = False
        self._waiting: collections.deque[asyncio.Future[None]] = collections.deque()

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[Callable[[], None]]:
        """Wait for one's turn and hold the model for the block.

        What the block is given lets the next one in early, once the model is not needed any more.

        Raises:
            ApiError: 429, the line is too long, or 503, the wait was.
        """
        await self._enter()
        held = True

        def release() -> None:
            nonlocal held
            if held:
                held = False
                self._leave()

        try:
            yield release
        finally:
            release()

    async def _enter(self) -> None:
        if not self._busy:
            self._busy = True
            return
        if len(self._waiting) >= self._most:
            raise ApiError(
                429,
                "Too many requests wait for the model; try again.",
                code="queue_full",
                headers={"retry-after": "5"},
            )
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            async with asyncio.timeout(self._seconds):
                await place
        except BaseException as error:
            if place.done() and not place.cancelled():
                self._leave()  # the turn came at the same moment
            else:
                self._waiting.remove(place)
            if isinstance(error, TimeoutError):
                raise ApiError(
                    503,
                    "The model was busy for too long; try again.",
                    code="busy",
                    headers={"retry-after": "5"},
                ) from None
            raise

    def _leave(self) -> None:
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)  # the turn is handed on, so nobody can jump the line
                return
        self._busy = False
