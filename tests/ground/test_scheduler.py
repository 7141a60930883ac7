"""What the system says of threads that wait for a processor."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os, threading, time
from ondevice.ground.scheduler import run_queue_waits, waited_between
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
before = run_queue_waits()
until = time.perf_counter() + 0.4
rival = os.fork()
while time.perf_counter() < until:
    pass
if rival:
    print(waited_between(before, run_queue_waits()))
    os.waitpid(rival, 0)
"""


@pytest.mark.trace
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_a_thread_that_shares_its_core_is_seen_waiting() -> None:
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=os.environ, check=True
    )
    assert 0.05 < float(process.stdout) < 0.6
