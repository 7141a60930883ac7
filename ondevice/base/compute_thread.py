"""The one thread that llama.cpp computes in.

OpenMP keeps a team of threads for each thread that ever computed, and while there is more than
one team it lets them sleep at every barrier: on two cores two teams made 45 tokens a second where
one made 105, even when the other team had nothing to do. So whoever wants tokens, be it the main
thread, a server's or an asyncio worker's, has them computed here.

Models are loaded here too: while llama.cpp loads it logs, which calls Python, and an interrupt
that came to the main thread in such a call would be lost.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class _Job(Generic[T]):
    """A call, and what came of it when it has `ended`; lighter than a Future, once per token."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._result: T | None = None
        self._error: BaseException | None = None
        self.ended = False
        self._bell = threading.Lock()
        self._bell.acquire()

    def run(self) -> None:
        """Make the call."""
        try:
            self._result = self._call()
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is wanted
            self._error = error
        finally:
            self.ended = True
            self._bell.release()

    def wait(self) -> KeyboardInterrupt | None:
        """Return when the call has ended, with the interrupt that came meanwhile."""
        interrupt: KeyboardInterrupt | None = None
        while True:
            try:
                # An interrupt may come when the bell was heard already: `ended` tells.
                while not self.ended:
                    self._bell.acquire()
                return interrupt
            except KeyboardInterrupt as error:
                interrupt = error

    def result(self) -> T:
        """Return what the call returned, or raise what it raised."""
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value] # T may be None


class _ComputeThread:
    """Makes calls one after the other in a thread that begins with the first."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job[object]] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._started = False

    def submit(self, job: _Job[T]) -> None:
        """Have `job` run."""
        if not self._started:
            with self._starting:
                if not self._started:
                    threading.Thread(target=self._work, name="llama.cpp", daemon=True).start()
                    self._started = True
        self._jobs.put(job)  # type: ignore[arg-type] # nobody looks at its type

    def _work(self) -> None:
        while True:
            self._jobs.get().run()


_thread = _ComputeThread()


def compute(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return `call(*args, **kwargs)`, computed in the thread.

    An interrupt is raised when the call has ended, as it would be without the thread: memory
    that llama.cpp still writes to must not be touched.
    """
    job = _Job(lambda: call(*args, **kwargs))
    _thread.submit(job)
    interrupt = job.wait()
    if interrupt is not None:
        raise interrupt
    return job.result()
