"""How many threads decode: all of them, or fewer while other programs hold the processors.

llama.cpp's threads meet hundreds of times for one token. Where one of them has to share its
core, the others wait for it each time: on two cores, beside one busy program, two threads wrote
29 tokens a second and one thread wrote 74; beside four, 5 to 20 and 26. So as many threads
decode as find a core of their own. That there are too many shows in the time they stood ready
without one; that there could be more shows only by trying, ever more seldom while it fails.

What is computed does not depend on the number of threads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from ondevice.ground.scheduler import run_queue_waits, waited_between

_WINDOW = 0.05  # seconds of decoding that are judged together
_CROWDED = 0.25  # of the window: so long one thread has waited where there is one too many
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 8.0  # seconds until one more is tried


class FreeThreads:
    """Chooses the number of threads, from one piece of decoding to the next."""

    def __init__(
        self,
        most: int,
        use: Callable[[int], object],
        *,
        waits: Callable[[], dict[int, float] | None] = run_queue_waits,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Begin with `most` threads; `use` is called with each other number that is chosen."""
        self._most, self._use, self._waits, self._clock = most, use, waits, clock
        self._count = most
        self._tried = False  # whether the present number is one more than what went well
        self._pause = _FIRST_PAUSE
        self._patient_until = 0.0
        self._began = self._ended = -math.inf
        self._computed = 0.0
        self._before: dict[int, float] | None = None

    @property
    def count(self) -> int:
        """How many threads decode now."""
        return self._count

    def begin(self) -> None:
        """Say that decoding begins."""
        self._began = self._clock()
        if self._most > 1 and self._began - self._ended > _WINDOW:
            self._open_window()

    def end(self) -> None:
        """Say that what was begun is decoded; may choose another number."""
        self._ended = self._clock()
        self._computed += self._ended - self._began
        if self._before is not None and self._computed >= _WINDOW:
            after = self._waits()
            if after is not None:
                self._judge(waited_between(self._before, after) / self._computed)
            self._open_window()

    def _open_window(self) -> None:
        self._computed, self._before = 0.0, self._waits()

    def _judge(self, waiting: float) -> None:
        """Choose by how many threads were waiting, on average over the window."""
        now = self._ended
        if waiting > _CROWDED and self._count > 1:
            self._pause = min(2 * self._pause, _LONGEST_PAUSE) if self._tried else _FIRST_PAUSE
            self._patient_until = now + self._pause
            self._choose(max(1, self._count - math.ceil(waiting)), tried=False)
        elif self._tried:  # it went well
            self._pause, self._tried = _FIRST_PAUSE, False
        elif self._count < self._most and now >= self._patient_until:
            self._choose(self._count + 1, tried=True)

    def _choose(self, count: int, *, tried: bool) -> None:
        self._count, self._tried = count, tried
        self._use(count)
