"""An example: what is learned, from what, and which records it says something of."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Literal

from ondevice.models.messages import Message

Kind = Literal["style", "fact", "write", "answer", "replay"]


@dataclass(frozen=True)
class Example:
    """A text, or a conversation of which some messages are learned.

    Attributes:
        kind: "style" (the person's own text or turn), "fact" (questions on what is known),
            "write" (their own text as the answer to "write as me"), "answer" (an answer that
            they accepted or corrected) or "replay" (neutral, from nobody).
        messages: the conversation; a single message of role "text" is plain text.
        learned: indices of the messages to be predicted.
        records: ids of everything that it was made of, context included, sorted.
    """

    kind: Kind
    messages: tuple[Message, ...]
    learned: tuple[int, ...]
    records: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """SHA-256 of the content, without ids: what decides its place in the order."""
        return _hash([[m.role, m.content] for m in self.messages], list(self.learned))


@dataclass(frozen=True)
class Preference:
    """An answer that the person wanted and one that they did not, to the same prompt."""

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    records: tuple[str, ...]

    @property
    def key(self) -> str:
        """SHA-256 of the content, without ids."""
        return _hash([[m.role, m.content] for m in self.prompt], self.chosen, self.rejected)


def plain(kind: Kind, text: str, records: tuple[str, ...]) -> Example:
    """Return `text` as an example of which every word is learned."""
    return Example(kind, (Message("text", text),), (0,), records)


def answered(
    kind: Kind, prompt: tuple[Message, ...], answer: str, records: tuple[str, ...]
) -> Example:
    """Return `answer` to `prompt` as an example of which only the answer is learned."""
    return Example(kind, (*prompt, Message("assistant", answer)), (len(prompt),), records)


def seed_of(text: str) -> int:
    """Return a 32-bit seed that depends on `text` alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def _hash(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()
