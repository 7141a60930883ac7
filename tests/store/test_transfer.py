"""Exports, imports, backups and restores."""

from __future__ import annotations

import hashlib

import pytest

from ondevice.cli.memory.preview import preview_lines
from ondevice.errors import (
    ProfileDamagedError,
    ProfileError,
    ProfileExistsError,
    ProfileLockedError,
)
from ondevice.ground.files import write_atomic
from ondevice.home import Home
from ondevice.store.access.passphrase import Cost
from ondevice.store.exchange import transfer
from ondevice.store.profile import Profile
from ondevice.store.profiles import list_profiles

QUICK = Cost(memory_kib=64, iterations=1, lanes=1)


def files(home):
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in home.data.rglob("*")
        if path.is_file() and not path.name.endswith(".lock")
    }


@pytest.fixture
def elsewhere(tmp_path):
    return Home.below(tmp_path / "elsewhere")


@pytest.fixture
def filled(profile):
    profile.facts.add("My dog is called Biscuit.", pinned=True)
    source = profile.sources.add("import", "diary.md")
    profile.retention.set(turn_days=90)
    profile.adapters.set_reader_scale(0.5)
    row = profile.adapters.add(
        "mine", file_sha256="0" * 64, base_sha256="1" * 64, rank=4, alpha=8.0,
        records=[source.id], state="active",
    )  # fmt: skip
    (profile.folder / "adapters").mkdir()
    (profile.folder / "adapters" / f"{row.id}.gguf.enc").write_bytes(b"sealed" * 400_000)
    return profile


def test_export_opens_elsewhere_with_its_passphrase(filled, elsewhere, tmp_path):
    path = tmp_path / "me.ondevice"
    done = transfer.export_profile(filled, path, "correct horse", cost=QUICK)
    assert (done.records, done.adapters) == (1, 1)
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"Biscuit" not in path.read_bytes()
    transfer.import_profile(elsewhere, path, ask_passphrase=lambda: "correct horse", cost=QUICK)
    with Profile.open(elsewhere, ask_passphrase=lambda: "correct horse") as copy:
        assert copy.facts.all() == filled.facts.all()
        assert copy.sources.all() == filled.sources.all()
        assert copy.adapters.all() == filled.adapters.all()
        assert copy.retention.days().turn_days == 90
        assert copy.adapters.reader_scale() == 0.5
        adapter = f"adapters/{copy.adapters.all()[0].id}.gguf.enc"
        assert (copy.folder / adapter).read_bytes() == (filled.folder / adapter).read_bytes()
        assert copy.derive_key("adapters") == filled.derive_key("adapters")
        copy.check()
    assert [copy.kind for copy in filled.copies.all()] == ["export"]
    with pytest.raises(ProfileExistsError):
        transfer.import_profile(elsewhere, path, ask_passphrase=lambda: "correct horse")
    transfer.import_profile(
        elsewhere, path, name="second", ask_passphrase=lambda: "correct horse", cost=QUICK
    )
    assert list_profiles(elsewhere) == ["default", "second"]
    with pytest.raises(ProfileExistsError):
        transfer.export_profile(filled, path, "x", cost=QUICK)


