"""The words of a question that are worth looking up in the full-text index, and in which forms.

Stop words are left out: they fit everything and made a search over 100,000
memories six times slower.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

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


def language_of(query: str) -> str | None:
    """Return the language that the stop words of `query` tell, or None if they do not."""
    languages = languages_of(_words(query))
    return languages[0] if len(languages) == 1 else None


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


# How a word's ending is left off so that its beginning finds other forms of it and, in German or
# Dutch, what it is put together with. Porter's stems do that for English.
_ENDINGS = {
    "de": r"(?:e[mnrs]?|n|s)$",
    "nl": r"(?:en|e|s)$",
    "es": r"(?:[aeo]s?|s)$",
    "fr": r"(?:es?|s|x)$",
    "it": r"[aeio]$",
    "pt": r"(?:[aeo]s?|s)$",
}
_PUTS_TOGETHER = ("de", "nl", None)  # languages that write compounds in one word; None: not known
_SHORTEST = 4


def looked_up(terms: Sequence[str], language: str | None) -> list[str]:
    """Return what to look up for the terms of a question: a star stands for any letters."""
    found: dict[str, None] = {}
    for term in terms:
        if is_unspaced(term):
            found[term if len(units_of(term)) > 1 else f"{term}*"] = None
            continue
        found[term] = None
        beginning = _beginning(term, language)
        if beginning:
            found[f"{beginning}*"] = None
            if language in _PUTS_TOGETHER:
                found[f"*{term}"] = None
    return list(found)


def _beginning(term: str, language: str | None) -> str:
    """Return the part of a word that its other forms share, or nothing where that is too bold."""
    if language == "en" or term.isdigit() or len(term) < _SHORTEST:
        return ""
    if language in _ENDINGS:
        stem = re.sub(_ENDINGS[language], "", term)
        return stem if len(stem) >= _SHORTEST else term
    if language is None and term.isascii():
        return term
    return term[: max(_SHORTEST, len(term) - 2)]
