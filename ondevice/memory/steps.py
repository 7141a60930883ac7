"""Changes that can be taken back until the program ends.

They are kept in memory only. What was forgotten for good cannot be brought back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ondevice.memory.facts import FactCandidate

if TYPE_CHECKING:
    from ondevice.memory.correcting import Corrector
    from ondevice.memory.search import Recall
    from ondevice.store.profile import Profile
    from ondevice.store.records import Fact


@dataclass(frozen=True)
class Step:
    """A change and how to take it back."""

    what: str
    take_back: Callable[[], object]


class Steps:
    """The last changes to one profile, the newest at the end."""

    def __init__(self, profile: Profile, recall: Recall) -> None:
        """Take changes of `profile` back, through `recall` where a vector is needed."""
        self._profile = profile
        self._recall = recall
        self._done: list[Step] = []

    def undo(self) -> str | None:
        """Take the last change back and return what it was; None if there is none."""
        if not self._done:
            return None
        step = self._done.pop()
        step.take_back()
        return step.what

    def added(self, what: str, record_id: str, replaced: Sequence[str] = ()) -> None:
        """Note that a record was added, and which facts it replaced."""

        def take_back() -> None:
            if self._profile.has(record_id):
                self._profile.forget([record_id])
            self._profile.facts.restore(self._there(replaced))

        self._done.append(Step(what, take_back))

    def approved(self, facts: Sequence[Fact], replaced: Sequence[str]) -> None:
        """Note that pending facts were approved, and which facts they replaced."""

        def take_back() -> None:
            there = self._there(replaced)
            for fact in facts:
                if self._profile.has(fact.id):
                    self._profile.facts.unapprove(fact.id, restore=there)

        self._done.append(Step(f"approving {_counted(facts)}", take_back))

    def rejected(self, facts: Sequence[Fact]) -> None:
        """Note that pending facts were deleted; taken back, they are proposed again."""

        def take_back() -> None:
            for fact in facts:
                candidate = FactCandidate(fact.text, fact.category, fact.subject)
                self._recall.add_fact(
                    candidate, state="pending", scope=fact.scope, learn=fact.learn
                )

        self._done.append(Step(f"rejecting {_counted(facts)}", take_back))

    def brought_back(self, fact_id: str) -> None:
        """Note that a fact is used again that was replaced."""

        def take_back() -> None:
            if self._profile.has(fact_id):
                self._profile.facts.supersede([fact_id])

        self._done.append(Step("bringing a fact back", take_back))

    def corrected(self, record_id: str, corrector: Corrector) -> None:
        """Note that a text was corrected by the wording `record_id`."""

        def take_back() -> None:
            if not self._profile.has(record_id):
                return
            if len(self._profile.corrections.wordings(record_id)) > 1:
                corrector.restore(record_id)

        self._done.append(Step("a correction", take_back))

    def _there(self, ids: Sequence[str]) -> list[str]:
        return [fact_id for fact_id in ids if self._profile.has(fact_id)]


def _counted(facts: Sequence[Fact]) -> str:
    return "1 fact" if len(facts) == 1 else f"{len(facts)} facts"
