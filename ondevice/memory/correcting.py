"""Correcting what is remembered: a fact in place, a text that was said or imported by another one.

The facts that were drawn from a text follow its wording: those that it says no longer are
superseded, and those that it says now are stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ondevice.errors import ProfileError
from ondevice.memory.facts import facts_in
from ondevice.memory.forming.keeping import in_same_words
from ondevice.remedies import Remedy
from ondevice.store.corrections import as_correctable, facts_by_turn
from ondevice.store.records import Fact, Turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ondevice.memory.forming.reading import Forming
    from ondevice.memory.search import Recall
    from ondevice.store.profile import Profile
    from ondevice.store.records import Passage, Record


class Corrector:
    """Changes records of one profile so that the former text is not used any more."""

    def __init__(self, profile: Profile, recall: Recall, forming: Forming) -> None:
        """Correct in `profile`; `recall` and `forming` follow what was changed."""
        self._forming = forming
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
        """Let the statements that were drawn from a text say what it says now."""
        if before.text == after.text:
            return
        known = self._drawn_from(after)
        drawn = self._forming.draw([after])
        said_now = {in_same_words(one.formed.candidate.text) for one in drawn}
        holds = [fact for fact in known if in_same_words(fact.text) in said_now]
        # What it says again holds again.
        self._profile.facts.restore([fact.id for fact in holds if fact.state == "superseded"])
        kept = self._forming.keeper().keep(drawn)
        self._profile.origins.read([after.id])
        left = {fact.id for fact in holds} | {one.fact.id for one in kept}
        wordings = {one.id for one in self._profile.corrections.wordings(after.id)}
        gone = [
            fact
            for fact in known
            if fact.state == "active" and fact.id not in left and set(fact.origins) <= wordings
        ]
        self._profile.facts.supersede([fact.id for fact in gone])

    def _drawn_from(self, record: Passage | Turn) -> Sequence[Fact]:
        """Return the facts that came from a text, in whichever of its wordings."""
        wordings = self._profile.corrections.wordings(record.id)
        linked = self._profile.origins.drawn_from(one.id for one in wordings)
        found = [one for one in self._profile.records(linked).values() if isinstance(one, Fact)]
        if not isinstance(record, Turn):
            return found
        turns = [*self._profile.turns.all(record.conversation_id), *wordings]
        earlier = [
            fact
            for fact in self._profile.facts.all()
            if fact.source_id == record.source_id and not fact.origins
        ]
        by_turn = facts_by_turn([t for t in turns if isinstance(t, Turn)], earlier)
        said = {one.text for text in wordings for one in facts_in(text.text)}
        taken = by_turn.get(record.corrects or record.id, [])
        return found + [fact for fact in taken if fact.text in said]
