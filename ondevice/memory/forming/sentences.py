"""The sentences of a text that may be the person's own words about themselves.

Left out is what they did not write themselves or did not mean to say: code, quoted lines, blocks
between tags, mails and letters that were pasted, the lines that others have in a chat. A text is
cut at the ends of sentences, of whichever script, and at the ends of lines.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from ondevice.memory.whose import is_transcript, own_lines

MAX_CHARACTERS = 20_000  # of a text that are read; what is longer is no message of a person's
MAX_SENTENCES = 120  # of a text that are judged
MAX_LENGTH = 400  # characters of a sentence
MIN_LETTERS = 3


class Kind(Enum):
    """How a text came, which says whose words may stand in it."""

    TURN = "turn"  # typed or pasted into a chat with a model
    NOTE = "note"  # somebody's own note, with what they copied into it
    MESSAGE = "message"  # what they sent, to people or to other assistants


@dataclass(frozen=True)
class Sentence:
    """A sentence as it stands in a text.

    Attributes:
        text: without the mark of a list before it.
        before: the sentence before it in the same paragraph, which says who "he" is.
        pasted: it may be somebody else's: it stands below a salutation, in a note.
    """

    text: str
    before: str = ""
    pasted: bool = False

    @property
    def told(self) -> str:
        """The words that can be understood alone."""
        return (
            f"{self.before} {self.text}"
            if self.before and _STANDS_FOR.match(self.text)
            else (self.text)
        )


_FENCE = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_TAGGED = re.compile(r"<(?P<tag>[A-Za-z][\w-]*)(?:\s[^<>]*)?>.*?(?:</(?P=tag)>|\Z)", re.DOTALL)
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n.*?\n---[ \t]*(?:\n|\Z)", re.DOTALL)
_HEADING = re.compile(r"^[ \t]*#{1,6}[ \t]")
_TODO = re.compile(r"\[[ xX-]\]")
_BULLET = re.compile(r"(?:[-*+•–—·‣▪]|\d{1,3}[.)]|[a-z]\))[ \t]+")
_STAMP = re.compile(
    r"(?:\[?\d{1,4}[-./:]\d{1,2}(?:[-./:]\d{1,4})?(?:[ T,]+\d{1,2}[:.]\d{2})?\]?)[ \t:–-]*"
)
_ROW = re.compile(r"\s*\|.*\|\s*\Z|[\s|:=_*+-]+\Z")
_MARKUP = re.compile(r"[*_]{1,3}(?=\S)|(?<=\S)[*_]{1,3}(?!\w)|!?\[\[|\]\]|(?<=\])\([^()\s]*\)")
_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？])[」』”]?\s*")
_ABBREVIATED = re.compile(
    r"(?:\b(?:Dr|Mr|Mrs|Ms|St|Sr|Sra|Prof|z\.B|d\.h|e\.g|i\.e|ca|bzw|usw|Nr)|\b[A-ZÀ-Þ]|\d)\.\Z"
)
# "Dear Ms Weber,": a letter follows. A diary is addressed, too.
_SALUTATION = re.compile(
    r"(?:(?:dear|sehr geehrte[rs]?)(?! diary)(?: [^\s.?!:;,]{1,30}){1,5}[,:!]?|"
    r"(?:to whom|liebe[rs]?|querid[oa]s?|estimad[oa]s?|ch(?:er|ère)s?|madame|monsieur|car[oai]|"
    r"gentil[ei]|egregi[oa]|prezad[oa]|beste|geachte)(?! tagebuch| diario| journal)"
    r"(?: [^\s.?!:;,]{1,30}){1,5} ?[,:!])\Z",
    re.IGNORECASE,
)
# "Hi Ben,": so begins a mail, too.
_GREETING = re.compile(
    r"(?i:hi|hello|hey|hallo|hola|ciao|bonjour|salut|buongiorno|olá|good (?:morning|evening)|"
    r"guten (?:tag|morgen|abend)|buen[oa]s (?:días|tardes))"
    r"(?: [A-ZÀ-Þ][\w'’.-]{1,30}){1,3} ?[,:!]\Z"
)
_CLOSING = re.compile(
    r"(?:(?:best|kind|warm|many)?\s?(?:regards|wishes)|best|cheers|love|yours \w+|sincerely|"
    r"(?:mit )?\w*\s?(?:grüße?n?|gruß|grüsse)|lg|mfg|(?:un )?(?:abrazo|saludos?|beso)s?|"
    r"atentamente|"
    r"cordialement|bien à \w+|bises|amitiés|(?:cordiali|distinti) saluti|saluti|un abbraccio|baci)"
    r"(?: \w+){0,2}[,.!]?\Z",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"(?:from|to|cc|subject|date|sent|von|an|betreff|gesendet|datum|de|para|à|asunto|enviado|objet|"
    r"envoyé|da|a|oggetto|inviato)\s?:\s+\S.*\Z",
    re.IGNORECASE,
)
_ABOUT_ME = re.compile(
    r"\b(?:about (?:me|myself|us)|über mich|zu mir|zu meiner person|sobre mí|acerca de mí|"
    r"(?:sur|à propos de) moi|su di me|di me)\b",
    re.IGNORECASE,
)
# "Use the following context", "the text below": what comes then is not about who asks.
_POINTS_ON = re.compile(
    r"\b(?:following|as follows|below|folgend\w*|untenstehend\w*|siguientes?|a continuación|"
    r"suivante?s?|ci-dessous|seguent[ei]|qui sotto)\b",
    re.IGNORECASE,
)
# Programs put what is asked below what they have found for it.
_ASKED = re.compile(
    r"(?<=\n)\W{0,3}(?:question|query|frage|pregunta|domanda)\W{0,3}:", re.IGNORECASE
)
_PROGRAM = re.compile(r"^#{2,4} \w[^\n]*:?[ \t]*$", re.MULTILINE)
# A sentence that begins so is about what the one before it names.
_STANDS_FOR = re.compile(
    r"(?:he|she|it|they|his|her|its|their|er|sie|es|ihr|sein|seine|ihre|él|ella|ellos|ellas|"
    r"il|elle|ils|elles|lui|lei|loro)(?:['’]\w+)?\b",
    re.IGNORECASE,
)
_UNSPACED = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def sentences(text: str, kind: Kind) -> list[Sentence]:
    """Return the sentences of a text that are to be judged, in their order."""
    found: list[Sentence] = []
    for paragraph, pasted in _paragraphs(text[:MAX_CHARACTERS].replace("\r", ""), kind):
        before = ""
        for sentence in _cut(paragraph):
            if not _may_state(sentence):
                before = sentence if len(sentence) <= MAX_LENGTH else ""
                continue
            found.append(Sentence(sentence, before, pasted))
            before = sentence
            if len(found) == MAX_SENTENCES:
                return found
    return found


def own_text(text: str, kind: Kind) -> str:
    """Return what of a text the person said themselves, a line each."""
    plain = text[:MAX_CHARACTERS].replace("\r", "")
    return "\n".join(line for line, _ in _paragraphs(plain, kind))


def _paragraphs(text: str, kind: Kind) -> Iterator[tuple[str, bool]]:
    """Yield the lines that are the person's, and whether they may be pasted."""
    pasted = is_transcript(text)
    if kind is Kind.TURN and (pasted or len(_PROGRAM.findall(text)) > 1 or _ASKED.search(text)):
        return  # a talk with a model, or what a program asks for, with a title over each part
    text = _TAGGED.sub("\n", _FENCE.sub("\n", _FRONT_MATTER.sub("", text)))
    lines = [(whole, _bare(whole)) for whole in own_lines(text)]
    closed = any(_CLOSING.match(line) for _, line in lines)
    for whole, line in lines[: _mail_begins([line for _, line in lines])]:
        letter = not _CLOSING.match(line) and bool(
            _SALUTATION.match(line) or (closed and _GREETING.match(line))
        )
        if letter and kind is Kind.TURN:
            return  # what follows is whoever's
        pasted = pasted or (letter and kind is Kind.NOTE)
        if kind is not Kind.NOTE and line.endswith((":", "：")):
            if not _ABOUT_ME.search(line):
                return  # "Here is her letter:": what follows is a text to be worked on
            continue
        if kind is Kind.TURN and _POINTS_ON.search(line) and not _ABOUT_ME.search(line):
            return
        pasted = pasted or (kind is Kind.TURN and _GREETING.match(line) is not None)
        if line and not _HEADING.match(whole) and not _ROW.match(whole):
            yield line, pasted


