"""How long the first token of a later turn takes, with 600 tokens of notes and without."""

from __future__ import annotations

import dataclasses
import statistics
import time
from dataclasses import dataclass

from answering.person import NOW, People, Person
from ondevice.chat.session import MemoryUse
from ondevice.engine.protocol import ChatOptions

TURNS = (
    "Tell me something about the sea.", "And about mountains?", "What about rivers?",
    "Name one animal of the desert.", "And one of the forest?", "What do bees eat?",
    "Why is the sky blue?", "What is rain?", "How high can birds fly?",
)  # fmt: skip
PINNED = 60


@dataclass(frozen=True)
class Waiting:
    """Medians over the later turns of a conversation.

    Attributes:
        prefix_tokens: before the conversation with memory.
        with_memory: seconds to the first token, with the search and what is stored.
        without: the same without memory.
        evaluated: tokens of a later prompt, with memory, that did not come from the cache.
        cached: share of the tokens of later prompts, with memory, that did.
    """

    prefix_tokens: int
    with_memory: float
    without: float
    evaluated: float
    cached: float


def first_token(people: People) -> Waiting:
    """Measure one conversation with memory, and the same one without."""
    with people.person() as person:
        person.clock.now = NOW
        for text in people.fillers(PINNED, "pinned"):
            person.memory.keep(text, pinned=True)
        told, uses, prefix = _later_turns(person, "on")
        bare, _, _ = _later_turns(person, "off")
    prompt, cached = (sum(one[place] for one in uses) for place in (0, 1))
    return Waiting(
        people.engine.count_tokens(prefix),
        statistics.median(told),
        statistics.median(bare),
        statistics.median(one[0] - one[1] for one in uses),
        cached / prompt,
    )


def _later_turns(
    person: Person, memory: MemoryUse
) -> tuple[list[float], list[tuple[int, int]], str]:
    """Return the seconds to the first token, prompt and cached tokens of turns 2 and on; notes."""
    defaults = ChatOptions.from_settings(person.assistant.settings.generation)
    options = dataclasses.replace(defaults, temperature=0.0, max_tokens=24)
    session, seconds, uses = person.session(memory), [], []
    for question in TURNS:
        began = time.perf_counter()
        pieces = iter(reply := session.chat(question, options))
        next(pieces, "")
        seconds.append(time.perf_counter() - began)
        for _ in pieces:
            pass
        uses.append((reply.usage.prompt_tokens, reply.usage.cached_tokens))
    return seconds[1:], uses[1:], session.transcript.prefix or ""
