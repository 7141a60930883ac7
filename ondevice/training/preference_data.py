"""Preference pairs: two answers to the same prompt, of which one was preferred.

Files are JSON lines, each `{"prompt", "chosen", "rejected"}`. The prompt is a text
(one user message) or a list of messages; an answer is a text, or a list with one
message of the assistant, as other tools write it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ondevice.errors import ImportSourceError, TrainingError
from ondevice.ground.text import JSON_LINES
from ondevice.models.messages import Message
from ondevice.training.data import (
    Document,
    DocumentReader,
    check_messages,
    json_lines,
)


@dataclass(frozen=True)
class Preference:
    """A prompt with a preferred and a rejected answer, in memory.

    Attributes:
        name: for errors.
        prompt: the conversation up to the answer.
        chosen: the preferred answer.
        rejected: the other one.
    """

    name: str
    prompt: tuple[Message, ...]
    chosen: str
    rejected: str


@dataclass(frozen=True, eq=False)
class PreferencePair:
    """The two documents of a preference; of each, only the answer is supervised."""

    chosen: Document
    rejected: Document

    @property
    def length(self) -> int:
        """How many tokens are computed."""
        return self.chosen.length + self.rejected.length

    @property
    def parts(self) -> tuple[Document, ...]:
        """The documents that this consists of."""
        return (self.chosen, self.rejected)


def read_preferences(
    reader: DocumentReader, sources: Sequence[Path | Preference]
) -> list[PreferencePair]:
    """Return the pairs of JSON-lines files and preferences, exact duplicates only once.

    Raises:
        ImportSourceError: a file cannot be read, or a row is not a preference.
        TrainingError: a chat is too long, or there is nothing to learn.
    """
    pairs: list[PreferencePair] = []
    seen: set[bytes] = set()
    for preference in _preferences(sources):
        chosen, rejected = (
            reader.from_messages(
                [*preference.prompt, Message("assistant", answer)], preference.name, last_only=True
            )
            for answer in (preference.chosen, preference.rejected)
        )
        key = chosen.tokens.tobytes() + b"/" + rejected.tokens.tobytes()
        same = np.array_equal(chosen.tokens, rejected.tokens)
        if key not in seen and not same:  # two answers that are the same prefer nothing
            seen.add(key)
            pairs.append(PreferencePair(chosen, rejected))
    if not pairs:
        names = ", ".join(dict.fromkeys(source.name for source in sources)) or "no file"
        raise TrainingError(
            f"There are no two different answers to learn from ({names}); add pairs that differ."
        )
    return pairs


def _preferences(sources: Sequence[Path | Preference]) -> Iterator[Preference]:
    for source in sources:
        if isinstance(source, Preference):
            yield source
        elif source.suffix.lower() in JSON_LINES:
            for name, row in json_lines(source):
                yield _from_row(row, name)
        else:
            raise ImportSourceError(
                f"{source.name} holds no preferences; give JSON lines with 'prompt', 'chosen' "
                "and 'rejected'."
            )


def _from_row(row: object, name: str) -> Preference:
    prompt = row.get("prompt") if isinstance(row, dict) else None
    if isinstance(prompt, str):
        messages = [Message("user", prompt)]
    elif isinstance(prompt, list) and prompt:
        messages = check_messages(prompt, name)
    else:
        raise ImportSourceError(
            f"{name}: 'prompt' is neither a text nor a list of messages; write one of them."
        )
    assert isinstance(row, dict)
    return Preference(
        name, tuple(messages), _answer(row, "chosen", name), _answer(row, "rejected", name)
    )


def _answer(row: dict[str, object], key: str, name: str) -> str:
    value = row.get(key)
    if isinstance(value, list) and len(value) == 1:
        (message,) = check_messages(value, name)
        value = message.content if message.role == "assistant" else None
    if not isinstance(value, str) or not value.strip():
        raise ImportSourceError(f"{name}: '{key}' is not an answer; give a text.")
    return value
