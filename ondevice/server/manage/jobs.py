"""Work that takes longer than a request: one job of a kind, and everybody can follow it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel

from ondevice.errors import LearningError, OndeviceError, explain
from ondevice.server.remedies import WORDS
from ondevice.server.routing import Answer

HEARTBEAT_SECONDS = 10.0  # without an event for so long, a comment shows that we are alive

Event = TypeVar("Event", bound=BaseModel)


class Failed(Answer):
    """A last event: it did not work; why."""

    stage: Literal["failed"]
    message: str


class Stopped(Answer):
    """A last event: it was stopped; what is kept, if anything is."""

    stage: Literal["stopped"]
    text: str | None = None


class Job(Generic[Event]):
    """Something that runs in a thread of its own, and the events that it told."""

    def __init__(self, work: Callable[[Job[Event]], Event]) -> None:
        """Start `work`; what it returns is the job's last event."""
        self.events: list[Event | Failed] = []
        self.finished = False
        self._lock = threading.Lock()
        self._followers: list[Callable[[], object]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def tell(self, event: Event) -> None:
        """Tell everybody who follows."""
        self._append(event, finished=False)

    def stop(self) -> None:
        """Ask the work to stop soon."""
        self._stop.set()

    def should_stop(self) -> bool:
        """Whether the work was asked to stop."""
        return self._stop.is_set()

    def join(self, seconds: float | None = None) -> None:
        """Wait for the work to end."""
        self._thread.join(seconds)

    async def follow(self, after: int = 0) -> AsyncGenerator[Event | Failed | None, None]:
        """Yield the events from number `after` on, as they come; None while nothing happens."""
        changed, loop = asyncio.Event(), asyncio.get_running_loop()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed
                loop.call_soon_threadsafe(changed.set)

        self._followers.append(wake)
        try:
            while True:
                changed.clear()
                with self._lock:
                    new, over = self.events[after:], self.finished
                for event in new:
                    yield event
                after += len(new)
                if over:
                    return
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        await changed.wait()
                except TimeoutError:
                    yield None
        finally:
            self._followers.remove(wake)

    async def follow_alone(self) -> AsyncGenerator[Event | Failed | None, None]:
        """Yield the events to the only one who wants them: the job stops when they go."""
        try:
            async with contextlib.aclosing(self.follow()) as events:
                async for event in events:
                    yield event
        finally:
            self.stop()

    def _run(self, work: Callable[[Job[Event]], Event]) -> None:
        last: Event | Failed
        try:
            last = work(self)
        except OndeviceError as error:
            last = _failed(error.said(WORDS))
        except OSError as error:
            last = _failed(f"A file cannot be used: {explain(error)}.")
        except Exception as error:  # noqa: BLE001 - a thread has nobody else to tell
            # The text of an unknown error may hold personal text; its kind does not.
            logging.getLogger("ondevice").error("A job failed: %s", type(error).__name__)
            last = _failed("That failed; see what the server printed in its terminal.")
        self._append(last, finished=True)

    def _append(self, event: Event | Failed, *, finished: bool) -> None:
        with self._lock:
            self.events.append(event)
            self.finished = finished
        for wake in list(self._followers):
            wake()


def _failed(message: str) -> Failed:
    return Failed(stage="failed", message=message)


class Jobs:
    """The newest job of each kind, and those that are of no kind until they end."""

    def __init__(self) -> None:
        """Begin without any."""
        self._lock = threading.Lock()
        self._newest: dict[str, Job[Any]] = {}
        self._others: list[Job[Any]] = []

    def begin(self, work: Callable[[Job[Event]], Event]) -> Job[Event]:
        """Start a job that others of its sort may run beside."""
        with self._lock:
            job = Job(work)
            self._others = [*(one for one in self._others if not one.finished), job]
            return job

    def start(self, kind: str, work: Callable[[Job[Event]], Event]) -> Job[Event]:
        """Start a job.

        Raises:
            LearningError: one of its kind is still running.
        """
        with self._lock:
            if self.running(kind):
                raise LearningError(f"Another {kind} is still under way; wait for it, or stop it.")
            job = self._newest[kind] = Job(work)
            return job

    async def follow(self, kind: str) -> AsyncGenerator[Any, None]:
        """Yield the events of the newest job of a kind, running or not."""
        job = self._newest.get(kind)
        if job is not None:
            async with contextlib.aclosing(job.follow()) as events:
                async for event in events:
                    yield event

    def running(self, kind: str) -> bool:
        """Whether a job of that kind is under way."""
        job = self._newest.get(kind)
        return job is not None and not job.finished

    def stop(self, kind: str) -> None:
        """Ask the newest job of a kind to stop soon."""
        job = self._newest.get(kind)
        if job is not None:
            job.stop()

    def stop_all(self, seconds: float = 5.0) -> None:
        """Ask every job to stop and wait a little."""
        jobs = [*self._newest.values(), *self._others]
        for job in jobs:
            job.stop()
        for job in jobs:
            job.join(seconds)
