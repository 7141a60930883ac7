"""What a word is, for everything that compares texts by their words.

The full-text index, the questions that are put to it and the choice of what to forget all fold
letters and cut texts here. Scripts that are written without spaces have no words to be cut at:
there the terms are pairs of neighbouring characters, and a character that stands alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

PUT_TOGETHER = 11  # letters of a word that may end with another one

# Letters that no decomposition makes plain, and the digits of other scripts.
_LETTERS = {
    ord(letter): plain
    for letter, plain in zip(
        "ıøłđħŧæœðþŋ", ("i", "o", "l", "d", "h", "t", "ae", "oe", "d", "th", "n"), strict=True
    )
} | {
    zero + digit: str(digit)
    for zero in (0x660, 0x6F0, 0x966, 0x9E6, 0xE50, 0xED0, 0x1040, 0x17E0)
    for digit in range(10)
}

# Accents, vowel points of Arabic and Hebrew, and what is not seen at all. The marks of Indic
# and South-East Asian scripts and of Japanese stay: there they tell words apart.
_MARKS = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u20d0-\u20ff\u00ad\u200c\u200d\u2060\ufe00-\ufe0f]"
)

# Chinese, Japanese and Korean: Korean has spaces, but its words have endings.
_EAST = (
    "\u3005\u3007\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u312f\u31a0-\u31bf"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)
# Thai, Lao, Burmese, Khmer.
_SOUTH = (
    "\u0e01-\u0e2e\u0e30-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u0edc-\u0edf"
    "\u1000-\u103f\u1050-\u108f\u109a-\u109d\u1780-\u17d3\u17d7\u17dc\u17dd"
)
_UNSPACED = re.compile(f"[{_EAST}{_SOUTH}]")
_RUN = re.compile(f"([{_EAST}]+|[{_SOUTH}]+)")

# Vowel signs and tone marks are no word characters to `re`, nor are other marks inside a word.
_INDIC = "\u0900-\u0963\u0971-\u0fff\u1b00-\u1bff\ua880-\ua8ff\ua980-\ua9df\uabe3-\uabea"
_WORD = re.compile(f"(?:[^\\W_]|[{_INDIC}])+")

# A letter with everything that is written around it: a vowel before it, signs above and below,
# a second consonant under it (Khmer, Burmese), one that closes the syllable (Burmese).
_SIGN = (
    "\u0e30-\u0e3a\u0e45\u0e47-\u0e4e\u0eb0-\u0ebc\u0ec8-\u0ece\u102b-\u1038\u103a-\u103e"
    "\u1056-\u1059\u105e-\u1060\u1062-\u1064\u1067-\u106d\u1071-\u1074\u1082-\u108d\u108f"
    "\u109a-\u109d\u17b6-\u17d1\u17d3\u17dd"
)
_SYLLABLE = re.compile(
    f"[\u0e40-\u0e44\u0ec0-\u0ec4]?[^{_SIGN}]"
    f"(?:[\u1000-\u1021\u103f]\u103a|[\u17d2\u1039][^{_SIGN}]|[{_SIGN}])*|."
)


def folded(text: str) -> str:
    """Return `text` as it is compared: without capitals, accents and forms of the same letter.

    `É`, `é` and `e` with an accent of its own are `e`; `ß` is `ss`, `ø` is `o`, `ł` is `l`, all
    four of the Turkish `I İ ı i` are `i`; wide letters and digits of other scripts are plain.
    """
    if text.isascii():
        return text.lower()
    plain = _MARKS.sub("", unicodedata.normalize("NFKD", text)).casefold()
    return unicodedata.normalize("NFC", _MARKS.sub("", plain)).translate(_LETTERS)


def is_unspaced(word: str) -> bool:
    """Whether a word is of a script whose terms are pairs of characters."""
    return not word.isascii() and _UNSPACED.match(word) is not None


def words_in(text: str) -> list[str]:
    """Return the folded words of `text` in their order.

    A run of characters of a script that is written without spaces counts as one word.
    """
    text = folded(text)
    if text.isascii() or not _UNSPACED.search(text):
        return _WORD.findall(text)
    found: list[str] = []
    for part in _RUN.split(text):
        found += [part] if is_unspaced(part) else _WORD.findall(part)
    return found


def units_of(word: str) -> list[str]:
    """Return what a word of a script without spaces is made of: characters or syllables."""
    return list(word) if re.match(f"[{_EAST}]", word) else _SYLLABLE.findall(word)


def pairs_of(word: str) -> list[str]:
    """Return the terms of a word of a script without spaces: pairs, or the one unit it is."""
    units = units_of(word)
    return [a + b for a, b in pairwise(units)] or units


def index_text(text: str) -> str:
    """Return the terms that the full-text index keeps of `text`, with spaces between them.

    The last unit of a run stands there once more, alone: so every unit begins some term, and is
    found by its beginning. Long words stand there backward, too: so a word that they end with
    is found by its beginning as well, as "Termin" in "Zahnarzttermin".
    """
    return " ".join(_terms(text))


def backward(word: str) -> str:
    """Return a word as the index keeps it backward, with a sign that no word begins with."""
    return "←" + word[::-1]


def _terms(text: str) -> Iterator[str]:
    for word in words_in(text):
        if not is_unspaced(word):
            yield word
            if len(word) >= PUT_TOGETHER:
                yield backward(word)
            continue
        units = units_of(word)
        yield from (a + b for a, b in pairwise(units))
        yield units[-1]
