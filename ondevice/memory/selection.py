"""Which facts stand before a conversation, and which memories may stand beside a turn."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ondevice.memory.search import Hit
    from ondevice.store.records import Fact

UNJUDGED = 1.0  # how much a fact matters that has no vector yet: between trivia and a trait

# What a memory that shares no word with the turn must be near to it, on the scale of
# `Calibration.relevance`.
MIN_RELEVANCE = 0.17


def by_weight(
    facts: Iterable[Fact], matters: Mapping[str, float], now: float | None = None
) -> list[Fact]:
    """Return the facts that hold, the most important ones first, then the newest.

    Args:
        facts: active ones.
        matters: how much each matters, from 0 to 2, by id.
        now: seconds since 1970, for facts that expire; the present if None.
    """
    moment = time.time() if now is None else now
    chosen = [fact for fact in facts if fact.expires is None or fact.expires > moment]
    # In steps, so that of facts that matter alike the newest stands first.
    chosen.sort(
        key=lambda fact: (fact.pinned, round(4 * matters.get(fact.id, UNJUDGED)), fact.time),
        reverse=True,
    )
    return chosen


def is_evidence(memory: Hit, conversation_id: str | None) -> bool:
    """Whether a memory that was found may stand beside a turn of the conversation.

    Args:
        memory: one of the best that there are, which may still not be about this.
        conversation_id: what was said in it stands in the transcript anyway.
    """
    if not memory.shares_words and memory.cosine < MIN_RELEVANCE:
        return False
    if memory.kind != "turn":
        return True
    # The model's own words are not evidence, and a question asked before is no answer.
    return (
        memory.role == "user"
        and not memory.text.rstrip().endswith("?")
        and memory.conversation_id != conversation_id
    )
