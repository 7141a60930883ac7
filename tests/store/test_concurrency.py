"""Several threads and processes, and processes that die."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time

import pytest

from ondevice.errors import ProfileLockedError
from ondevice.store.access import key_changes
from ondevice.store.access.passphrase import Cost
from ondevice.store.profile import Profile
from ondevice.store.profiles import exclusive

WRITER = """
import sys
from pathlib import Path
from ondevice.home import Home
from ondevice.store.profile import Profile
p = Profile.open(Home.below(Path(sys.argv[1])))
talk = p.turns.new_conversation()
i = 0
while True:
    i += 1
    record = p.facts.add(f"fact {i}") if i % 3 else p.turns.add(talk, "user", f"turn {i}")
    print(record.id, flush=True)
"""

OTHER = """
import sys
from pathlib import Path
from ondevice.home import Home
from ondevice.store.profile import Profile
p = Profile.open(Home.below(Path(sys.argv[1])))
for line in sys.stdin:
    verb, _, what = line.strip().partition(" ")
    print(p.facts.add(what).id if verb == "add" else p.forget([what]).records[0], flush=True)
"""


def start(script, home, **pipes):
    command = [sys.executable, "-c", script, str(home.data.parent)]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, **pipes)


@pytest.mark.model  # fifty programs, each killed at its work
def test_fifty_kills_lose_no_acknowledged_record(home, profile):
    profile.lock()
    rng = random.Random(0)
    acknowledged: list[str] = []
    writing = [start(WRITER, home) for _ in range(2)]
    for _ in range(50):
        victim = writing.pop(0)
        acknowledged.append(victim.stdout.readline().strip())  # it is at work
        time.sleep(rng.uniform(0, 0.03))
        victim.kill()
        writing.append(start(WRITER, home))
        rest = victim.stdout.read().split("\n")
        acknowledged += [line for line in rest[:-1] if line]  # the last may be half a line
        victim.stdout.close()
        victim.wait()
    for process in writing:
        process.kill()
        process.communicate()
    with Profile.open(home) as opened:
        lost = [record_id for record_id in acknowledged if not opened.has(record_id)]
        assert lost == []
        assert len(acknowledged) >= 50
        opened.check()


def test_other_process_is_noticed(home, profile):
    fact = profile.facts.add("known to both")
    with start(OTHER, home, stdin=subprocess.PIPE) as other:

        def do(line):
            print(line, file=other.stdin, flush=True)
            return other.stdout.readline().strip()

        version, generation = profile.data_version(), profile.generation()
        assert profile.data_version() == version
        added = do("add something else")
        assert profile.data_version() != version
        assert profile.generation() == generation  # nothing is untrue that was true
        assert profile.get(added).text == "something else"
        version = profile.data_version()
        assert do(f"forget {fact.id}") == fact.id
        assert profile.data_version() != version
        assert profile.generation() != generation
        assert not profile.has(fact.id)
        other.stdin.close()


def test_threads_share_a_profile(profile):
    def work(name):
        talk = profile.turns.new_conversation(name)
        for i in range(20):
            profile.turns.add(talk, "user", f"{name} says {i}")
            assert len(profile.turns.all(talk)) == i + 1

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(profile.turns.all()) == 120
    profile.check()


@pytest.mark.parametrize("seconds", [0.0, 1.5])
def test_who_waits_for_another_process_says_so_after_a_moment(home, seconds):
    def somebody_else():
        with exclusive(home, "default"):
            begun.set()
            time.sleep(seconds)

    begun, said = threading.Event(), []
    other = threading.Thread(target=somebody_else)
    other.start()
    begun.wait()
    Profile.open(home, create=True, warn=said.append).close()
    other.join()
    waits = [sentence for sentence in said if "waits until that is done" in sentence]
    assert len(waits) == (1 if seconds else 0)
    with Profile.open(home) as opened:  # nobody holds it any more
        assert opened.facts.all() == []
    with exclusive(home, "default", warn=pytest.fail):
        pass


class Interrupted:
    """A connection during whose BEGIN somebody presses Ctrl-C."""

    def __init__(self, connection):
        self._connection = connection
        self.presses = 1

    def execute(self, sql, values=()):
        result = self._connection.execute(sql, values)
        if sql.startswith("BEGIN") and self.presses:
            self.presses -= 1
            raise KeyboardInterrupt
        return result

    def __getattr__(self, name):
        return getattr(self._connection, name)


def test_an_interrupt_when_a_transaction_has_just_begun_leaves_none_open(profile):
    database = profile._db  # a Ctrl-C at this very statement cannot be timed from outside
    database._connection = Interrupted(database._connection)  # see above
    with pytest.raises(KeyboardInterrupt):
        profile.facts.add("first")
    assert not database._connection.in_transaction  # SQLite knows
    profile.facts.add("second")
    assert [fact.text for fact in profile.facts.all()] == ["second"]


def test_locking_in_the_middle_of_a_transaction_is_said_as_such(home, profile):
    key_changes.set_passphrase(profile, "correct horse", cost=Cost(8, 1, 1))
    fact = profile.facts.add("kept")
    with pytest.raises(ProfileLockedError, match="was locked"), profile.transaction():
        profile.facts.edit(fact.id, text="changed")
        key_changes.lock(home, profile.name)
        profile.facts.edit(fact.id, text="changed again")
    key_changes.unlock(home, profile.name, lambda: "correct horse")
    with Profile.open(home, ask_passphrase=lambda: "correct horse") as opened:
        assert [one.text for one in opened.facts.all()] == ["kept"]
