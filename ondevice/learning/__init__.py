"""The loop: records become an adapter, held-out records decide whether it is used."""

from __future__ import annotations

import importlib as _importlib
from typing import TYPE_CHECKING
from typing import Any as _Any

if TYPE_CHECKING:
    from ondevice.learning.options import LearnEvent, LearnOptions
    from ondevice.learning.report import LearnReport
    from ondevice.learning.run import learn

__all__ = ["LearnEvent", "LearnOptions", "LearnReport", "learn"]

_HOMES = {
    "LearnEvent": "ondevice.learning.options",
    "LearnOptions": "ondevice.learning.options",
    "LearnReport": "ondevice.learning.report",
    "learn": "ondevice.learning.run",
}


def __getattr__(name: str) -> _Any:
    # Imported on first use, so that commands that do not learn start at once.
    if name in _HOMES:
        return getattr(_importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'ondevice.learning' has no attribute {name!r}")
