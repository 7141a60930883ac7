"""One message of a conversation, as chat templates and engines see it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """A message: `role` is "system", "user" or "assistant"; `content` is plain text."""

    role: str
    content: str
