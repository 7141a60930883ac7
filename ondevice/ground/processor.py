"""What this machine's processor can do, how many cores it has, which compiled kernels run on it.

`ONDEVICE_ISA` (portable, avx2, avx512bf16, amx or neon) forces an instruction set;
one that the machine lacks is refused, never tried.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ondevice.errors import SettingsError

T = TypeVar("T")


def features() -> dict[str, bool]:
    """Return the processor features that the kernels care about, by name.

    True means that the operating system also saves the registers concerned.
    """
    from ondevice import _kernels

    return _kernels.features()


def available_isas() -> list[str]:
    """Return the instruction sets that can run here, slowest first."""
    from ondevice import _kernels

    return _kernels.available_isas()


def isa() -> str:
    """Return the instruction set in use.

    Raises:
        SettingsError: `ONDEVICE_ISA` names one that is unknown or that this machine lacks.
    """
    from ondevice import _kernels

    return _checked(_kernels.isa)


def name() -> str:
    """Return what the processor calls itself, or the kind of it, or ""."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    except OSError:
        pass  # not Linux
    if sys.platform == "darwin":
        answer = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, check=False
        )
        return answer.stdout.decode("utf-8", "replace").strip()
    return platform.processor() or platform.machine()


def physical_cores() -> int:
    """Return how many physical cores this process may use; more threads only slow decoding."""
    if hasattr(os, "sched_getaffinity"):
        return len({_siblings(cpu) for cpu in os.sched_getaffinity(0)})
    if sys.platform == "darwin":
        answer = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "hw.physicalcpu"], capture_output=True, check=False
        ).stdout.strip()
        if answer.isdigit():
            return max(1, int(answer))
    count = os.cpu_count() or 1
    # ARM has one thread a core; elsewhere assume two.
    one_each = platform.machine().lower() in ("arm64", "aarch64")
    return count if one_each else max(1, count // 2)


def _siblings(cpu: int) -> str:
    """Return the list of logical processors that share a core with `cpu`."""
    path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:  # no such file in some containers: count it as a core
        return str(cpu)


def _checked(call: Callable[[], T]) -> T:
    try:
        return call()
    except ValueError as error:
        raise SettingsError(str(error)) from None
