"""Fewer threads decode while other programs hold the processors; all again when they are free."""

from ondevice.engine.free_threads import FreeThreads


class Machine:
    """Cores that other programs hold; its clock moves while decoding."""

    def __init__(self, cores: int, *, tells: bool = True) -> None:
        self.now = 0.0
        self.waited = 0.0
        self.others = 0
        self.chosen = [cores]
        self._tells = tells
        self._cores = cores
        self.threads = FreeThreads(cores, self.chosen.append, waits=self._waits, clock=self._clock)

    def _clock(self) -> float:
        return self.now

    def _waits(self) -> dict[int, float] | None:
        return {1: self.waited} if self._tells else None

    def decode(self, seconds: float) -> list[int]:
        """Decode for so long; return the numbers of threads that were chosen meanwhile."""
        known, until = len(self.chosen), self.now + seconds
        while self.now < until:
            self.threads.begin()
            self.now += 0.01
            shared = max(0, self.threads.count + self.others - self._cores)
            self.waited += 0.01 * 0.4 * min(shared, self.threads.count)
            self.threads.end()
        return self.chosen[known:]


def test_an_idle_machine_is_used_whole() -> None:
    assert Machine(2).decode(10) == []


def test_a_core_that_another_program_holds_is_left_to_it() -> None:
    machine = Machine(2)
    machine.others = 1
    assert machine.decode(0.2) == [1]


def test_many_cores_are_left_within_a_moment() -> None:
    machine = Machine(16)
    machine.others = 8
    machine.decode(0.3)
    assert min(machine.chosen) == 8


def test_one_thread_is_always_left() -> None:
    machine = Machine(2)
    machine.others = 10
    machine.decode(60)
    assert set(machine.chosen) == {1, 2}


def test_one_more_is_tried_ever_more_seldom() -> None:
    machine = Machine(2)
    machine.others = 2
    machine.decode(60)
    assert 3 <= machine.chosen.count(2) <= 15


def test_freed_cores_are_used_again() -> None:
    machine = Machine(4)
    machine.others = 3
    machine.decode(30)
    assert machine.threads.count == 1
    machine.others = 0
    machine.decode(10)
    assert machine.threads.count == 4


def test_what_other_threads_waited_between_two_answers_does_not_count() -> None:
    machine = Machine(2)
    machine.decode(1)
    machine.now += 60
    machine.waited += 30
    assert machine.decode(1) == []


def test_a_system_that_does_not_tell_keeps_all_threads() -> None:
    machine = Machine(2, tells=False)
    machine.others = 2
    assert machine.decode(10) == []
