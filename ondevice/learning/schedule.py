"""A nightly run: an entry of the system's own scheduler, written on request and removed again.

Linux: a systemd user timer; macOS: a launchd agent; Windows: a task of the Task
Scheduler. The entry only starts `ondevice learn --scheduled`, which looks for
itself whether there is mains power and whether the machine is idle.
"""

from __future__ import annotations

import os
import plistlib
import string
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from xml.sax.saxutils import escape

from ondevice.errors import LearningError
from ondevice.ground.files import expanded, write_atomic
from ondevice.remedies import Remedy

HOUR, MINUTE = 3, 0  # at night; a machine that is off runs it when it is next on
_PATHS = ("ONDEVICE_HOME", "ONDEVICE_PASSPHRASE_FILE")
_UNIT_CHARACTERS = frozenset(string.ascii_letters + string.digits + ":-_.")


@dataclass(frozen=True)
class Entry:
    """What is to be run, and for whom.

    Attributes:
        profile: its name, part of the entry's.
        arguments: of `ondevice`.
        environment: variables that the program needs to find its files.
    """

    profile: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def for_profile(cls, profile: str, arguments: Sequence[str] = ()) -> Entry:
        """Return the entry that learns from `profile` with this Python.

        At night the program starts in another folder, so paths become absolute.
        """
        learn = ("learn", "--scheduled", "--profile", profile)
        set_here = {name: os.environ.get(name) for name in _PATHS}
        kept = {name: str(expanded(Path(p)).absolute()) for name, p in set_here.items() if p}
        return cls(profile, (*learn, *arguments), kept)

    @property
    def command(self) -> tuple[str, ...]:
        """Program and arguments."""
        return (sys.executable, "-m", "ondevice", *self.arguments)

    @property
    def name(self) -> str:
        """The name under which the scheduler knows it."""
        return f"ondevice-learn-{self.profile}"


class Scheduler(Protocol):
    """The scheduler of one system; `folder` is where its entries are."""

    folder: Path

    def write(self, entry: Entry) -> list[Path]:
        """Write the entry and switch it on; return its files.

        Raises:
            LearningError: the scheduler refuses it; its files are removed again.
        """

    def remove(self, entry: Entry) -> bool:
        """Switch the entry off and delete it; return whether there was one."""


class Systemd:
    """A user timer of systemd."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use the user's units, or those in `folder`."""
        config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        self.folder = folder or config / "systemd" / "user"

    def write(self, entry: Entry) -> list[Path]:
        """Write service and timer; see `Scheduler`."""
        service, timer = self._files(entry)
        variables = "".join(
            f"Environment={_quoted(f'{name}={value}')}\n"
            for name, value in entry.environment.items()
        )
        # systemd replaces the names of variables in arguments, but not in the program.
        program, *arguments = map(_quoted, entry.command)
        command = " ".join([program, *(one.replace("$", "$$") for one in arguments)])
        write_atomic(
            service,
            (
                f"[Unit]\nDescription=ondevice learns from the profile {entry.profile}\n"
                "ConditionACPower=true\n\n"
                "[Service]\nType=oneshot\nNice=19\nCPUSchedulingPolicy=idle\n"
                f"IOSchedulingClass=idle\n{variables}ExecStart={command}\n"
            ).encode(),
        )
        write_atomic(
            timer,
            (
                f"[Unit]\nDescription=ondevice learns at night ({entry.profile})\n\n"
                f"[Timer]\nOnCalendar=*-*-* {HOUR:02d}:{MINUTE:02d}:00\nRandomizedDelaySec=1800\n"
                "Persistent=true\n\n[Install]\nWantedBy=timers.target\n"
            ).encode(),
        )
        try:
            _run(["systemctl", "--user", "daemon-reload"])
            _run(["systemctl", "--user", "enable", "--now", timer.name])
        except LearningError:
            self._delete(entry)
            raise
        return [service, timer]

    def remove(self, entry: Entry) -> bool:
        """Disable and delete the timer; see `Scheduler`."""
        service, timer = self._files(entry)
        if not (service.exists() or timer.exists()):
            return False
        _try(["systemctl", "--user", "disable", "--now", timer.name])
        self._delete(entry)
        _try(["systemctl", "--user", "daemon-reload"])
        return True

    def _files(self, entry: Entry) -> tuple[Path, Path]:
        name = _unit_name(entry.name)
        return self.folder / f"{name}.service", self.folder / f"{name}.timer"

    def _delete(self, entry: Entry) -> None:
        for path in self._files(entry):
            path.unlink(missing_ok=True)


class OneFile:
    """A scheduler that is given each entry in one file."""

    def write(self, entry: Entry) -> list[Path]:
        """Write the file and switch the entry on; see `Scheduler`."""
        self.remove(entry)  # launchd keeps to the definition that it has loaded
        path = self._file(entry)
        write_atomic(path, self._content(entry))
        try:
            _run(self._on(entry))
        except LearningError:
            path.unlink()
            raise
        return [path]

    def remove(self, entry: Entry) -> bool:
        """Switch the entry off and delete its file; see `Scheduler`."""
        path = self._file(entry)
        if not path.exists():
            return False
        _try(self._off(entry))
        path.unlink()
        return True

    def _file(self, entry: Entry) -> Path:
        raise NotImplementedError

    def _content(self, entry: Entry) -> bytes:
        raise NotImplementedError

    def _on(self, entry: Entry) -> list[str]:
        """Return the command that switches the written entry on."""
        raise NotImplementedError

    def _off(self, entry: Entry) -> list[str]:
        raise NotImplementedError


