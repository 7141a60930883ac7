"""Processes that die while they copy or restore a profile."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from ondevice.errors import ProfileError, ProfileExistsError, ProfileNotFoundError
from ondevice.store.access import key_changes, keys
from ondevice.store.copies import Copies
from ondevice.store.exchange import transfer
from ondevice.store.exchange.readable import export_readable
from ondevice.store.journal import Journal
from ondevice.store.profile import Profile
from ondevice.store.profiles import wipe_profile
from ondevice.store.working_folder import clear_workplaces, workplace

DIES = """
import os, sys
from pathlib import Path
from ondevice.store.working_folder import workplace
with workplace(Path(sys.argv[1])) as folder:
    (folder / "profile.db").write_bytes(b"a copy")
    os._exit(9)
"""


def left(folder):
    return sorted(path.name for path in folder.glob(".transfer-*"))


def test_forgetting_reaches_the_copy_that_a_dead_process_left(profile):
    fact = profile.facts.add("My dog is called Biscuit.")
    subprocess.run([sys.executable, "-c", DIES, str(profile.folder)], check=False)
    assert len(left(profile.folder)) == 2  # the folder and its lock
    with workplace(profile.folder) as mine:  # the next one clears it too
        assert left(profile.folder) == [mine.name, f"{mine.name}.lock"]
        subprocess.run([sys.executable, "-c", DIES, str(profile.folder)], check=False)
        profile.forget_shown(profile.preview_forget([fact.id]))
        assert left(profile.folder) == [mine.name, f"{mine.name}.lock"]  # of who is alive
    assert left(profile.folder) == []


def test_a_copy_that_cannot_be_listed_is_not_made(profile, tmp_path, monkeypatch):
    def full(*_, **__):
        raise ProfileError("The disk is full.")

    monkeypatch.setattr(Copies, "note", full)
    with pytest.raises(ProfileError):
        transfer.backup_profile(profile, tmp_path / "backup")
    with pytest.raises(ProfileError):
        export_readable(profile, tmp_path / "clear")
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    assert left(profile.folder) == []


def test_a_recovery_code_that_cannot_be_noted_does_not_replace_the_old_one(
    home, profile, monkeypatch
):
    code = key_changes.new_recovery_code(profile)
    keys.key_file(home, profile.name).unlink()

    def full(*_, **__):
        raise ProfileError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "note", full)
        with pytest.raises(ProfileError):
            key_changes.new_recovery_code(profile)
    Profile.open(home, ask_passphrase=lambda: code).close()


def test_wiping_destroys_what_a_restore_left(home, profile):
    subprocess.run([sys.executable, "-c", DIES, str(home.profiles)], check=False)
    profile.close()
    wipe_profile(home, profile.name)
    assert left(home.profiles) == []
    clear_workplaces(home.profiles / "none")


@pytest.mark.parametrize("with_the_restored_one", [True, False])
def test_a_wiped_profile_does_not_come_back_from_an_interrupted_restore(
    home, profile, with_the_restored_one
):
    """The one that was being replaced lies beside it, with its keys."""
    profile.facts.add("I live in Lisbon.")
    profile.close()
    former = home.profiles / ".replaced-default"
    if with_the_restored_one:
        shutil.copytree(home.profile("default"), former)
    else:
        home.profile("default").rename(former)
    wipe_profile(home, "default")
    assert not former.exists()
    with pytest.raises(ProfileNotFoundError):
        Profile.open(home, "default")


def test_a_profile_that_a_restore_left_aside_is_not_made_anew(home, profile):
    profile.facts.add("I live in Lisbon.")
    profile.close()
    home.profile("default").rename(home.profiles / ".replaced-default")
    with pytest.raises(ProfileExistsError):
        Profile.create(home, "default")
    with Profile.open(home, "default") as opened:
        assert len(opened.facts.all()) == 1


def test_a_restore_that_fails_or_dies_half_way_loses_nothing(home, profile, tmp_path, monkeypatch):
    transfer.backup_profile(profile, tmp_path / "backup")
    profile.facts.add("Said since.")
    profile.close()
    place = home.profile("default")
    rename = type(place).rename

    def interrupted(self, target):
        if self.name.startswith(".transfer-"):
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(type(place), "rename", interrupted)
        with pytest.raises(KeyboardInterrupt):
            transfer.restore_backup(home, tmp_path / "backup", replace=True, ask_passphrase=None)
    with Profile.open(home) as opened:
        assert [fact.text for fact in opened.facts.all()] == ["Said since."]
    place.rename(home.profiles / ".replaced-default")  # as a process leaves it that dies there
    with Profile.open(home, create=True) as opened:
        assert [fact.text for fact in opened.facts.all()] == ["Said since."]
    transfer.restore_backup(home, tmp_path / "backup", replace=True, ask_passphrase=None)
    with Profile.open(home) as opened:
        assert opened.facts.all() == []
    assert [path.name for path in home.profiles.iterdir() if path.is_dir()] == ["default"]
