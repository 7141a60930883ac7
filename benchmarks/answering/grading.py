"""When an answer is right, and when a prompt holds a statement: by patterns, without a judge."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ondevice.memory.persona import neutralise
from ondevice.memory.query_terms import query_terms

# What an answer says that knows it was not told. One of these has to be in it; each names who does
# not know, or what is missing: "You don't have a brother" is a claim and not one of them.
_UNKNOWING = (
    # "you have not told me", "you never mentioned", "you didn't say"
    r"\byou(?:'ve| have| had)?(?: not|n't| never)(?: yet)?(?: actually| explicitly)?"
    r" (?:told|tell|mentioned?|said|say|shared?|provided?|given?|specif(?:y|ied)|stated?)\b",
    r"\byou (?:did|have|had)(?:n't| not| never)(?: yet)?(?: actually| explicitly| ever)?"
    r" (?:told|tell|mentioned?|said|say|shared?|provided?|given?|specif(?:y|ied)|stated?)\b",
    # "I have not been told", "it is not mentioned", "was not provided"
    r"\b(?:has|have|had|was|were|am|is|are|been|'s|'m)(?: not|n't| never)(?: yet)?(?: been)?"
    r"(?: explicitly| specifically)? (?:told|mentioned|given|provided|specified|stated|shared|"
    r"informed|included|recorded|listed|noted|clear|known(?! (?:for|as)\b))\b",
    # "I don't know", "the notes do not say", "there does not seem to be"
    r"\b(?:I|we|notes?|messages?|records?|it|they|text|context|conversations?|information)\b"
    r"[^.!?\n]{0,30}\b(?:do|does|did)(?: not|n't)(?: yet| actually| currently| really)?"
    r" (?:have|know|recall|remember|mention|say|specify|tell|contain|include|provide|state|see|"
    r"hold|give|show|indicate)\b",
    r"^\W*(?:not sure|unsure|unknown|no idea|don't know)\b",
    r"\b(?:no|any|more|enough|insufficient|without) (?:\w+ ){0,2}"
    r"(?:information|mention|record|details?|knowledge|memory|indication|idea|context)\b",
    r"\bno notes?\b",
    r"\bI(?:'m| am) (?:not (?:sure|aware|certain|able)|unsure|unaware|uncertain|unable)\b",
    r"\bI (?:can't|cannot|can not|could not|couldn't|am unable to|have no way to)"
    r" (?:\w+ )?(?:tell|say|find|determine|know|recall|see|provide|answer|access|remember|help)\b",
    r"\bI have no (?:\w+ )?(?:way|access|means)\b",
    r"\b(?:is|are|remains?) (?:unknown|unclear|unspecified)\b",
    r"\b(?:could|can|would) you (?:please )?(?:tell|provide|share|specify|let me know|clarify)\b",
    r"\bplease (?:tell me|provide|share|specify|let me know)\b",
)
_SAYS_UNKNOWN = re.compile("|".join(f"(?:{one})" for one in _UNKNOWING), re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n+")
_MARKED = re.compile(
    r"\b(?:no longer|not any ?more|formerly|former|until|outdated|superseded|replaced)\b",
    re.IGNORECASE,
)
ENOUGH = 0.7  # of a sentence's words make a line one that says it, in whatever person and order


@dataclass(frozen=True)
class Share:
    """So many of so many."""

    count: int
    of: int

    def interval(self) -> tuple[float, float]:
        """Return Wilson's 95 % interval."""
        n, z = max(self.of, 1), 1.959964
        p = self.count / n
        middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)

    def __str__(self) -> str:
        """Return the share and its interval in percent."""
        low, high = self.interval()
        return f"{100 * self.count / max(self.of, 1):5.1f} % ({100 * low:.1f}-{100 * high:.1f})"


def holds_one(patterns: Iterable[str], answer: str) -> bool:
    """Whether one of the regular expressions is found in `answer`, in whatever case."""
    plain = answer.replace("’", "'").replace("\u202f", " ").replace("\u00a0", " ").strip()
    return any(re.search(pattern, plain, re.IGNORECASE) for pattern in patterns)


def is_right(item: Mapping[str, Any], answer: str, *, key: str = "expected") -> bool:
    """Whether `answer` holds one of what was expected, and nothing of what is wrong."""
    return holds_one(item[key], answer) and not holds_one(item.get("wrong", ()), answer)


def respects(item: Mapping[str, Any], answer: str) -> bool:
    """Whether an answer shows that the fact behind a request was heeded."""
    signs = item["respects"]
    heeded = not signs["any"] or holds_one(signs["any"], answer)
    return bool(answer.strip()) and heeded and not holds_one(signs["none"], answer)


def says_unknown(answer: str) -> bool:
    """Whether an answer says that this was never told, or asks for it."""
    return _SAYS_UNKNOWN.search(answer.replace("’", "'")) is not None


@functools.lru_cache(1 << 16)
def stems(text: str) -> frozenset[str]:
    """Return the words of a text that carry meaning, cut so that `works` and `work` are one."""
    words = re.findall(r"\w+(?:'\w+)?", neutralise(text).lower().replace("’", "'"))
    return frozenset(_stem(word) for word in words if query_terms(word))


def _stem(word: str) -> str:
    word = word.removesuffix("'s")
    if len(word) > 3:
        word = re.sub(r"(?:ing|ed|es|s|e)$", "", word)
    return word


@dataclass(frozen=True)
class Evidence:
    """What shows that a prompt holds a statement.

    Attributes:
        kept: statements as the memory keeps them; one of them in a line is enough.
        said: the fact, and the sentence in which it was told; a line with enough of the words of
            one of them is enough, because it may be put into the third person or taken apart.
    """

    kept: tuple[str, ...]
    said: tuple[str, ...]

    def lines_in(self, lines: Sequence[str]) -> Iterator[str]:
        """Yield the lines that say it."""
        kept = [neutralise(text).casefold() for text in self.kept if text.strip()]
        wanted = [words for words in map(stems, self.said) if words]
        for line in lines:
            plain, found = neutralise(line).casefold(), stems(line)
            if any(text in plain for text in kept) or any(
                words <= found or len(words & found) >= max(ENOUGH * len(words), 1.5)
                for words in wanted
            ):
                yield line

    def stands_in(self, lines: Sequence[str]) -> bool:
        """Whether one of the lines says it."""
        return any(True for _ in self.lines_in(lines))


def is_marked(line: str) -> bool:
    """Whether a line shows that what it says holds no longer."""
    return _MARKED.search(line) is not None


def sentence_of(fact: str, text: str) -> str:
    """Return the sentence of `text` that tells `fact`: the one with the most of its words."""
    about = stems(fact)
    sentences = [one for one in _SENTENCE.split(text) if one.strip()]
    return max(sentences, key=lambda one: len(about & stems(one)), default=text)
