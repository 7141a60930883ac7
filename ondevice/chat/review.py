"""The part of the assistant that reviews: proposals approved or rejected, and undoing that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ondevice.chat.adapters import UsesAdapters
from ondevice.errors import RecordNotFoundError
from ondevice.memory.facts import FactCandidate
from ondevice.memory.search import Kept
from ondevice.store.records import Fact


@dataclass(frozen=True)
class Step:
    """A change that can be taken back until the program ends."""

    what: str
    take_back: Callable[[], object]


class Reviews(UsesAdapters):
    """Approving, rejecting, undoing; `Assistant` has the rest.

    Steps are kept in memory only. What was forgotten for good cannot be brought back.
    """

    scope: str | None
    _steps: list[Step]

    def pending(self) -> list[Fact]:
        """Return the proposed facts that wait for a decision, oldest first."""
        profile, _ = self._needs_profile()
        return profile.facts(state="pending", scope=self.scope)

    def approve(self, *ids: str) -> list[Fact]:
        """Use pending facts from now on; what they make untrue is replaced.

        Raises:
            RecordNotFoundError: one of the ids is no fact's; nothing was changed.
        """
        return [kept.fact for kept in self.keep_pending(*ids)]

    def keep_pending(self, *ids: str) -> list[Kept]:
        """Approve facts as `approve` does, and tell which facts each has replaced.

        Raises:
            RecordNotFoundError: one of the ids is no fact's; nothing was changed.
        """
        with self._turn_lock:  # an answer under way ends first
            return self._approve(ids)

    def restore(self, fact_id: str) -> Fact:
        """Use a fact again that was replaced; what replaced it stays.

        Raises:
            RecordNotFoundError: there is no fact with that id.
            ProfileError: it was not replaced.
        """
        with self._turn_lock:
            profile, recaller = self._needs_profile()
            fact = recaller.restore(fact_id)

            def take_back() -> None:
                if profile.has(fact.id):
                    profile.supersede([fact.id])

            self._steps.append(Step("bringing a fact back", take_back))
            self._rebuild()
        return fact

    def _approve(self, ids: Sequence[str]) -> list[Kept]:
        profile, recaller = self._needs_profile()
        facts = self._facts(ids)
        before = {fact.id for fact in profile.facts(state="active")}
        approved = [recaller.keep_pending(fact.id) for fact in facts if fact.state == "pending"]
        replaced = sorted(before - {fact.id for fact in profile.facts(state="active")})

        def take_back() -> None:
            there = [fact_id for fact_id in replaced if profile.has(fact_id)]
            for kept in approved:
                if profile.has(kept.fact.id):
                    profile.unapprove(kept.fact.id, restore=there)

        if approved:
            self._steps.append(Step(f"approving {len(approved)} facts", take_back))
            self._rebuild()
        return approved

    def reject(self, *ids: str) -> list[Fact]:
        """Delete pending facts; `undo` proposes them again.

        Raises:
            RecordNotFoundError: one of the ids is not a pending fact's; nothing was changed.
        """
        with self._turn_lock:
            return self._reject(ids)

    def _reject(self, ids: Sequence[str]) -> list[Fact]:
        profile, recaller = self._needs_profile()
        facts = self._facts(ids)
        if any(fact.state != "pending" for fact in facts):
            raise RecordNotFoundError(
                "Only pending facts can be rejected; `ondevice memory forget` forgets others."
            )
        if not facts:
            return []
        profile.forget([fact.id for fact in facts])

        def take_back() -> None:
            for fact in facts:
                candidate = FactCandidate(fact.text, fact.category, fact.subject)
                recaller.add_fact(candidate, state="pending", scope=fact.scope, learn=fact.learn)

        self._steps.append(Step(f"rejecting {len(facts)} facts", take_back))
        self._rebuild()
        return facts

    def undo(self) -> str | None:
        """Take the last change back: remembering, approving, rejecting or a verdict.

        Returns:
            What it was, or None if there is nothing to undo.
        """
        self._needs_profile()
        with self._turn_lock:
            if not self._steps:
                return None
            step = self._steps.pop()
            step.take_back()
            self._rebuild()
        return step.what

    def _facts(self, ids: Sequence[str]) -> list[Fact]:
        profile, _ = self._needs_profile()
        found = [profile.get(record_id) for record_id in ids]
        facts = [record for record in found if isinstance(record, Fact)]
        if len(facts) != len(found):
            raise RecordNotFoundError(
                "One of these ids is not a fact's, so nothing was changed; see `ondevice "
                "memory list`."
            )
        return facts

    def _can_take_back(self, what: str, record_id: str, restore: Sequence[str] = ()) -> None:
        """Note that a record was added, and which facts it replaced."""
        profile, _ = self._needs_profile()

        def take_back() -> None:
            if profile.has(record_id):
                profile.forget([record_id])
            profile.restore([fact_id for fact_id in restore if profile.has(fact_id)])

        self._steps.append(Step(what, take_back))

    def _rebuild(self) -> None:
        raise NotImplementedError
