"""What one turn saved and what the model was given for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ondevice.store.records import said_by

if TYPE_CHECKING:
    from ondevice.store.records import Fact


@dataclass(frozen=True)
class UsedMemory:
    """A memory that the model was given: in the persona prefix or beside the turn.

    Attributes:
        place: "prefix", "turn" (beside it) or "earlier" (beside one of the turns before).
        source: the name of the import, or the conversation's id.
        speaker: whose words they are: "user", "assistant", a name, or None of facts and notes.
    """

    id: str
    text: str
    score: float
    place: str
    source: str | None = None
    reason: dict[str, object] = field(default_factory=dict)
    speaker: str | None = None

    @property
    def shown(self) -> str:
        """The text, behind the name of who wrote it if that was somebody else."""
        return said_by(self.speaker, self.text)


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
