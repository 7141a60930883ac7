"""A text cut into words, numbers and signs, each with its place."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["word", "number", "date", "other", "sign"]
MAX_TOKENS = 8000  # of a text: what is longer comes in passages

# Han, kana: without spaces, so that every sign is a word of its own.
_EAST = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_LETTER = rf"[^\W\d_{_EAST}]"
_ENGLISH_END = r"['’](?:s|ll|d|ve|re|m|t)(?![\w'’])"
_TOKEN = re.compile(
    rf"(?P<number>\d{{1,12}}(?:[.,:/-]\d{{1,12}}){{0,6}})"
    rf"(?P<nth>(?:st|nd|rd|th|er|ère|ème|e|º|ª|°|o|a)(?![\w'’]))?"
    rf"|(?P<end>(?<=\w){_ENGLISH_END})"
    rf"|(?P<word>[{_EAST}]|{_LETTER}(?:{_LETTER}|[\u0300-\u036f])*(?:(?!{_ENGLISH_END})['’])?)"
    r"|(?P<sign>[^\s\w]|_)|(?P<more>\w)"
)
_DASHED = re.compile(r"(\d{1,2})-(\d{1,2})")
_BEFORE_PRICE = "$€£¥#+@&=*"
_AFTER_PRICE = "%€$£¥°"


@dataclass(frozen=True, slots=True)
class Token:
    """A word, number or sign; `text` in lower case, with one kind of apostrophe."""

    text: str
    start: int
    end: int
    kind: Kind
    capital: bool = False
    opens: bool = False  # the first word of a sentence, whose capital says nothing
    nth: bool = False  # "14th"


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of a text, at most `MAX_TOKENS`."""
    found: list[Token] = []
    opens = True
    last = 0
    for match in _TOKEN.finditer(text):
        opens = opens or "\n" in text[last : match.start()]
        last = match.end()
        for token in _of_match(text, match, opens):
            found.append(token)
            if token.kind == "word" or token.kind == "number":
                opens = False
            elif token.text in '.!?:"“„«(•…¿¡–—*':
                opens = True
        if len(found) >= MAX_TOKENS:
            break
    return found


def _of_match(text: str, match: re.Match[str], opens: bool) -> Iterator[Token]:
    start, end = match.span()
    number = match["number"]
    if number:
        yield from _number(text, number, start, end, bool(match["nth"]))
        return
    written = match[0]
    lower = unicodedata.normalize("NFC", written.lower()).replace("’", "'").replace("i̇", "i")
    word = match["word"] is not None or match["end"] is not None
    yield Token(lower, start, end, "word" if word else "sign", written[0].isupper(), opens)


def _number(text: str, number: str, start: int, end: int, nth: bool) -> Iterator[Token]:
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    latin = before.isalpha() and before < "\u3040"
    if latin or before in _BEFORE_PRICE or after in _AFTER_PRICE or before == "_":
        yield Token(text[start:end], start, end, "other")
        return
    dashed = _DASHED.fullmatch(number)
    if dashed:
        middle = start + dashed.end(1)
        yield Token(dashed[1], start, middle, "number")
        yield Token("-", middle, middle + 1, "sign")
        yield Token(dashed[2], middle + 1, end, "number", nth=nth)
    elif number.isdecimal():
        joined = after < "\u3040" and (after.isalpha() or after == "_")
        yield Token(number, start, end, "other" if joined else "number", nth=nth)
    else:
        yield Token(number, start, end, "date")
