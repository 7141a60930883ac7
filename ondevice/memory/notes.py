"""Which notes a prompt holds: those before a conversation, and those beside a turn.

Chats and evaluations show a model the same, because both ask here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ondevice.memory.form import Form
from ondevice.memory.persona import build_prefix, build_turn
from ondevice.memory.selection import by_weight, is_evidence
from ondevice.memory.whose import belonging

if TYPE_CHECKING:
    from ondevice.memory.search import Hit, Recall
    from ondevice.settings import RecallSettings
    from ondevice.store.records import Fact

_LOOKED_AT = 3  # times as many memories are looked at as may stand beside a turn
_AGAIN = 4  # of the best memories so many stand beside a turn though they stand before it too


@dataclass(frozen=True)
class Beside:
    """A user turn with its notes.

    Attributes:
        content: what the model is shown.
        sent: the memories that stand in it, best first.
        near: those that would, but stand beside one of the last turns already.
        scores: of everything that was looked at, by id.
    """

    content: str
    sent: Sequence[Hit]
    near: Sequence[Hit]
    scores: dict[str, float]


class Notes:
    """Chooses and writes the notes for one base model."""

    def __init__(
        self,
        recall: Recall,
        settings: RecallSettings,
        count_tokens: Callable[[str], int],
        form: Form,
    ) -> None:
        """Prepare for prompts.

        Args:
            recall: searches what is remembered.
            settings: how many notes, and how many tokens.
            count_tokens: counts the base model's tokens of a text.
            form: of the base model.
        """
        self._recall, self._settings = recall, settings
        self._count_tokens = count_tokens
        self.form = form

    def before(self, facts: Sequence[Fact]) -> tuple[str | None, list[Fact]]:
        """Return what stands before a conversation, and those of the facts that are in it."""
        now = self._recall.clock()
        wanted = by_weight(facts, self._recall.matters({fact.id for fact in facts}), now)
        text, ids = build_prefix(
            wanted, self._count_tokens, self._settings.prefix_tokens, self.form, now
        )
        return text, [fact for fact in wanted if fact.id in ids]

    def beside(
        self,
        text: str,
        *,
        query: str | None = None,
        scope: str | None = None,
        recent: Collection[str] = (),
        standing: Collection[str] = (),
        near: Collection[str] = (),
        without: Collection[str] = (),
        unsearched: Collection[str] = (),
    ) -> Beside:
        """Return the turn `text` with the notes that it needs.

        Args:
            text: what the person writes.
            query: what to search for, if not the text itself.
            scope: also memories of this context.
            recent: ids of the turns that the model sees anyway.
            standing: ids of the facts that stand before the conversation.
            near: ids of memories that stand beside one of the last turns.
            without: ids of memories that must not be shown.
            unsearched: ids of records to search as if they had never been stored.
        """
        limits, question = self._settings, query or text
        most = min(limits.memories, self.form.most_beside)
        wanted = most + len(standing)
        found = self._recall.for_prompt(question, _LOOKED_AT * wanted, scope, without=unsearched)
        hits = [hit for hit in found.hits if hit.id not in without]
        useful = [hit for hit in hits if is_evidence(hit, found.personal, recent)]
        useful = belonging(question, useful)
        # What stands before the conversation comes again only if it is the best there is: it is
        # used more often when it stands beside the question.
        again = {hit.id for hit in useful[:_AGAIN]}
        useful = [hit for hit in useful if hit.id in again or hit.id not in standing][:most]
        far = [hit for hit in useful if hit.id not in near]
        content, sent = build_turn(text, far, self._count_tokens, limits.memory_tokens, self.form)
        return Beside(
            content,
            [hit for hit in far if hit.id in sent],
            [hit for hit in useful if hit.id in near],
            {hit.id: hit.score for hit in hits},
        )
