"""A thread that computes for long leaves the processor to those that wake up."""

import ctypes
import os
import platform
import sys
import threading

from ondevice.ground import time_slice
from ondevice.ground.time_slice import lengthen_time_slice

KNOWN = sys.platform == "linux" and platform.machine() in time_slice._CALLS  # see below


def _slice():
    """The calling thread's time slice in nanoseconds, and its niceness."""
    attributes = time_slice._Attributes()  # Python has no call that tells it
    size = ctypes.sizeof(attributes)
    _, get = time_slice._CALLS[platform.machine()]  # see above
    assert ctypes.CDLL(None).syscall(get, 0, ctypes.byref(attributes), size, 0) == 0
    return attributes.runtime, attributes.nice


def _in_a_thread(call):
    found = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    thread.join()
    return found[0]


def test_the_thread_and_those_it_starts_take_longer_slices_and_the_others_do_not():
    if not KNOWN:
        assert lengthen_time_slice() is None
        return
    before, nice = _slice()
    longer = 20_000_000 if before else 0  # older kernels have one time slice for all, and tell none

    def compute():
        lengthen_time_slice()
        return _slice(), _in_a_thread(_slice)

    own, started = _in_a_thread(compute)
    assert own == started == (longer, nice)
    assert _slice() == (before, nice)
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
