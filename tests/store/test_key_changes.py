"""Changing what opens a profile, and locking it."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import pytest

from ondevice.errors import ProfileError, ProfileLockedError
from ondevice.store.access import key_changes, keyring_store, keys, recovery
from ondevice.store.access.passphrase import Cost
from ondevice.store.profile import Profile

QUICK = Cost(memory_kib=64, iterations=1, lanes=1)

CHANGER = """
import itertools, sys
from pathlib import Path
from ondevice.home import Home
from ondevice.store.access import key_changes
from ondevice.store.access.passphrase import Cost
from ondevice.store.profile import Profile
cost = Cost(memory_kib=64, iterations=1, lanes=1)
p = Profile.open(Home.below(Path(sys.argv[1])), ask_passphrase=lambda: sys.argv[2])
sys.stdin.readline()
print("go", flush=True)
for word in itertools.cycle(["one", "two"]):
    key_changes.set_passphrase(p, word, cost=cost)
    print("go", flush=True)
"""


class MemoryKeyring(dict):
    def get_password(self, service, account):
        return self.get((service, account))

    def set_password(self, service, account, password):
        self[service, account] = password

    def delete_password(self, service, account):
        del self[service, account]


@pytest.fixture
def keyring(monkeypatch):
    kept = MemoryKeyring()
    monkeypatch.setattr(keyring_store.SystemKeyring, "find", classmethod(lambda cls: cls(kept)))
    return kept


def opens(home, word):
    try:
        Profile.open(home, ask_passphrase=lambda: word).close()
    except ProfileLockedError:
        return False
    return True


@pytest.mark.model  # fifty programs, each killed at its work
def test_fifty_kills_while_the_passphrase_changes(home):
    with Profile.create(home) as profile:
        fact = profile.facts.add("still there")
        key_changes.set_passphrase(profile, "one", cost=QUICK)
        code = key_changes.new_recovery_code(profile)

    def start():
        command = [sys.executable, "-c", CHANGER, str(home.data.parent), code]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    rng, words = random.Random(0), []
    waiting = [start(), start()]
    for _ in range(50):
        with waiting.pop(0) as victim:
            waiting.append(start())
            victim.stdin.write(b"\n")
            victim.stdin.flush()
            for _ in range(1 + rng.randrange(4)):
                assert victim.stdout.readline() == b"go\n"
            time.sleep(rng.uniform(0, 0.015))
            victim.kill()
        fitting = [tried for tried in ("one", "two") if opens(home, tried)]
        assert len(fitting) == 1
        words += fitting
    for process in waiting:
        process.kill()
        process.communicate()
    word = words[-1]
    assert set(words) == {"one", "two"}
    with Profile.open(home, ask_passphrase=lambda: word) as profile:
        assert profile.get(fact.id) == fact


def test_a_passphrase_takes_the_place_of_the_key_file_and_back(home):
    with Profile.create(home) as profile:
        assert keys.key_file(home, "default").exists()
        key_changes.set_passphrase(profile, "first", cost=QUICK)
        assert not keys.key_file(home, "default").exists()
        key_changes.set_passphrase(profile, "second", cost=QUICK)
        with pytest.raises(ProfileLockedError, match="empty"):
            key_changes.set_passphrase(profile, "")
        assert not opens(home, "first")
        assert opens(home, "second")
        said = []
        key_changes.remove_passphrase(profile, warn=said.append)
        assert "key" in said[0]
        assert key_changes.ways_in(home, "default") == ["file"]
    Profile.open(home).close()


def test_a_passphrase_that_is_set_for_another_profile_does_no_harm(home, tmp_path, monkeypatch):
    word = tmp_path / "word"
    word.write_text("of another profile\n")
    with Profile.open(home, create=True) as profile:
        code = key_changes.new_recovery_code(profile)
    monkeypatch.setenv("ONDEVICE_PASSPHRASE_FILE", str(word))
    with Profile.open(home) as profile:  # by its key file: there is no passphrase to be wrong
        profile.check()
    keys.key_file(home, "default").unlink()
    with pytest.raises(ProfileLockedError):
        Profile.open(home)
    word.write_text(code)
    Profile.open(home).close()


def test_keyring_comes_and_goes_and_its_loss_is_no_loss(home, keyring):
    with Profile.create(home) as profile:
        key_changes.set_passphrase(profile, "word", cost=QUICK)
        key_changes.add_keyring(profile)
        key_changes.add_keyring(profile)
        code = key_changes.new_recovery_code(profile)
        assert sorted(key_changes.ways_in(home, "default")) == ["keyring", "passphrase", "recovery"]
    Profile.open(home).close()
    keyring.clear()
    assert opens(home, "word")
    assert opens(home, code)
    assert opens(home, code.replace("-", " ").lower())
    assert not opens(home, recovery.new_code())
    with Profile.open(home, ask_passphrase=lambda: "word") as profile:
        key_changes.add_keyring(profile)
        key_changes.remove_recovery_code(profile)
        key_changes.remove_passphrase(profile)
        with pytest.raises(ProfileError, match="passphrase first"):
            key_changes.remove_keyring(profile)
    Profile.open(home).close()


def test_locking_closes_open_programs_and_destroys_the_stored_keys(home, keyring):
    with Profile.create(home) as profile:
        with pytest.raises(ProfileError, match="nobody could unlock"):
            key_changes.lock(home, "default")
        fact = profile.facts.add("secret")
        key_changes.set_passphrase(profile, "word", cost=QUICK)
        kept = dict(keyring)
        key_changes.lock(home, "default")
        with pytest.raises(ProfileLockedError, match="locked"):
            profile.facts.all()
        with pytest.raises(ProfileLockedError):
            profile.derive_key("adapters")
    assert kept and not keyring
    keyring.update(kept)  # even with the old key
    with pytest.raises(ProfileLockedError, match="unlock"):
        Profile.open(home, ask_passphrase=lambda: "word")
    with pytest.raises(ProfileLockedError):
        key_changes.unlock(home, "default", lambda: "sword")
    with pytest.raises(ProfileLockedError):
        key_changes.unlock(home, "default", None)
    key_changes.unlock(home, "default", lambda: "word")
    with Profile.open(home, ask_passphrase=lambda: "word") as profile:
        assert profile.get(fact.id) == fact
