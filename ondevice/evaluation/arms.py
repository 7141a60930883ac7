"""The four arms: what each one is shown before it is asked.

`base` sees the request alone, `prompt` sees it as a chat would send it, with
notes from the profile. `adapter` and `hybrid` see the same two with the adapter
applied; where another adapter is in use already, `active` is `hybrid` with that
one. The notes are chosen and written by the code that chats use; held-out
records are searched as if they had never been stored.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ondevice.evaluation.table import ACTIVE, ArmName
from ondevice.memory.form import form_for
from ondevice.memory.notes import Notes
from ondevice.memory.transcript import Transcript
from ondevice.models.messages import Message

if TYPE_CHECKING:
    from ondevice.engine.protocol import Engine
    from ondevice.memory.search import Recall
    from ondevice.settings import RecallSettings
    from ondevice.store.profile import Profile


@dataclass(frozen=True)
class Arm:
    """One way to answer."""

    name: ArmName
    memory: bool
    adapter: bool


ALL_ARMS: Final = (
    Arm("base", memory=False, adapter=False),
    Arm("prompt", memory=True, adapter=False),
    Arm("adapter", memory=False, adapter=True),
    Arm("hybrid", memory=True, adapter=True),
)
# As hybrid, with the adapter that is in use instead of the candidate.
ACTIVE_ARM: Final = Arm(ACTIVE, memory=True, adapter=True)


class MemoryPrompts:
    """Builds the messages of the arms with memory, as a chat would, without held-out records."""

    def __init__(
        self,
        profile: Profile,
        recall: Recall,
        engine: Engine,
        settings: RecallSettings,
        *,
        scope: str | None = None,
        held_out: Collection[str] = (),
    ) -> None:
        """Choose the facts that stand before every request.

        Args:
            profile: whose memories.
            recall: searches them.
            engine: counts tokens.
            settings: budgets.
            scope: the context, as in a chat.
            held_out: ids of records that must not be shown.
        """
        self._notes = Notes(recall, settings, engine.count_tokens, form_for(engine.model))
        self._scope, self._held_out = scope, frozenset(held_out)
        facts = profile.facts.all(state="active", scope=scope)
        shown = [fact for fact in facts if fact.id not in self._held_out]
        self._prefix, standing = self._notes.before(shown)
        self._standing = {fact.id for fact in standing}
        self._profile = profile

    def messages(
        self, request: str, *, query: str | None = None, conversation_id: str | None = None
    ) -> list[Message]:
        """Return what the model is shown when the person sends `request`.

        Args:
            request: the newest user turn.
            query: what to search for, if not the request itself.
            conversation_id: the conversation that the request stands in, if any.
        """
        beside = self._notes.beside(
            request,
            query=query,
            scope=self._scope,
            recent=self._turns_of(conversation_id),
            standing=self._standing,
            unsearched=self._held_out,
        )
        return self._transcript().messages(beside.content)

    def _turns_of(self, conversation_id: str | None) -> set[str]:
        if conversation_id is None or not self._profile.has(conversation_id):
            return set()
        return {turn.id for turn in self._profile.turns.all(conversation_id)}

    def with_prefix(self, request: str) -> list[Message]:
        """Return what the model is shown if nothing is found that fits `request`."""
        return self._transcript().messages(request)

    def _transcript(self) -> Transcript:
        return Transcript(prefix=self._prefix, form=self._notes.form)


def plain_messages(request: str) -> Sequence[Message]:
    """Return what an arm without memory is shown."""
    return [Message("user", request)]
