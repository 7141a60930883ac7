"""Calls of llama.cpp that an interrupt must not reach.

While it loads, llama.cpp calls back into Python to log. An interrupt that came to the main thread
in such a call would be lost, so these calls run in a thread of their own.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def uninterrupted(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return `call(*args, **kwargs)`, made in another thread.

    An interrupt is raised when the call has ended: memory that llama.cpp still writes to must not
    be touched.
    """
    results: list[T] = []
    errors: list[BaseException] = []
    once, done = threading.Lock(), threading.Event()

    def run() -> None:
        if not once.acquire(blocking=False):
            return
        try:
            results.append(call(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is wanted
            errors.append(error)
        finally:
            done.set()

    interrupt = _wait(run, done)
    if interrupt is not None:
        raise interrupt
    if errors:
        raise errors[0]
    return results[0]


def _wait(run: Callable[[], None], done: threading.Event) -> KeyboardInterrupt | None:
    """Run `run` in a thread until `done` is set; return the interrupt that came meanwhile.

    `threading.Thread` would not do: an interrupt may come while it starts, and after an
    interrupted `join` Python 3.11 takes the thread for dead.
    """
    interrupt: KeyboardInterrupt | None = None
    started = False
    while True:
        try:
            if not started:
                _thread.start_new_thread(run, ())  # twice, if an interrupt comes just now
                started = True
            while not done.is_set():
                done.wait()
            return interrupt
        except KeyboardInterrupt as error:
            interrupt = error
