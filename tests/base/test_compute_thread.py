"""Everything is computed in one thread, errors come back, and an interrupt waits for the call."""

import os
import signal
import threading
import time

import pytest

from ondevice.base.compute_thread import compute


def test_every_caller_gets_the_same_thread() -> None:
    found: list[int] = []
    callers = [
        threading.Thread(target=lambda: found.append(compute(threading.get_ident)))
        for _ in range(5)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert set(found) == {compute(threading.get_ident)}
    assert threading.get_ident() not in found


def test_results_and_errors_come_back() -> None:
    assert compute(divmod, 7, 2) == (3, 1)
    assert compute(sorted, [2, 1], reverse=True) == [2, 1]
    with pytest.raises(ZeroDivisionError):
        compute(divmod, 1, 0)
    assert compute(divmod, 7, 2) == (3, 1)


def test_an_interrupt_waits_until_the_call_has_ended() -> None:
    ended = threading.Event()

    def work() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        ended.set()

    with pytest.raises(KeyboardInterrupt):
        compute(work)
    assert ended.is_set()
