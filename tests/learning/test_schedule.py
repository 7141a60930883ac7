"""Entries of the system's scheduler, and when an unattended run may start."""

from __future__ import annotations

import os
import plistlib
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import pytest

from ondevice.cli import run
from ondevice.cli.learn import commands as learn
from ondevice.errors import LearningError
from ondevice.learning import conditions
from ondevice.learning.schedule import Entry, Launchd, Systemd, task_xml


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Stand in for the schedulers' programs; return the file where calls are noted."""
    folder, calls = tmp_path / "bin", tmp_path / "calls"
    folder.mkdir()
    for name in ("systemctl", "launchctl"):
        program = folder / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" >> {calls}\n[ ! -e {folder}/refuse ]\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return calls


def test_systemd_timer_is_written_switched_on_and_removed(tmp_path, commands, monkeypatch):
    monkeypatch.setenv("ONDEVICE_HOME", "/data/100% mine")
    entry = Entry.for_profile("default")
    system = Systemd()
    service, timer = system.write(entry)
    text = service.read_text()
    assert "ConditionACPower=true" in text
    assert 'Environment="ONDEVICE_HOME=/data/100%% mine"' in text
    assert "OnCalendar=*-*-* 03:00:00" in timer.read_text()
    assert f"enable --now {timer.name}" in commands.read_text()
    assert system.remove(entry)
    assert not service.exists()
    assert not timer.exists()
    assert not system.remove(entry)


ODD = """/a b/100% "quoted" 'x' \\n $HOME ${HOME} $$ ; & ^ größe"""


def words_of(line, *, variables):
    """Read one line of a systemd unit as the manual pages systemd.syntax and systemd.unit say."""
    words, at = [], 0
    while at < len(line):
        assert line[at] == '"'
        word, at = bytearray(), at + 1
        while line[at] != '"':
            taken = line[at : at + 2]
            if line[at] == "\\":
                assert taken in ('\\"', "\\\\")
            elif line[at] == "%" or (variables and words and line[at] == "$"):
                assert taken in ("%%", "$$"), "a placeholder or a variable"
            else:
                taken = line[at]
            word += taken[-1].encode()
            at += len(taken)
        words.append(word.decode())
        assert line[at + 1 : at + 2] in ("", " ")
        at += 2
    return words


def test_systemd_reads_every_character_as_it_was_meant(tmp_path, commands, monkeypatch):
    monkeypatch.setenv("ONDEVICE_HOME", ODD)
    monkeypatch.setattr(sys, "executable", "/opt/$HOME/100% python")
    entry = Entry.for_profile("größe", ["--model", ODD, "--context", ";"])
    service, timer = Systemd().write(entry)
    assert service.stem == timer.stem == r"ondevice-learn-gr\xc3\xb6\xc3\x9fe"
    settings = dict(line.partition("=")[::2] for line in service.read_text().splitlines())
    assert words_of(settings["Environment"], variables=False) == [f"ONDEVICE_HOME={ODD}"]
    assert words_of(settings["ExecStart"], variables=True) == list(entry.command)


