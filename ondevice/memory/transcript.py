"""The transcript that the model is shown.

Memories stay where they were sent: an exchange keeps the user turn as the
model saw it, so that a later turn only adds tokens and the KV cache of the
earlier ones stays valid.  When the context fills, the oldest exchanges go
whole; the persona prefix always stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ondevice.errors import ContextOverflowError
from ondevice.memory.form import TAUGHT, Form
from ondevice.models.messages import Message

if TYPE_CHECKING:
    from ondevice.store.records import Turn

# When exchanges must go, go on until this share of the room is free again:
# every drop moves all later tokens and costs one full evaluation.
FREE_AFTER_DROP = 0.25


@dataclass(frozen=True)
class Exchange:
    """One user turn as it was sent, and the answer."""

    user: str
    answer: str
    memory_ids: frozenset[str] = frozenset()


@dataclass
class Transcript:
    """Persona prefix, system prompt and the exchanges that still fit."""

    system: str | None = None
    prefix: str | None = None
    form: Form = TAUGHT  # says where the prefix stands
    exchanges: list[Exchange] = field(default_factory=list)

    def sent_ids(self, n: int) -> frozenset[str]:
        """Return the ids of the memories that stand beside the last `n` turns."""
        return frozenset().union(*(exchange.memory_ids for exchange in self.exchanges[-n:]))

    def messages(self, user: str) -> list[Message]:
        """Return what the model is shown when the newest user turn is `user`."""
        system = self.system
        if self.prefix and self.form.place == "system":
            system = f"{system}\n\n{self.prefix}" if system else self.prefix
        messages = [Message("system", system)] if system else []
        for exchange in self.exchanges:
            messages.append(Message("user", exchange.user))
            messages.append(Message("assistant", exchange.answer))
        messages.append(Message("user", user))
        if self.prefix and self.form.place == "first_user":
            first = 1 if system else 0
            content = f"{self.prefix}\n\n{messages[first].content}"
            messages[first] = Message("user", content)
        return messages

    def make_room(
        self, user: str, count_prompt: Callable[[Sequence[Message]], int], n_tokens: int
    ) -> int:
        """Drop the oldest exchanges until the prompt has at most `n_tokens` tokens.

        Returns the number of exchanges dropped.

        Raises:
            ContextOverflowError: the newest turn does not fit even alone.
        """
        if count_prompt(self.messages(user)) <= n_tokens:
            return 0
        dropped = 0
        while self.exchanges:
            del self.exchanges[0]
            dropped += 1
            if count_prompt(self.messages(user)) <= n_tokens * (1 - FREE_AFTER_DROP):
                return dropped
        needed = count_prompt(self.messages(user))
        if needed > n_tokens:
            raise ContextOverflowError(
                f"The message needs {needed} tokens and the model has room for {n_tokens}; "
                "shorten it or raise n_ctx in the settings."
            )
        return dropped


def exchanges_of(turns: Sequence[Turn]) -> Iterator[Exchange]:
    """Pair stored user turns with their answers; of several answers the last one counts."""
    question: str | None = None
    answer: str | None = None
    for turn in turns:
        if turn.role == "user":
            if question is not None and answer is not None:
                yield Exchange(question, answer)
            question, answer = turn.text, None
        elif turn.role == "assistant":
            answer = turn.text
    if question is not None and answer is not None:
        yield Exchange(question, answer)
