"""Which facts stand before a conversation, and which memories may stand beside a turn."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ondevice.memory.search import Hit
    from ondevice.store.records import Fact

UNJUDGED = 1.0  # how much a fact matters that has no vector yet: between trivia and a trait

# What a memory that shares no word with the turn must be near to it, on the scale of
# `Calibration.relevance`.
MIN_RELEVANCE = 0.17

# A request that is less likely to be personal than `PERSONAL` gets only notes that are about just
# what it asks: at least so near, and less near the likelier it is. Chosen on the requests of the
# tuning half of `benchmarks/memory_items`: none of 60 that need no memory gets a note then.
PERSONAL = 0.5
ABOUT_THIS = 0.36
ABOUT_THIS_SLOPE = 0.3


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


def is_evidence(memory: Hit, personal: float, recent: Collection[str]) -> bool:
    """Whether a memory that was found may stand beside a turn.

    Args:
        memory: one of the best that there are, which may still not be about this.
        personal: how likely a good answer depends on who asks.
        recent: ids of the turns that the model sees anyway.
    """
    if memory.kind == "turn" and not _tells(memory, recent):
        return False
    if personal < PERSONAL:  # only what is about just this
        return memory.cosine >= ABOUT_THIS - ABOUT_THIS_SLOPE * personal
    # A statement, and a sentence that may be one, has been weighed by what it matters for; a
    # whole text only by what it says.
    weighed = memory.kind == "fact" or memory.origin is not None
    return weighed or memory.shares_words or memory.cosine >= MIN_RELEVANCE


def _tells(turn: Hit, recent: Collection[str]) -> bool:
    """Whether a turn may tell something: the model's words do not, and a question is no answer."""
    return (
        turn.role == "user"
        and not turn.text.rstrip().endswith("?")
        and (turn.origin or turn.id) not in recent
    )
