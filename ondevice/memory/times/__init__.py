"""The times that a text names: "yesterday", "next week", "until Friday", "am 14. März".

Nothing here asks the clock: what was said is resolved against the day it was said.
"""

from __future__ import annotations

from ondevice.memory.times.mention import TimeMention, describe, when
from ondevice.memory.times.uses import asked_about, holds_until, resolve

__all__ = ["TimeMention", "asked_about", "describe", "holds_until", "resolve", "when"]
