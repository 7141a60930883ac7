"""Results and errors come back, and an interrupt waits for the call."""

import os
import signal
import threading
import time

import pytest

from ondevice.ground.uninterrupted import uninterrupted


def test_results_and_errors_come_back() -> None:
    assert uninterrupted(divmod, 7, 2) == (3, 1)
    assert uninterrupted(sorted, [2, 1], reverse=True) == [2, 1]
    with pytest.raises(ZeroDivisionError):
        uninterrupted(divmod, 1, 0)
    assert uninterrupted(divmod, 7, 2) == (3, 1)


def test_an_interrupt_waits_until_the_call_has_ended() -> None:
    # Programs that a shell starts in the background ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    ended = threading.Event()

    def work() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        ended.set()

    try:
        with pytest.raises(KeyboardInterrupt):
            uninterrupted(work)
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.is_set()
