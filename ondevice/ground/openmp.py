"""The threads that llama.cpp computes with, and how to let them go.

OpenMP keeps a team of threads for each thread that ever computed. While there is more than one
team, GNU's implementation lets them sleep at every barrier instead of waiting awake: on two cores
45 tokens a second were made beside an idle team of another thread, and 105 without it. So a
thread that has computed lets its team go; making a new one takes a sixth of a millisecond.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable

_SOFT_PAUSE = 1  # omp_pause_soft: threads end, settings stay


def release_team() -> None:
    """End the threads that OpenMP keeps for the calling thread; computing again makes new ones.

    Does nothing where llama.cpp computes with another implementation.
    """
    _pause()()


@functools.cache
def _pause() -> Callable[[], object]:
    """Return the call that does it."""
    if sys.platform != "linux":
        return lambda: None
    try:
        library = ctypes.CDLL("libgomp.so.1")  # the one that llama.cpp has loaded, by its name
        device = library.omp_get_initial_device()
        return functools.partial(library.omp_pause_resource, _SOFT_PAUSE, device)
    except (OSError, AttributeError):
        return lambda: None
