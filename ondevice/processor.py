"""What this machine's processor can do, and which compiled kernels run on it.

`ONDEVICE_ISA` (portable, avx2, avx512bf16, amx or neon) forces an instruction set;
one that the machine lacks is refused, never tried.
"""

from __future__ import annotations

from collections.abc import Callable
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


def _checked(call: Callable[[], T]) -> T:
    try:
        return call()
    except ValueError as error:
        raise SettingsError(str(error)) from None
