"""Who can open a profile."""

from __future__ import annotations

import hashlib
import json
import time

import pytest
from keyring.backends.null import Keyring as NullKeyring

from ondevice.errors import ProfileLockedError
from ondevice.store.access import key_changes, keyring_store, keys
from ondevice.store.access.passphrase import Cost
from ondevice.store.profile import Profile


def hashes(folder):
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_wrong_passphrase_changes_nothing_and_is_quick(home, monkeypatch):
    with Profile.create(home, "anna", passphrase="correct horse") as profile:
        fact = profile.facts.add("secret")
    before = hashes(home.data.parent)
    started = time.monotonic()
    with pytest.raises(ProfileLockedError, match="passphrase") as caught:
        Profile.open(home, "anna", ask_passphrase=lambda: "correct house")
    assert time.monotonic() - started < 20  # not after ever longer waits
    assert "house" not in str(caught.value)
    assert hashes(home.data.parent) == before
    with pytest.raises(ProfileLockedError, match="ONDEVICE_PASSPHRASE_FILE"):
        Profile.open(home, "anna")
    assert hashes(home.data.parent) == before

    file = home.data.parent / "phrase"
    monkeypatch.setenv("ONDEVICE_PASSPHRASE_FILE", str(file))
    with pytest.raises(ProfileLockedError, match="cannot be read"):
        Profile.open(home, "anna")
    for content in (b"correct horse\n", b"\xef\xbb\xbfcorrect horse\r\n"):  # as Windows writes it
        file.write_bytes(content)
        with Profile.open(home, "anna") as profile:
            assert profile.get(fact.id) == fact


def test_what_goes_wrong_in_asking_says_nothing_of_the_keys(home):
    Profile.create(home, "anna", passphrase="correct horse").close()
    with pytest.raises(ProfileLockedError, match="encoding"):
        Profile.open(home, "anna", ask_passphrase=lambda: "caf\udce9")
    with pytest.raises(UnicodeDecodeError):  # not that the keys are damaged
        Profile.open(home, "anna", ask_passphrase=lambda: b"caf\xe9".decode())
    with pytest.raises(ProfileLockedError, match="encoding"):
        Profile.create(home, "ben", passphrase="caf\udce9")
    assert not home.profile("ben").exists()


def test_key_file_is_private_and_warned_about(home):
    warnings = []
    Profile.create(home, warn=warnings.append).close()
    path = keys.key_file(home, "default")
    assert len(warnings) == 1
    assert str(path) in warnings[0]
    assert path.stat().st_mode & 0o777 == 0o600
    Profile.open(home, warn=warnings.append).close()
    assert len(warnings) == 1
    path.unlink()
    with pytest.raises(ProfileLockedError, match="backup"):
        Profile.open(home)


def test_terminal_asks_twice_for_a_new_passphrase(home):
    answers = iter(["one", "two", "same", "same", "same"])
    with pytest.raises(ProfileLockedError, match="differ"):
        Profile.open(home, create=True, ask_passphrase=lambda: next(answers))
    with Profile.open(home, create=True, ask_passphrase=lambda: next(answers)):
        pass
    with Profile.open(home, ask_passphrase=lambda: next(answers)) as profile:
        profile.check()
    assert not keys.key_file(home, "default").exists()


class MemoryKeyring(dict):
    def get_password(self, service, account):
        return self.get((service, account))

    def set_password(self, service, account, password):
        self[service, account] = password

    def delete_password(self, service, account):
        del self[service, account]


def test_keyring_and_what_saves_the_profile_without_it(home, monkeypatch):
    kept = MemoryKeyring()
    find = classmethod(lambda cls: cls(kept))
    monkeypatch.setattr(keyring_store.SystemKeyring, "find", find)
    with Profile.create(home) as profile:
        fact = profile.facts.add("secret")
        key_changes.set_passphrase(profile, "spare")
    assert len(kept) == 1
    assert not keys.key_file(home, "default").exists()
    Profile.open(home).close()
    saved = dict(kept)
    kept.clear()
    with pytest.raises(ProfileLockedError):
        Profile.open(home)
    with Profile.open(home, ask_passphrase=lambda: "spare") as profile:
        assert profile.get(fact.id) == fact
    kept.update(saved)
    with Profile.open(home) as profile:
        profile.wipe()
    assert kept == {}
    assert not home.profile("default").exists()


def test_only_real_keyrings_are_used(monkeypatch):
    import keyring

    monkeypatch.setattr(keyring, "get_keyring", NullKeyring)
    assert keyring_store.SystemKeyring.find() is None
    monkeypatch.setattr(keyring, "get_keyring", MemoryKeyring)
    assert keyring_store.SystemKeyring.find() is None


def test_a_passphrase_costs_a_third_of_a_second_to_try():
    """Tests make it cheap: it is the class that says what the product's own one is."""
    assert (Cost.memory_kib, Cost.iterations, Cost.lanes) == (131072, 3, 4)


def test_hostile_cost_is_refused(home):
    Profile.create(home, passphrase="x").close()
    path = keys.keys_path(home, "default")
    content = json.loads(path.read_text())
    content["wraps"][0]["memory_kib"] = 1 << 40
    path.write_text(json.dumps(content))
    with pytest.raises(keys.ProfileDamagedError, match="cost"):
        Profile.open(home, ask_passphrase=lambda: "x")


def test_keys_by_purpose_differ_and_last(home, profile):
    database, adapters = profile.derive_key("database"), profile.derive_key("adapters")
    assert database != adapters
    assert len(adapters) == 32
    raw = b"".join(path.read_bytes() for path in home.data.parent.rglob("*") if path.is_file())
    assert adapters not in raw
    assert adapters.hex().encode() not in raw
    profile.lock()
    with Profile.open(home) as again:
        assert again.derive_key("adapters") == adapters
