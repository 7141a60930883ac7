"""The tokenizer of multilingual-e5-small in plain Python: the likeliest pieces of each word.

A library for it would take 280 MB of memory for the same; most words come again and again, so
what they became is kept (in memory only).
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ondevice.memory.embedders.packed_e5 import Vocabulary

_SPACE = "▁"  # begins a word in the vocabulary
_SPECIAL = 4  # the first pieces are tokens that no text has
_MASK = "<mask>"
_UNKNOWN_COST = 10.0  # how much less likely than the rarest piece what is unknown is
_KEPT_WORDS = 20_000
_LONGEST_WORD = 1000  # characters taken for one word; texts without spaces are cut there
_WORST = -1e30


class Unigram:
    """Turns texts into token ids; safe to share between threads."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Prepare the look-up of the pieces."""
        self._first, self._last = vocabulary.first, vocabulary.last
        self._unknown = vocabulary.unknown
        self._scores = vocabulary.scores
        self._unknown_score = min(vocabulary.scores) - _UNKNOWN_COST
        self._characters = vocabulary.characters
        self._ids = {
            piece: number
            for number, piece in enumerate(vocabulary.pieces)
            if number >= _SPECIAL and piece != _MASK
        }
        self._longest = max(map(len, self._ids), default=1)
        self._of_word = functools.lru_cache(_KEPT_WORDS)(self._segmented)

    def encode(self, text: str, most: int) -> list[int]:
        """Return the tokens of `text` between the two that begin and end it, `most` in all."""
        tokens = [self._first]
        for word in self._words(text):
            tokens += self._of_word(word)
            if len(tokens) >= most:
                break
        return [*tokens[: most - 1], self._last]

    def count(self, text: str) -> int:
        """Return how many tokens `text` has, without those that begin and end it."""
        return sum(len(self._of_word(word)) for word in self._words(text))

    def _words(self, text: str) -> Iterator[str]:
        plain = unicodedata.normalize("NFKC", text).translate(self._characters)
        for word in plain.replace(_SPACE, " ").split():
            whole = _SPACE + word
            for begin in range(0, len(whole), _LONGEST_WORD):
                yield whole[begin : begin + _LONGEST_WORD]

    def _segmented(self, word: str) -> tuple[int, ...]:
        """Return the likeliest pieces of a word: the best way to each place, from left to right."""
        ids, scores, length = self._ids, self._scores, len(word)
        best = [0.0] + [_WORST] * length
        begins = [0] * (length + 1)
        pieces = [self._unknown] * (length + 1)
        for begin in range(length):
            so_far = best[begin]
            for end in range(begin + 1, min(length, begin + self._longest) + 1):
                piece = ids.get(word[begin:end])
                if piece is not None and so_far + scores[piece] > best[end]:
                    best[end], begins[end], pieces[end] = so_far + scores[piece], begin, piece
            if so_far + self._unknown_score > best[begin + 1]:
                best[begin + 1] = so_far + self._unknown_score
                begins[begin + 1], pieces[begin + 1] = begin, self._unknown
        found: list[int] = []
        end = length
        while end:
            # What is unknown is one token, however long it is.
            if pieces[end] != self._unknown or not found or found[-1] != self._unknown:
                found.append(pieces[end])
            end = begins[end]
        return tuple(reversed(found))
