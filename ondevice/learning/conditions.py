"""Whether an unattended run may work now: on mains power, and nobody needs the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

BUSY_SHARE = 0.5  # of the processors: with a higher load somebody is working
IDLE_SECONDS = 600.0  # without a key or a mouse, where that can be asked
_POWER_SUPPLIES = Path("/sys/class/power_supply")


def why_not_now() -> str | None:
    """Return why an unattended run should wait, as a sentence, or None if it may start."""
    if not on_mains():
        return "This machine runs on battery; learning waits for mains power."
    load = load_share()
    if load is not None and load > BUSY_SHARE:
        return f"This machine is busy (load {load:.1f} a processor); learning waits."
    idle = idle_seconds()
    if idle is not None and idle < IDLE_SECONDS:
        return "Somebody is using this machine; learning waits."
    return None


def on_mains() -> bool:
    """Whether the machine has mains power; one without a battery has."""
    if sys.platform == "win32":
        return _windows_on_mains()
    if sys.platform == "darwin":
        shown = _output(["pmset", "-g", "batt"])
        return shown is None or "Battery Power" not in shown
    return _linux_on_mains(_POWER_SUPPLIES)


def _linux_on_mains(folder: Path) -> bool:
    mains: list[bool] = []
    discharging = False
    for supply in sorted(folder.glob("*")):
        kind = _read(supply / "type")
        if kind in ("Mains", "USB"):
            mains.append(_read(supply / "online") == "1")
        elif kind == "Battery" and _read(supply / "scope") != "Device":  # not a mouse's
            discharging |= _read(supply / "status") == "Discharging"
    return any(mains) or not discharging


def load_share() -> float | None:
    """Return the load of the last minute as a share of the processors, if it can be told."""
    try:
        return os.getloadavg()[0] / (os.cpu_count() or 1)
    except (OSError, AttributeError):
        return None


def idle_seconds() -> float | None:
    """Return for how long nobody has touched the machine, if it can be told."""
    if sys.platform == "darwin":
        shown = _output(["ioreg", "-c", "IOHIDSystem", "-d", "4"]) or ""
        times = [line.split("=")[1] for line in shown.splitlines() if '"HIDIdleTime"' in line]
        return int(times[0]) / 1e9 if times else None
    if sys.platform == "win32":
        return _windows_idle_seconds()
    return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return None


def _output(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _windows_on_mains() -> bool:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = (
            ("line", ctypes.c_ubyte),
            ("battery", ctypes.c_ubyte),
            ("percent", ctypes.c_ubyte),
            ("saver", ctypes.c_ubyte),
            ("life", ctypes.c_ulong),
            ("full_life", ctypes.c_ulong),
        )

    status = Status()
    kernel32 = getattr(ctypes, "windll").kernel32  # noqa: B009 - only there on Windows
    known = kernel32.GetSystemPowerStatus(ctypes.byref(status))
    return not known or status.line != 0


def _windows_idle_seconds() -> float | None:
    import ctypes

    class LastInput(ctypes.Structure):
        _fields_ = (("size", ctypes.c_uint), ("time", ctypes.c_uint))

    last = LastInput(ctypes.sizeof(LastInput), 0)
    windll = getattr(ctypes, "windll")  # noqa: B009 - only there on Windows
    if not windll.user32.GetLastInputInfo(ctypes.byref(last)):
        return None
    return float((windll.kernel32.GetTickCount() - last.time) % (1 << 32)) / 1000
