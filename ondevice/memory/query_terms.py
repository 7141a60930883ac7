"""The words of a question that are worth looking up in the full-text index, and in which forms.

Stop words are left out: they fit everything and made a search over 100,000
memories six times slower.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ondevice.ground.words import folded, is_unspaced, pairs_of, units_of, words_in
from ondevice.memory.stop_words import (
    contractions,
    is_filler,
    languages_of,
    stop_words,
    without_fillers,
)

MAX_TERMS = 24
_CONTRACTION = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)+")


def query_terms(query: str) -> list[str]:
    """Return the folded words and numbers of `query` that are no stop words, each once.

    Of scripts that are written without spaces they are pairs of characters. A question of nothing
    but stop words gives an empty list.
    """
    words = _words(query)
    stop = stop_words(languages_of(words))
    terms: dict[str, None] = {}
    for word in words:
        if is_unspaced(word):
            parts = [term for part in without_fillers(word) for term in pairs_of(part)]
            terms.update(dict.fromkeys(term for term in parts if not is_filler(term)))
        elif word not in stop and (len(word) > 1 or word.isdigit()):
            terms[word] = None
    return list(terms)[:MAX_TERMS]


def asked_in(query: str) -> list[str]:
    """Return the language that the words of `query` tell, several if they are even, or none."""
    return languages_of(_words(query))


def _words(query: str) -> list[str]:
    """Return the folded words of a question; of contractions only stop words stay whole."""
    plain = folded(query.replace("’", "'"))
    words: list[str] = []
    done = 0
    for found in _CONTRACTION.finditer(plain):
        words += words_in(plain[done : found.start()])
        words += [found[0]] if found[0] in contractions() else words_in(found[0])
        done = found.end()
    return words + words_in(plain[done:])


# Other forms of a word, and in German or Dutch what it is put together with, are found by the share
# of its letters that it begins with; chosen on the tuned half of `benchmarks/multilingual_items`.
_SHARE = 0.6
_SHORTEST = 4
_PUTS_TOGETHER = {"de", "nl"}


def looked_up(terms: Sequence[str], languages: Collection[str]) -> list[str]:
    """Return what to look up for the terms of a question: a star stands for any letters.

    English needs nothing else: the index itself holds Porter's stems.

    Args:
        terms: of `query_terms`.
        languages: of `asked_in`.
    """
    found: dict[str, None] = {}
    for term in terms:
        if is_unspaced(term):
            found[term if len(units_of(term)) > 1 else f"{term}*"] = None
            continue
        found[term] = None
        if list(languages) == ["en"] or term.isdigit() or len(term) < _SHORTEST:
            continue
        # A word of Latin letters that no language is known of may be English: nothing is cut off.
        bold = not term.isascii() or (languages and "en" not in languages)
        compounds = not languages or not _PUTS_TOGETHER.isdisjoint(languages)
        length = max(_SHORTEST, round(len(term) * _SHARE)) if bold else len(term)
        found[f"{term[:length]}*"] = None
        if compounds:
            found[f"*{term}"] = None
    return list(found)
