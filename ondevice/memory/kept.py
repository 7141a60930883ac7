"""What becomes of a statement that is stored."""

from __future__ import annotations

from dataclasses import dataclass

from ondevice.store.records import Fact


@dataclass(frozen=True)
class Kept:
    """A fact as it is kept, and the facts of another wording that it has replaced.

    `Recall.restore` brings one of these back.
    """

    fact: Fact
    replaced: tuple[Fact, ...] = ()
    is_new: bool = True  # False: it was remembered already, and is confirmed
