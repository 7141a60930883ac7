"""Which facts stand before a conversation, and which memories may stand beside a turn."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ondevice.memory.search import Hit
    from ondevice.store.records import Fact

# Categories whose facts stand in the prefix without being pinned: they rarely
# change, so the prefix stays warm in the KV cache.
STABLE_CATEGORIES = frozenset(
    {"demographic", "preference", "relationship", "health", "home", "work", "belief", "wish"}
)

# What a memory that shares no word with the turn must be near to it, on the scale of
# `Calibration.relevance`.
MIN_RELEVANCE = 0.17


def prefix_facts(facts: Iterable[Fact], now: float | None = None) -> list[Fact]:
    """Return the facts that belong before a conversation, pinned ones first, then the newest.

    Args:
        facts: active ones.
        now: seconds since 1970, for facts that expire; the present if None.
    """
    moment = time.time() if now is None else now
    chosen = [
        fact
        for fact in facts
        if (fact.pinned or fact.category in STABLE_CATEGORIES)
        and (fact.expires is None or fact.expires > moment)
    ]
    chosen.sort(key=lambda fact: (fact.pinned, fact.time), reverse=True)
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
