"""The one thread that llama.cpp computes in.

OpenMP keeps a team of threads for each thread that ever computed, and while there is more than
one team it lets them sleep at every barrier: on two cores two teams made 45 tokens a second where
one made 105, even when the other team had nothing to do. So whoever wants tokens, be it the main
thread, a server's or an asyncio worker's, has them computed here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_thread = ThreadPoolExecutor(1, thread_name_prefix="llama.cpp")


def compute(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return `call(*args, **kwargs)`, computed in the thread.

    An interrupt is raised when the call has ended, as it would be without the thread: memory
    that llama.cpp still writes to must not be touched.
    """
    future = _thread.submit(call, *args, **kwargs)
    try:
        return future.result()
    finally:
        while not future.done():
            with contextlib.suppress(KeyboardInterrupt):  # the first one is on its way
                wait([future])
