"""The part of the assistant that keeps conversations: taking one up, answering a turn again."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ondevice.chat.memory import Remembers
from ondevice.errors import OndeviceError, RecordNotFoundError
from ondevice.memory.facts import endings_in, facts_in
from ondevice.memory.transcript import Conversation, Exchange

if TYPE_CHECKING:
    from ondevice.chat.receipt import Receipt
    from ondevice.store.profile import Profile
    from ondevice.store.records import Fact, Turn


class KeepsConversations(Remembers):
    """Going on with conversations and replacing their last exchange; `Assistant` has the rest."""

    conversation: Conversation
    profile: Profile | None
    _conversation_id: str | None
    _prefix_ready: bool
    _generation: int
    _read_only: bool
    _turn_lock: threading.RLock

    @property
    def conversation_id(self) -> str | None:
        """The id of the conversation in the profile; None before its first turn is saved."""
        return self._conversation_id

    def new_conversation(self) -> None:
        """Forget the transcript (not the profile): the next turn starts a conversation."""
        with self._turn_lock:
            self.conversation = Conversation(system=self.conversation.system)
            self._conversation_id = None
            self._prefix_ready = False

    def continue_last(self) -> int:
        """Take up the newest conversation of the profile and return its number of turns."""
        if self.profile is None:
            return 0
        with self._turn_lock:
            self._conversation_id = self.profile.last_conversation()
            self._rebuild()
        return 2 * len(self.conversation.exchanges)

    def continue_conversation(self, conversation_id: str) -> int:
        """Take up a conversation of the profile and return its number of turns.

        Raises:
            RecordNotFoundError: there is none with that id.
        """
        profile, _ = self._needs_profile()
        if not profile.turns(conversation_id):
            raise RecordNotFoundError(
                f"There is no conversation {conversation_id} (any more); start a new one."
            )
        with self._turn_lock:
            self._conversation_id = conversation_id
            self._rebuild()
        return 2 * len(self.conversation.exchanges)

    def take_back(self) -> bool:
        """Take the last exchange back: message, answers, and the facts that were taken from it.

        Facts that these had replaced hold again; those that were corrected since stay. Returns
        whether there was something to take back.
        """
        with self._turn_lock:
            if self.temporary or self.profile is None or self._conversation_id is None:
                return bool(self.conversation.exchanges) and bool(self.conversation.exchanges.pop())
            turns = self.profile.turns(self._conversation_id)
            asked = _last_question(turns)
            if asked is None:
                return False
            stated = (*facts_in(asked.text), *endings_in(asked.text))
            said = {candidate.text for candidate in stated}
            facts = [fact for fact in self._facts_from(asked) if fact.text in said]
            replaced = _replaced_by(facts, self.profile.facts(state="superseded"))
            ids = [asked.id, *(t.id for t in turns if t.position > asked.position)]
            self.forget(*ids, *(fact.id for fact in facts), keep_turns=True)
            if replaced:
                self.profile.restore(replaced)
            self._rebuild()
        return True

    # --- for replies ------------------------------------------------------------------

    def _ask_again(self, receipt: Receipt) -> tuple[str, Exchange | None]:
        """Prepare to answer the last message again; return it, and the exchange that goes."""
        exchanges = self.conversation.exchanges
        if self.temporary or self.profile is None:
            if not exchanges:
                raise OndeviceError("There is no message to answer again yet; write one first.")
            former = exchanges.pop()
            return former.user, former
        turns = self.profile.turns(self._conversation_id) if self._conversation_id else []
        asked = _last_question(turns)
        if asked is None:
            raise OndeviceError("There is no message to answer again yet; write one first.")
        self._replace(receipt, asked, turns)
        return asked.text, exchanges.pop() if receipt.replaces and exchanges else None

    def _replace(self, receipt: Receipt, asked: Turn, turns: Sequence[Turn]) -> None:
        """Note in the receipt what was saved with a message before, and the answers that go."""
        receipt.user_turn_id = asked.id
        receipt.saved = self._facts_from(asked)
        receipt.replaces = tuple(t.id for t in turns if t.position > asked.position)

    def _drop_replaced(self, receipt: Receipt) -> None:
        """Delete the answers that a new one has replaced, but for those that were judged."""
        profile, recaller = self._needs_profile()
        gone = [one for one in receipt.replaces if profile.has(one) and not profile.feedback(one)]
        if not gone:
            return
        before = profile.generation()
        report = profile.forget(gone)
        recaller.invalidate()
        if report.adapters_stale:
            self._rebuild()
        elif before == self._generation and profile.generation() == before + 1:
            # The transcript is without them already: it need not be built anew, which would
            # cost a full evaluation of the prompt.
            self._generation = before + 1

    def _facts_from(self, asked: Turn) -> list[Fact]:
        """Return the facts that were taken from the last message of a conversation."""
        profile, _ = self._needs_profile()
        return [f for f in profile.facts() if f.source_id == asked.source_id and f.id > asked.id]


def _last_question(turns: Sequence[Turn]) -> Turn | None:
    return next((turn for turn in reversed(turns) if turn.role == "user"), None)


def _replaced_by(facts: Sequence[Fact], superseded: Sequence[Fact]) -> list[str]:
    """Return the ids of the facts that `facts` had replaced when they were stored."""
    moments = {fact.valid_from for fact in facts}
    return [fact.id for fact in superseded if fact.valid_to in moments]
