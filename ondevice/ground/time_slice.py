"""How long a thread that computes may keep its processor when another one wakes up.

While llama.cpp generates, every processor computes. A thread that wakes up to hand on a token (the
event loop, the client, the desktop) then waits until the time slice of one of them is over: 3 ms
with Linux's default. Linux 6.12 and later let a waking thread go first if its slice is the shorter
one, so a thread that computes for long asks for a long slice, and takes nothing from others but
the chance to interrupt them.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys

_SECONDS = 0.02
# Of the system calls sched_setattr and sched_getattr; the C library has names for them only lately.
_CALLS = {"x86_64": (314, 315), "aarch64": (274, 275)}


class _Attributes(ctypes.Structure):
    """What both calls take: `struct sched_attr` of sched(7), in its first version."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),  # the time slice in nanoseconds, of an ordinary thread
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    )


def lengthen_time_slice() -> None:
    """Let threads that wake up interrupt the calling thread, and those that it will start.

    Does nothing where the system does not know of it.
    """
    calls = _CALLS.get(platform.machine())
    if sys.platform != "linux" or calls is None:
        return
    set_attributes, get_attributes = calls
    system_call = ctypes.CDLL(None).syscall
    attributes = _Attributes(size=ctypes.sizeof(_Attributes))
    place, size = ctypes.byref(attributes), ctypes.sizeof(attributes)
    if system_call(get_attributes, 0, place, size, 0) != 0 or attributes.policy != os.SCHED_OTHER:
        return
    attributes.runtime = int(_SECONDS * 1e9)
    system_call(set_attributes, 0, place, 0)
