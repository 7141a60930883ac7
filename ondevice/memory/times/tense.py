"""Whether the words around a phrase speak of what was or of what will be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ondevice.memory.times.lexicon import Language, Tense
from ondevice.memory.times.tokens import Token

Direction = Literal["past", "future"]
_SENTENCE_ENDS = ".!?;…。！？"
_REACH = 3  # words: "will soon be finished"
_BORDER = 5  # what a comma or an "and" adds to a distance
_WHOLE = 3  # words beside the phrase: then its clause has a verb, if of no known form
_LOOK = 40  # tokens to each side; a longer sentence has its verb nearer


@dataclass(frozen=True, slots=True)
class _Marker:
    at: int
    direction: Direction


def direction_at(
    tokens: Sequence[Token], first: int, last: int, language: Language
) -> Direction | None:
    """Return the direction of the clause around a phrase (the tokens first to last)."""
    low, high = _sentence(tokens, first, last)
    others = (*range(low, first), *range(last + 1, high))
    if low > 0 and not any(tokens[i].kind == "word" for i in others):
        # "We swam with the ashes to Lundy. 12 July." is told by the sentence before.
        first = last = low - 1
        while first > 0 and _ends(tokens, first - 1):
            first -= 1
        low, high = _sentence(tokens, first, first)[0], last + 1
    return _direction(tokens, (low, first, last, high), language.tense)


def _direction(
    tokens: Sequence[Token], places: tuple[int, int, int, int], tense: Tense
) -> Direction | None:
    """Return the direction of a clause; its sentence and the phrase in it are `places`."""
    low, first, last, high = places
    markers = _markers(tokens, low, high, range(first, last + 1), tense)
    if not markers:
        return None
    begin, end = _clause(tokens, low, first, -1, tense), _clause(tokens, high - 1, last, 1, tense)
    own = [marker for marker in markers if begin <= marker.at <= end]
    words = sum(tokens[i].kind == "word" for i in (*range(begin, first), *range(last + 1, end + 1)))
    if not own and words >= _WHOLE and not _has_either(tokens, begin, end, tense):
        return None  # "the roofers start on Monday, so I moved the car"
    nearest = min(own or markers, key=lambda m: _distance(tokens, m.at, first, last, tense))
    return nearest.direction


def _clause(
    tokens: Sequence[Token], limit: int, at: int, step: Literal[-1, 1], tense: Tense
) -> int:
    """Return the last token before a comma or an "and" in one direction."""
    while at != limit:
        after = tokens[at + step]
        if after.text == "," or after.text in tense.joins:
            break
        at += step
    return at


def has_any(tokens: Sequence[Token], first: int, last: int, words: frozenset[str]) -> bool:
    """Say whether one of some words stands in the sentence around a phrase."""
    low, high = _sentence(tokens, first, last)
    return any(tokens[i].text in words for i in range(low, high) if not first <= i <= last)


def may_be_past(tokens: Sequence[Token], first: int, last: int, language: Language) -> bool:
    """Say whether the sentence around a phrase has a verb of past or present ("llegamos")."""
    low, high = _sentence(tokens, first, last)
    return _has_either(tokens, low, high - 1, language.tense)


def _has_either(tokens: Sequence[Token], first: int, last: int, tense: Tense) -> bool:
    shape = tense.either_like
    return shape is not None and any(shape.fullmatch(t.text) for t in tokens[first : last + 1])


def _sentence(tokens: Sequence[Token], first: int, last: int) -> tuple[int, int]:
    low = first
    while low > max(0, first - _LOOK) and not _ends(tokens, low - 1):
        low -= 1
    high = last + 1
    while high < min(len(tokens), last + _LOOK) and not _ends(tokens, high):
        high += 1
    return low, high


def _ends(tokens: Sequence[Token], at: int) -> bool:
    return tokens[at].kind == "sign" and tokens[at].text in _SENTENCE_ENDS


def _markers(
    tokens: Sequence[Token], low: int, high: int, phrase: range, tense: Tense
) -> list[_Marker]:
    found = []
    for at in range(low, high):
        word = tokens[at].text
        if at in phrase or tokens[at].kind != "word":
            continue
        if word in tense.future or (tense.future_like and tense.future_like.fullmatch(word)):
            found.append(_Marker(at, "future"))
        elif _is_past(word, tense) and not _cancelled(tokens, at, low, tense):
            found.append(_Marker(at, "past"))
    return found + _perfects(tokens, low, high, phrase, tense)


def _is_past(word: str, tense: Tense) -> bool:
    if word in tense.past:
        return True
    shaped = tense.past_like is not None and tense.past_like.fullmatch(word) is not None
    return shaped and word not in tense.not_past


def _cancelled(tokens: Sequence[Token], at: int, low: int, tense: Tense) -> bool:
    return any(tokens[i].text in tense.cancels for i in range(max(low, at - _REACH), at))


def _perfects(
    tokens: Sequence[Token], low: int, high: int, phrase: range, tense: Tense
) -> list[_Marker]:
    """Return the participles that have their auxiliary ("habe … gesehen", "ai … vu")."""
    found = []
    for with_, like, gap in tense.perfect:
        helpers = [i for i in range(low, high) if tokens[i].text in with_ and i not in phrase]
        if not helpers:
            continue
        for at in range(low, high):
            if at in phrase or tokens[at].kind != "word" or not like.fullmatch(tokens[at].text):
                continue
            # Behind it, except in "dass ich ihn gesehen habe", where the gap is open.
            near = [i for i in helpers if i != at and (0 < at - i <= gap or gap >= 99)]
            if near:
                found.append(_Marker(at, "past"))
                found += [_Marker(i, "past") for i in near]
    return found


def _distance(tokens: Sequence[Token], at: int, first: int, last: int, tense: Tense) -> int:
    between = range(at + 1, first) if at < first else range(last + 1, at)
    borders = sum(tokens[i].text == "," or tokens[i].text in tense.joins for i in between)
    return len(between) + _BORDER * borders
