"""How long this process's threads were ready to run while others had the processors."""

from __future__ import annotations

from pathlib import Path

_TASKS = Path("/proc/self/task")


def run_queue_waits() -> dict[int, float] | None:
    """Return the seconds each thread has ever waited for a processor, by thread id.

    None where the system does not tell; Linux does (Documentation/scheduler/sched-stats).
    Takes about 40 microseconds a thread.
    """
    waits: dict[int, float] = {}
    try:
        threads = list(_TASKS.iterdir())
    except OSError:
        return None
    for thread in threads:
        try:
            _ran, waited, *_slices = (thread / "schedstat").read_bytes().split()
            waits[int(thread.name)] = int(waited) / 1e9
        except (OSError, ValueError):
            continue  # the thread has ended meanwhile, or the kernel keeps no such figures
    return waits or None


def waited_between(before: dict[int, float], after: dict[int, float]) -> float:
    """Return the seconds that the threads of `after` waited since `before`, added up."""
    return sum(waited - before.get(thread, 0.0) for thread, waited in after.items())
