"""Words that say nothing about what is asked for, in the languages whose lists come along.

One file a language in `data/stop_words`, a word a line. A word may be one in one language and
mean something in another ("war", "die", "son"): which lists count is decided a question at a
time, by all of its words together. `content.txt` has those that mean something in English.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from functools import cache
from importlib import resources

from ondevice.ground.words import folded, units_of

UNSPACED = ("ja", "ko", "th", "zh")
_FOLDER = resources.files("ondevice.memory") / "data" / "stop_words"


def _words_of_file(name: str) -> frozenset[str]:
    return frozenset(folded((_FOLDER / f"{name}.txt").read_text("utf-8")).split())


@cache
def _spaced() -> dict[str, frozenset[str]]:
    """Return the words by language, folded; a contraction is one word."""
    names = sorted(file.name.removesuffix(".txt") for file in _FOLDER.iterdir())
    return {name: _words_of_file(name) for name in names if len(name) == 2 and name not in UNSPACED}


@cache
def _shared() -> Counter[str]:
    """Return how many languages have each word."""
    return Counter(word for words in _spaced().values() for word in words)


@cache
def _english_content() -> frozenset[str]:
    return _words_of_file("content")


def languages_of(words: Sequence[str]) -> list[str]:
    """Return the language whose stop words `words` hold most, several if they are even, or none.

    A word counts the less the more languages have it, and half if it may as well be English.
    """
    shared = _shared()
    weights = {
        word: (0.5 if word in _english_content() else 1.0) / shared[word]
        for word in words
        if word in shared
    }
    scores = {
        language: sum(weights.get(word, 0.0) for word in words if word in stop)
        for language, stop in _spaced().items()
    }
    # One such word may be an English one; of several it is not likely.
    scores["en"] += max((weights.get(w, 0.0) for w in words if w in _english_content()), default=0)
    best = max(scores.values())
    return [language for language, score in scores.items() if best and score > best - 1e-9]


def stop_words(languages: Collection[str]) -> frozenset[str]:
    """Return the stop words of `languages`; of several only what means nothing in English."""
    found = frozenset[str]().union(*(_spaced()[language] for language in languages))
    return found - _english_content() if len(languages) > 1 else found


@cache
def contractions() -> frozenset[str]:
    """Return the stop words with an apostrophe, such as "don't"."""
    return frozenset(word for word in _shared() if "'" in word)


@cache
def _fillers() -> tuple[re.Pattern[str], frozenset[str]]:
    """Return what cuts a text without spaces, and the units that mean nothing by themselves."""
    words = frozenset[str]().union(*map(_words_of_file, UNSPACED))
    single = frozenset(word for word in words if len(units_of(word)) == 1)
    longest_first = sorted(words - single, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))), single


def without_fillers(word: str) -> list[str]:
    """Return what is left of a run of characters without spaces when its stop words are cut out."""
    return [part for part in _fillers()[0].split(word) if part]


def is_filler(term: str) -> bool:
    """Whether a term of such a script has no unit that means something by itself."""
    return all(unit in _fillers()[1] for unit in units_of(term))
