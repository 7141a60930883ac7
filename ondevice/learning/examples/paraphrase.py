"""The base model asks a question in other words, under a grammar, deterministically."""

from __future__ import annotations

import re

from ondevice.engine.protocol import ChatOptions, Engine
from ondevice.evaluation.split import words_of
from ondevice.learning.examples.example import seed_of
from ondevice.models.messages import Message

GRAMMAR = r"""
root ::= [A-Z] [a-zA-Z0-9 ,'-]{6,90} "?"
"""
_PROMPT = 'Ask this in other words, as one short question in the first person: "{question}"'
_LITTLE = frozenset(
    ["a", "an", "the", "is", "are", "am", "was", "do", "does", "did", "what", "which", "who",
     "where", "when", "how", "of", "to", "in", "on", "for", "my", "i", "me", "you", "about",
     "know", "tell", "and", "it", "that"]
)  # fmt: skip


class Paraphraser:
    """Paraphrases with `engine`, which must have no adapter applied.

    The cache is dropped before every question and the seed comes from it, so that
    what the model says to one question does not depend on those asked before.
    """

    def __init__(self, engine: Engine) -> None:
        """Use `engine` for every question."""
        self._engine = engine

    def __call__(self, question: str) -> str | None:
        """Return `question` in other words, or None if the model found no usable ones."""
        self._engine.reset_cache()
        options = ChatOptions(
            temperature=0.7, max_tokens=32, seed=seed_of(question), grammar=GRAMMAR.strip()
        )
        prompt = _PROMPT.format(question=question)
        answer = self._engine.chat([Message("user", prompt)], options).read().strip()
        return answer if _asks_the_same(question, answer) else None


def _asks_the_same(question: str, answer: str) -> bool:
    """Whether `answer` is another question of the person's, with the same rare words."""
    rare = set(words_of(question)) - _LITTLE
    said = words_of(answer)
    return (
        answer.endswith("?")
        and words_of(question) != said
        and rare <= set(said)
        and bool(re.search(r"\b(?:I|my|me|mine)\b", answer))
        and not re.search(r"\b(?:you|your)\b", answer, re.IGNORECASE)
        and len(said) <= 2 * len(words_of(question)) + 4
    )
