"""Calls of llama.cpp that an interrupt must not reach.

While it loads, llama.cpp calls back into Python to log. An interrupt that came to the main thread
in such a call would be lost, so these calls run in a thread of their own.
"""

from __future__ import annotations

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
    # Not the thread itself: after an interrupted join, Python 3.11 takes it for dead.
    done = threading.Event()

    def run() -> None:
        try:
            results.append(call(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is wanted
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=run, name="llama.cpp", daemon=True).start()
    interrupt = _wait(done)
    if interrupt is not None:
        raise interrupt
    if errors:
        raise errors[0]
    return results[0]


def _wait(done: threading.Event) -> KeyboardInterrupt | None:
    """Return when `done` is set, with the interrupt that came meanwhile."""
    interrupt: KeyboardInterrupt | None = None
    while True:
        try:
            while not done.is_set():
                done.wait()
            return interrupt
        except KeyboardInterrupt as error:
            interrupt = error
