"""ondevice: a language model that becomes yours and never leaves your machine."""

from __future__ import annotations

import os as _os

# Before anything else is imported: onnxruntime >= 1.29 writes a device id and
# queues events unless this is set before its first import, and the Hugging
# Face libraries ask the network unless told not to.
_os.environ["ORT_DISABLE_TELEMETRY"] = "1"
_os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
_os.environ["HF_HUB_OFFLINE"] = "1"
_os.environ["TRANSFORMERS_OFFLINE"] = "1"
_os.environ["DO_NOT_TRACK"] = "1"

# llama.cpp's threads wait for each other hundreds of times for a token, by OpenMP. GNU's, which
# reads this when it is loaded, would spin 300,000 times before it sleeps: milliseconds in which
# the thread that is waited for gets no processor, where other programs keep all of them busy.
# How many threads there are then is chosen in `engine/free_threads.py`; this is for the moments
# until it has noticed. Whoever sets either of the two is obeyed.
if "OMP_WAIT_POLICY" not in _os.environ:
    _os.environ.setdefault("GOMP_SPINCOUNT", "3000")
# If llama.cpp gives up, it would start a debugger that prints what the program was working on.
_os.environ.setdefault("GGML_NO_BACKTRACE", "1")

import importlib as _importlib
from typing import TYPE_CHECKING
from typing import Any as _Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ondevice.chat import Assistant
    from ondevice.chat.reply import Reply
    from ondevice.chat.session import Session
    from ondevice.errors import OndeviceError
    from ondevice.home import Home
    from ondevice.memory.service import Memory
    from ondevice.settings import Settings

__all__ = [
    "Assistant",
    "Home",
    "Memory",
    "OndeviceError",
    "Reply",
    "Session",
    "Settings",
    "__version__",
]

_HOMES = {
    "Assistant": "ondevice.chat",
    "Memory": "ondevice.memory.service",
    "Reply": "ondevice.chat.reply",
    "Session": "ondevice.chat.session",
    "OndeviceError": "ondevice.errors",
    "Home": "ondevice.home",
    "Settings": "ondevice.settings",
}


def __getattr__(name: str) -> _Any:
    # Imported on first use, so that `ondevice --help` starts at once.
    if name in _HOMES:
        return getattr(_importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'ondevice' has no attribute {name!r}")