def _mail_begins(lines: list[str]) -> int:
    """Return the number of the line with which a pasted mail's head begins, or of all lines."""
    head = [_HEADER.match(line) is not None for line in lines]
    found = (i for i, (one, other) in enumerate(itertools.pairwise(head)) if one and other)
    return next(found, len(lines))


def _bare(line: str) -> str:
    """Return a line without the marks of lists, days and emphasis around what it says."""
    line = line.strip()
    for mark in (_BULLET, _TODO, _STAMP, _BULLET):
        match = mark.match(line)
        if match:
            if mark is _TODO and match[0] == "[ ]":
                return ""  # what is still to be done
            line = line[match.end() :].lstrip()
    return " ".join(_MARKUP.sub("", line).split())


def _cut(paragraph: str) -> Iterator[str]:
    """Yield the sentences of a line; an abbreviation ends none."""
    start = 0
    for end in _END.finditer(paragraph):
        part = paragraph[start : end.start()]
        if _ABBREVIATED.search(part) and not part.endswith(("。", "！", "？")):
            continue
        if piece := paragraph[start : end.end()].strip():
            yield piece
        start = end.end()
    if piece := paragraph[start:].strip():
        yield piece


def _may_state(sentence: str) -> bool:
    """Whether a sentence has enough words, and not too many."""
    letters = sum(letter.isalpha() for letter in sentence)
    if letters < MIN_LETTERS or len(sentence) > MAX_LENGTH:
        return False
    return len(sentence.split()) > 1 or bool(_UNSPACED.search(sentence))