def test_wrong_or_damaged_exports_are_refused_and_change_nothing(filled, elsewhere, tmp_path):
    path = tmp_path / "me.ondevice"
    transfer.export_profile(filled, path, "correct horse", cost=QUICK)
    whole = path.read_bytes()
    Profile.create(elsewhere, "other", passphrase="x").close()
    before = files(elsewhere)

    def refused(content, error=ProfileDamagedError, word="correct horse"):
        path.write_bytes(content)
        with pytest.raises(error):
            transfer.import_profile(elsewhere, path, ask_passphrase=lambda: word)
        assert files(elsewhere) == before
        assert list_profiles(elsewhere) == ["other"]

    refused(whole, ProfileLockedError, "wrong horse")
    for length in (0, 5, 40, 600, 1 << 20, len(whole) // 2, len(whole) - 1):
        refused(whole[:length])
    for place in (3, len(whole) // 3, len(whole) - 1):
        refused(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    refused(whole + b"x")
    piece = (1 << 20) + 16
    refused(whole[: len(whole) - piece])  # without its end
    path.unlink()
    with pytest.raises(ProfileError, match="cannot be read"):
        transfer.import_profile(elsewhere, path, ask_passphrase=lambda: "x")


def test_backup_is_of_one_moment_and_restores_without_what_was_forgotten(filled, home, tmp_path):
    path = tmp_path / "backup"
    secret = filled.facts.add("I live in Lisbon.")
    transfer.backup_profile(filled, path)
    later = filled.facts.add("Said later.")
    shown = filled.preview_forget([secret.id])
    assert [copy.path for copy in shown.copies] == [str(path)]
    assert str(path) in "\n".join(preview_lines(shown))
    assert filled.preview_forget([later.id]).copies == ()
    filled.forget([secret.id])
    with pytest.raises(ProfileExistsError):
        transfer.restore_backup(home, path, ask_passphrase=None)
    assert filled.has(later.id)
    filled.close()
    done = transfer.restore_backup(home, path, replace=True, ask_passphrase=None)
    assert done.forgotten_again == 1
    with Profile.open(home) as restored:
        assert [fact.text for fact in restored.facts.all()] == ["My dog is called Biscuit."]
        assert restored.journal.events("forgotten")
        assert len(restored.copies.all()) == 1
        restored.check()
    assert [p.name for p in home.profiles.iterdir() if p.is_dir()] == ["default"]


def test_a_restore_keeps_the_certificates_of_what_was_forgotten_since(filled, home, tmp_path):
    place = filled.folder / "certificates"
    write_atomic(place / "before.json", b"{}")
    transfer.backup_profile(filled, tmp_path / "backup")
    write_atomic(place / "since.json", b'{"since": 1}')
    filled.close()
    transfer.restore_backup(home, tmp_path / "backup", replace=True, ask_passphrase=None)
    assert sorted(path.name for path in place.iterdir()) == ["before.json", "since.json"]
    assert (place / "since.json").read_bytes() == b'{"since": 1}'


def test_backup_without_its_key_needs_passphrase_or_recovery_code(home, elsewhere, tmp_path):
    from ondevice.store.access import key_changes

    with Profile.create(home, "anna") as profile:
        profile.facts.add("known")
        code = key_changes.new_recovery_code(profile)
        transfer.backup_profile(profile, tmp_path / "backup")
    with pytest.raises(ProfileLockedError):
        transfer.restore_backup(elsewhere, tmp_path / "backup", ask_passphrase=None)
    with pytest.raises(ProfileLockedError):
        transfer.restore_backup(elsewhere, tmp_path / "backup", ask_passphrase=lambda: "x")
    transfer.restore_backup(elsewhere, tmp_path / "backup", ask_passphrase=code.lower)
    with Profile.open(elsewhere, "anna", ask_passphrase=lambda: code) as restored:
        assert [fact.text for fact in restored.facts.all()] == ["known"]


def test_two_profiles_never_see_each_other(home):
    with Profile.create(home, "anna") as anna, Profile.create(home, "ben") as ben:
        fact = anna.facts.add("I collect stamps.")
        assert not ben.has(fact.id)
        assert ben.facts.all() == [] and ben.journal.events() == []
        assert anna.derive_key("database") != ben.derive_key("database")
    raw = home.profile("anna") / "profile.db"
    (home.profile("ben") / "profile.db").write_bytes(raw.read_bytes())
    with pytest.raises(ProfileError):
        Profile.open(home, "ben")


def test_who_had_it_open_writes_no_more_after_a_restore(home, tmp_path):
    with Profile.create(home) as profile:
        profile.facts.add("The user likes tea.")
        transfer.backup_profile(profile, tmp_path / "backup")
        transfer.restore_backup(home, tmp_path / "backup", replace=True, ask_passphrase=None)
        with pytest.raises(ProfileLockedError, match="replaced by a backup; open it again"):
            profile.facts.add("The user likes cake.")
    with Profile.open(home) as profile:
        assert [fact.text for fact in profile.facts.all()] == ["The user likes tea."]