class Launchd(OneFile):
    """An agent of launchd."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use the user's agents, or those in `folder`."""
        self.folder = folder or Path.home() / "Library" / "LaunchAgents"

    def _file(self, entry: Entry) -> Path:
        return self.folder / f"io.ondevice.{entry.name}.plist"

    def _content(self, entry: Entry) -> bytes:
        agent = {
            "Label": self._file(entry).stem,
            "ProgramArguments": list(entry.command),
            "EnvironmentVariables": dict(entry.environment),
            "StartCalendarInterval": {"Hour": HOUR, "Minute": MINUTE},
            "ProcessType": "Background",
            "LowPriorityIO": True,
            "Nice": 19,
        }
        return plistlib.dumps(agent)

    def _on(self, entry: Entry) -> list[str]:
        return ["launchctl", "load", "-w", str(self._file(entry))]

    def _off(self, entry: Entry) -> list[str]:
        return ["launchctl", "unload", "-w", str(self._file(entry))]


class TaskScheduler(OneFile):
    """A task of Windows' Task Scheduler; its definition is kept beside the settings."""

    def __init__(self, folder: Path) -> None:
        """Keep the definitions in `folder`."""
        self.folder = folder

    def _file(self, entry: Entry) -> Path:
        return self.folder / f"{entry.name}.xml"

    def _content(self, entry: Entry) -> bytes:
        return task_xml(entry).encode("utf-16")

    def _on(self, entry: Entry) -> list[str]:
        path = str(self._file(entry))
        return ["schtasks", "/Create", "/F", "/TN", entry.name, "/XML", path]

    def _off(self, entry: Entry) -> list[str]:
        return ["schtasks", "/Delete", "/F", "/TN", entry.name]


def task_xml(entry: Entry) -> str:
    """Return the definition of a task that runs at night, on mains power, when idle."""
    program, *arguments = entry.command
    if entry.environment:  # a task has no place for variables, and a shell would read more in them
        arguments = ["-c", _starting_with(entry.environment), *entry.arguments]
    command, line = escape(program), escape(subprocess.list2cmdline(arguments))
    return f"""<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <Triggers><CalendarTrigger>
    <StartBoundary>2024-01-01T{HOUR:02d}:{MINUTE:02d}:00</StartBoundary>
    <ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay>
  </CalendarTrigger></Triggers>
  <Settings>
    <DisallowStartIfOnBatteries>true</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>true</StopIfGoingOnBatteries>
    <RunOnlyIfIdle>true</RunOnlyIfIdle>
    <StartWhenAvailable>true</StartWhenAvailable>
    <Priority>9</Priority>
  </Settings>
  <Actions><Exec><Command>{command}</Command><Arguments>{line}</Arguments></Exec></Actions>
</Task>
"""


def scheduler(config: Path) -> Scheduler:
    """Return the scheduler of this system; `config` is ondevice's folder of settings."""
    if sys.platform == "darwin":
        return Launchd()
    return TaskScheduler(config) if sys.platform == "win32" else Systemd()


def _quoted(text: str) -> str:
    """Return `text` as one word of a systemd unit (systemd.syntax, systemd.unit).

    Quotes and backslashes are escaped as in C, control characters by their numbers; "%" begins
    systemd's own placeholders.
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return '"' + "".join(c if c.isprintable() else _bytes_of(c) for c in escaped) + '"'


def _unit_name(name: str) -> str:
    """Return `name` in ASCII, as names of units are; other characters as `systemd-escape` does."""
    return "".join(c if c in _UNIT_CHARACTERS else _bytes_of(c) for c in name)


def _bytes_of(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode())


def _starting_with(environment: Mapping[str, str]) -> str:
    """Return Python that sets the variables and starts ondevice, without quotes, "%" and "$"."""
    values = ",".join(f"{name}={_literal(value)}" for name, value in environment.items())
    return (
        f"import os,runpy;os.environ.update({values});"
        "runpy.run_module('ondevice',run_name='__main__')"
    )


def _literal(text: str) -> str:
    plain = frozenset(string.ascii_letters + string.digits + " :/._-")
    return "'" + "".join(c if c in plain else f"\\U{ord(c):08x}" for c in text) + "'"


def _run(command: Sequence[str]) -> None:
    try:
        subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except FileNotFoundError as error:
        raise LearningError(
            f"There is no {command[0]} on this machine, so nothing can be scheduled.",
            Remedy.RUN_SCHEDULED,
        ) from error
    except (OSError, subprocess.SubprocessError) as error:
        told = str(getattr(error, "stderr", "") or error).strip().splitlines()
        raise LearningError(
            f"{command[0]} refused the schedule ({told[0] if told else 'no reason given'}), "
            "so nothing was scheduled.",
            Remedy.RUN_SCHEDULED,
        ) from error


def _try(command: Sequence[str]) -> None:
    """Run a command whose failure leaves nothing to be done."""
    try:
        subprocess.run(command, capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError):
        return
