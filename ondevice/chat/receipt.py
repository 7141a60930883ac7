"""What one turn saved and what the model was given for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ondevice.store.records import Fact


@dataclass(frozen=True)
class UsedMemory:
    """A memory that the model was given: in the persona prefix or beside the turn."""

    id: str
    text: str
    score: float
    place: str  # "prefix", "turn" (beside it) or "earlier" (beside one of the turns before)
    source: str | None = None
    reason: dict[str, object] = field(default_factory=dict)


@dataclass
class Receipt:
    """What one turn saved and what it used."""

    saved: list[Fact] = field(default_factory=list)
    replaced: list[Fact] = field(default_factory=list)  # by what was saved
    used: list[UsedMemory] = field(default_factory=list)
    dropped_exchanges: int = 0
    forgotten_meanwhile: bool = False
    user_turn_id: str | None = None
    assistant_turn_id: str | None = None
    replaces: tuple[str, ...] = ()  # ids of answers whose place this one takes