def test_windows_hands_over_every_character():
    entry = Entry("work", ("learn", "--model", ODD), {"ONDEVICE_HOME": ODD})
    task = ElementTree.fromstring(task_xml(entry).split("?>", 1)[1])
    line = task.find(".//{*}Arguments").text
    flag, _, rest = line.partition(" ")
    assert flag == "-c"
    code = rest[1:].split('"')[0]  # the program that stands there, between two quotes
    assert line == subprocess.list2cmdline(["-c", code, *entry.arguments])
    assert not set(code) & set('"%$')
    environment = {key: value for key, value in os.environ.items() if key != "ONDEVICE_HOME"}
    seen = "print(os.environ['ONDEVICE_HOME'])"
    done = subprocess.run(
        [sys.executable, "-c", code.partition("runpy.run")[0] + seen],
        env={**environment, "PYTHONIOENCODING": "utf-8"}, capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout.decode().rstrip("\r\n") == ODD


def test_the_night_finds_what_was_named_by_a_relative_path(home, commands, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONDEVICE_HOME", "home")
    (tmp_path / "my.gguf").touch()
    assert run(["learn", "--schedule", "nightly", "--model", "my.gguf"]) == 0
    (service,) = (tmp_path / "config").rglob("*.service")
    assert f'"ONDEVICE_HOME={tmp_path / "home"}"' in service.read_text()
    assert f'"{tmp_path / "my.gguf"}"' in service.read_text()


def test_a_scheduler_that_refuses_leaves_nothing(tmp_path, commands):
    (commands.parent / "bin" / "refuse").touch()
    system = Systemd()
    with pytest.raises(LearningError, match="refused"):
        system.write(Entry("default", ("learn",)))
    assert list(system.folder.iterdir()) == []
    (commands.parent / "bin" / "systemctl").unlink()
    with pytest.raises(LearningError, match="no systemctl"):
        system.write(Entry("default", ("learn",)))


def test_launchd_and_task_scheduler(tmp_path, commands):
    entry = Entry("work", ("learn",), {"ONDEVICE_HOME": "/a & b"})
    agents = Launchd(tmp_path / "agents")
    (path,) = agents.write(entry)
    content = plistlib.loads(path.read_bytes())
    assert content["ProgramArguments"] == list(entry.command)
    assert content["EnvironmentVariables"] == {"ONDEVICE_HOME": "/a & b"}
    agents.write(entry)  # launchd would keep to the definition that it has loaded
    assert [line.split()[1] for line in commands.read_text().splitlines()] == [
        "load", "unload", "load",
    ]  # fmt: skip
    assert agents.remove(entry)
    task = ElementTree.fromstring(task_xml(entry).split("?>", 1)[1])
    space = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
    assert task.find(f".//{space}RunOnlyIfIdle").text == "true"
    assert task.find(f".//{space}DisallowStartIfOnBatteries").text == "true"
    assert task.find(f".//{space}Command").text == sys.executable


def test_a_profile_with_a_passphrase_only_is_refused(home, commands, capsys, monkeypatch):
    from ondevice.store.profile import Profile

    Profile.create(home, "locked", passphrase="only for tests").close()
    monkeypatch.delenv("ONDEVICE_PASSPHRASE_FILE", raising=False)
    assert run(["learn", "--schedule", "nightly", "--profile", "locked"]) == 1
    assert "passphrase only" in capsys.readouterr().err
    assert not commands.exists()
    secret = home.data.parent / "secret"
    secret.write_text("only for tests\n")
    secret.chmod(0o600)
    monkeypatch.setenv("ONDEVICE_PASSPHRASE_FILE", str(secret))
    if sys.platform == "linux":
        assert run(["learn", "--schedule", "nightly", "--profile", "locked"]) == 0
        assert "enable --now ondevice-learn-locked.timer" in commands.read_text()
        assert run(["learn", "--schedule", "off", "--profile", "locked"]) == 0
        assert "no longer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("supplies", "mains"),
    [
        ({}, True),
        ({"AC": {"type": "Mains", "online": "1"}, "BAT0": {"type": "Battery"}}, True),
        ({"AC": {"type": "Mains", "online": "0"},
          "BAT0": {"type": "Battery", "status": "Discharging"}}, False),
        ({"BAT0": {"type": "Battery", "status": "Discharging"}}, False),
        ({"mouse": {"type": "Battery", "scope": "Device", "status": "Discharging"}}, True),
    ],
)  # fmt: skip
def test_mains_power_on_linux(tmp_path, supplies, mains):
    for name, values in supplies.items():
        (tmp_path / name).mkdir()
        for key, value in values.items():
            (tmp_path / name / key).write_text(value + "\n")
    # `on_mains` itself reads /sys of this machine.
    assert conditions._linux_on_mains(tmp_path) is mains


def test_a_nightly_run_ends_without_mains_and_does_not_look_for_it_all_the_time(monkeypatch):
    looks, now = [], [0.0]
    monkeypatch.setattr(conditions, "on_mains", lambda: bool(looks.append(1)))
    monkeypatch.setattr(learn, "time", SimpleNamespace(monotonic=lambda: now[0]))
    unless_on_battery = learn._unless_on_battery  # a command would have to train for minutes
    stops = unless_on_battery(lambda: False, True)
    now[0] = learn.MAINS_SECONDS / 2
    assert not any(stops() for _ in range(100))
    assert looks == []
    now[0] = learn.MAINS_SECONDS
    assert all(stops() for _ in range(100))
    assert len(looks) == 1
    assert not unless_on_battery(lambda: False, False)()


def test_a_busy_machine_waits(monkeypatch):
    monkeypatch.setattr(conditions, "on_mains", lambda: True)
    monkeypatch.setattr(conditions, "load_share", lambda: 0.9)
    assert "busy" in conditions.why_not_now()
    monkeypatch.setattr(conditions, "load_share", lambda: 0.1)
    monkeypatch.setattr(conditions, "idle_seconds", lambda: 5.0)
    assert "using" in conditions.why_not_now()
    monkeypatch.setattr(conditions, "idle_seconds", lambda: None)
    assert conditions.why_not_now() is None
    monkeypatch.setattr(conditions, "on_mains", lambda: False)
    assert "battery" in conditions.why_not_now()
