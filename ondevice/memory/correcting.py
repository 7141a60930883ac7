"""Correcting what is remembered: a fact in place, a text that was said or imported by another one.

The facts that were taken from a turn follow its wording: those that it says no longer are
superseded, and those that it says now are stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ondevice.errors import ProfileError
from ondevice.memory.facts import facts_in
from ondevice.remedies import Remedy
from ondevice.store.corrections import as_correctable, facts_by_turn
from ondevice.store.records import Fact, Turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ondevice.memory.search import Recall
    from ondevice.store.profile import Profile
    from ondevice.store.records import Passage, Record


class Corrector:
    """Changes records of one profile so that the former text is not used any more."""

    def __init__(self, profile: Profile, recall: Recall) -> None:
        """Correct in `profile`; `recall` stores facts, and follows what was changed."""
        self._profile, self._embedding, self._recall = profile, recall.embedding, recall

    def edit(self, record_id: str, **changes: Any) -> Record:
        """Change a fact, or correct the text of a passage or of a turn of the person's.

        Args:
            record_id: its id, or the start of it.
            changes: of a fact a new `text`, `category`, `scope` or `learn`, or when it `expires`;
                of anything else a new `text`, which is kept as it was typed.

        Raises:
            RecordNotFoundError: there is no such record, or it is an answer.
            ProfileError: it has no such field.
        """
        record = self._profile.get(record_id)
        if isinstance(record, Fact):
            return self._recall.edit_fact(record.id, **changes)
        record = as_correctable(record)
        if set(changes) != {"text"}:
            raise ProfileError(
                "Only the wording of what was said or imported can be corrected, so nothing was "
                "changed; give a new text and nothing else."
            )
        text: str = changes["text"]
        vector = self._embedding.embed([text]) if text.strip() else None
        with self._profile.transaction():
            before = self._holding(record)
            after = self._profile.corrections.correct(record.id, text, vector=vector)
            self._follow(before, after)
        self._recall.invalidate()
        return after

    def restore(self, record_id: str) -> Record:
        """Let a former wording hold again; of one that holds, the one before it.

        Raises:
            RecordNotFoundError: there is no such text, or it is an answer.
            ProfileError: it was never corrected.
        """
        record = as_correctable(self._profile.get(record_id))
        wordings = self._profile.corrections.wordings(record.id)
        if len(wordings) == 1:
            raise ProfileError(
                f"The record {record.id} was never corrected, so there is nothing to restore.",
                Remedy.SHOW_RECORD(id=record.id),
            )
        if record.state == "active":
            earlier = [one for one in wordings if one.id < record.id]
            record = earlier[-1] if earlier else wordings[-1]
        with self._profile.transaction():
            before = self._holding(record)
            after = self._profile.corrections.reinstate(record.id)
            self._follow(before, after)
        self._recall.invalidate()
        return after

    def _holding(self, record: Passage | Turn) -> Passage | Turn:
        """Return the wording of `record` that holds."""
        return next(w for w in self._profile.corrections.wordings(record.id) if w.state == "active")

    def _follow(self, before: Passage | Turn, after: Passage | Turn) -> None:
        """Let the facts that were taken from a turn say what it says now."""
        if not isinstance(after, Turn) or before.text == after.text:
            return
        said = {candidate.text for candidate in facts_in(before.text)}
        now = facts_in(after.text)
        said_now = {candidate.text for candidate in now}
        known = [fact for fact in self._taken_from(after) if fact.text in said]
        gone = [fact for fact in known if fact.text not in said_now]
        self._profile.facts.supersede([fact.id for fact in gone])
        pinned = {fact.subject for fact in gone if fact.pinned and fact.subject is not None}
        kept = {fact.text for fact in known}
        for candidate in now:
            if candidate.text not in kept:
                self._recall.add_fact(
                    candidate,
                    pinned=candidate.subject in pinned,
                    learn=after.learn,
                    scope=after.scope,
                    source_id=after.source_id,
                )

    def _taken_from(self, turn: Turn) -> Sequence[Fact]:
        """Return the facts in use that came from a turn, in whichever of its wordings."""
        turns = [
            *self._profile.turns.all(turn.conversation_id),
            *self._profile.corrections.wordings(turn.id),
        ]
        facts = [
            f for f in self._profile.facts.all(state="active") if f.source_id == turn.source_id
        ]
        by_turn = facts_by_turn([t for t in turns if isinstance(t, Turn)], facts)
        return by_turn.get(turn.corrects or turn.id, [])
