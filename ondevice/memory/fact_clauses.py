"""How a turn is cut into sentences and clauses that can each be read by itself.

Which parts are left out without loss is decided here: greetings, fillers,
quotations and what is not about the person. What stands beside a clause and
depends on it ("in theory, …", "…, but not really") stays with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

MAX_SENTENCE = 600  # characters; what is longer is no sentence of a chat
MAX_CLAUSES = 12  # of a sentence; what has more is a list of something

_QUOTED = re.compile(
    r'"[^"\n]*"|“[^”\n]*”|„[^“”\n]*[“”]|«[^»\n]*»|`[^`\n]*`|(?<!\w)\'[^\'\n]*\'(?!\w)'
)
_CODE = re.compile(r"```.*?(?:```|\Z)|^[ \t]*>.*?$", re.DOTALL | re.MULTILINE)
SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|\n+")
_CLAUSE_END = re.compile(
    r"\s*(?:[;,]\s+(?:and|but|so|also|und|aber|y|pero)\s+|[;]\s*|\s[–—-]\s|[,]\s+"
    r"(?=(?:i|i'm|i’m|my|ich|meine?|yo|mi|soy|tengo|vivo|trabajo|me)\b)|"
    r"\s(?:and|but|so|because|since|und|aber|weil|denn|y|pero|porque)\s+"
    r"(?=(?:i|i'm|i’m|my|ich|meine?|yo|mi|soy|tengo|vivo|trabajo|me|work (?:as|at|for)|live in|"
    r"arbeite|wohne|lebe|spreche|esse|studiere)\b))",
    re.IGNORECASE,
)
_BARE_VERB = re.compile(
    r"(?:work|live|play|speak|study|love|like|hate|prefer|enjoy|drive|don't|have|arbeite|wohne|lebe|"
    r"spreche|spiele|mag|liebe|hasse|esse|studiere|habe|bin)\b",
    re.IGNORECASE,
)
# One of these anywhere in a sentence: it is a wish, a condition, or somebody else's words.
HYPOTHETICAL = re.compile(
    r"\b(?:if|unless|suppose|supposing|imagine|pretend(?:ing)?|as though|in case|whether|maybe|"
    r"perhaps|would|wish|let'?s say|hypothetically|say that i|said|says|told|tells|thinks? i|"
    r"thought|claims?|wrote|writes|falls|wenn|vielleicht|angenommen|würde|hätte|wäre|stell dir|"
    r"sagte?|meinte?|behauptet|ob|quizás|tal vez|ojalá|imagina|supón|dijo|dice|fuera)\b"
    r"|\A(?:si|when|were)\b",
    re.IGNORECASE,
)
# A turn that begins with one of these is about a text, not about the person.
TASK = re.compile(
    r"\A\W*(?:(?:please|can you|could you|bitte|kannst du|por favor|puedes)\s+)*"
    r"(?:translate|rewrite|rephrase|paraphrase|proofread|correct|fix|summari[sz]e|edit|"
    r"roleplay|role-play|act as|"
    r"you are|write|complete|continue|explain|übersetze?|korrigiere?|schreibe?|fasse?|"
    r"traduce|corrige|resume|escribe)\b",
    re.IGNORECASE,
)
REMEMBER = re.compile(
    r"\A(?:please |can you |bitte |por favor,? )?(?:remember|keep in mind|note|don'?t forget|"
    r"merke? dir|denk daran|vergiss nicht|recuerda|no olvides|ten en cuenta)"
    r"(?: this| das| esto)?(?:[,:]?\s+(?:that|dass|que)\s+|\s*[:,]\s*|\s+(?=my\b|i\b))",
    re.IGNORECASE,
)
LEAD = re.compile(
    r"\A(?:(?:hi|hello|hey|hallo|hola|well|oh|ok|okay|yes|yeah|no(?=[,.!])|nope|sure|thanks|"
    r"thank you|and|but|so|also|btw|fyi|by the way|actually|anyway|just so you know|"
    r"for the record|honestly|great|nice|cool|perfect|right|alright|sorry|wow|ah|hmm|oh|"
    r"to be honest|there|because|then|plus|ja|nein|und|aber|übrigens|weil|sí|bueno|pues|y|"
    r"super|genial|vale|claro|danke|perdón|entschuldigung|"
    r"pero|además|por cierto|gracias|in fact|as you know|good (?:morning|evening|afternoon))"
    r"\b[\s,!.:–—-]*)+",
    re.IGNORECASE,
)
# What may end a clause without saying anything, and what says when, or that it holds too.
TAIL = re.compile(
    r"[\s,]+(?:by the way|btw|please|haha|lol|anyway|you know|actually|übrigens|por cierto|"
    r":\)|;\)|:d)\Z",
    re.IGNORECASE,
)
_TIME_TAIL = re.compile(
    r"(?<!\bfor)(?<!\bpor)[\s,]+(?:too|as well|now|these days|at the moment|right now|currently|"
    r"again|auch|gerade|jetzt|también|ahora)\Z",
    re.IGNORECASE,
)
GREETED_NAME = re.compile(
    r"\A(?:hi|hello|hey|hallo|hola)\b.{0,12}?[,!.]?\s*(?:i am|i'm|ich bin|soy)\s+"
    r"(?P<x>(?-i:[A-ZÀ-Þ])[\w'’-]+)\Z",
    re.IGNORECASE,
)
# Where a value ends and a remark begins: one that only explains, or one that may limit.
_REASON = re.compile(
    r"(?:,? (?:because|since|which|who|where|so that|weil|da|porque|ya que|que)\b).*\Z",
    re.IGNORECASE,
)
_REMARK = re.compile(
    r"(?:,|\s(?:but|although|though|while|unless|until|aber|obwohl|aunque|pero)\b|\s\().*\Z",
    re.IGNORECASE,
)
# A clause that says something of its own begins with its subject.
_OWN_SUBJECT = re.compile(
    r"(?:i|i'm|im|i've|i'd|my|we|our|you|your|he|she|it|it's|they|his|her|their|the|a|an|this|"
    r"that|that's|these|there|ich|meine?|wir|du|er|sie|es|das|der|die|ein|eine|yo|mi|mis|él|"
    r"ella|el|la|los|las|un|una)\b",
    re.IGNORECASE,
)
_CONTRAST = re.compile(r"\b(?:but|aber|pero)\b|;|\s[–—-]\s", re.IGNORECASE)
_ADDED = re.compile(r"\b(?:and|und|y)\b", re.IGNORECASE)
_SHORT = 3  # words of a clause such as "I think", which speaks of the one before
CORRECTION = re.compile(
    r"\A\W*(?:sorry|i mean|i meant|correction|no,? wait|wait|scratch that|oops|entschuldigung|"
    r"ich meine|korrektur|perdón|quiero decir|perdona)\b",
    re.IGNORECASE,
)


def lines_of(turn_text: str) -> Iterator[str]:
    """Yield the sentences of a turn that may state something about its author."""
    if TASK.match(turn_text):
        return
    text = _CODE.sub("\n", turn_text.replace("’", "'"))
    for whole in SENTENCE_END.split(text):
        if len(whole) > MAX_SENTENCE:
            continue
        # A quotation stands for nothing that could match. Of a row of spaces one is enough: the
        # expressions would look at each of them again and again.
        line = _QUOTED.sub("“…”", re.sub(r"\s+", " ", whole)).strip()
        if line and "?" not in line and "¿" not in line:
            yield line


def clauses_of(line: str) -> list[tuple[str, str]]:
    """Return the clauses of a sentence, each after what stands between it and the one before."""
    clauses: list[tuple[str, str]] = []
    between, start, speaker = "", 0, ""
    ends = [(end.start(), end.end()) for end in _CLAUSE_END.finditer(line)]
    if len(ends) >= MAX_CLAUSES:
        return []
    for stop, go_on in [*ends, (len(line), len(line))]:
        clause = line[start:stop]
        first = clause.split(" ", 1)[0].lower()
        if first in ("i", "ich"):
            speaker = first
        elif speaker and _BARE_VERB.match(clause):  # "I live in X and work as Y"
            clause = f"{speaker} {clause}"
        clauses.append((between, clause))
        between, start = line[stop:go_on], go_on
    return clauses


def with_neighbours(
    clauses: Sequence[tuple[str, str]], told: Sequence[bool], number: int
) -> str | None:
    """Return a clause with those that depend on it; None if there are none.

    Args:
        clauses: of a sentence, as `clauses_of` gives them.
        told: which of them state a fact of their own.
        number: of the clause.
    """
    first, last = number, number
    if number and not told[number - 1] and _hangs_on_next(clauses, number):
        first = number - 1
    while last + 1 < len(clauses) and not told[last + 1] and _hangs_on(clauses[last + 1]):
        last += 1
    if first == last:
        return None
    parts = [clauses[first][1]]
    for between, clause in clauses[first + 1 : last + 1]:
        parts += [between, clause]
    return LEAD.sub("", "".join(parts).strip(), count=1)


def _hangs_on_next(clauses: Sequence[tuple[str, str]], number: int) -> bool:
    """Whether what stands before a clause belongs to it: "in theory, I live in Rome"."""
    before = LEAD.sub("", f"{clauses[number - 1][1]} ", count=1).strip()
    only_a_comma = clauses[number][0].strip() == ","
    return only_a_comma and bool(before) and not _OWN_SUBJECT.match(before)


def _hangs_on(following: tuple[str, str]) -> bool:
    """Whether a clause belongs to the one before: "… but not really", "…, I think".

    "… and I ski" says something beside it.
    """
    between, clause = following
    if not _OWN_SUBJECT.match(clause):
        return True
    if _ADDED.search(between):
        return False
    return len(clause.split()) <= _SHORT or (
        _CONTRAST.search(between) is not None and ";" not in between
    )


def without_tails(clause: str) -> tuple[str, bool]:
    """Return a clause without what ends it idly, and whether a time or an addition is among it."""
    shorter = TAIL.sub("", clause)
    core = _TIME_TAIL.sub("", shorter)
    return TAIL.sub("", core), core != shorter


def forms_of(clause: str) -> Iterator[tuple[str, str]]:
    """Yield a clause whole, and without a remark at its end, and what that remark does."""
    yield clause, ""
    for pattern, does in ((_REASON, "explains"), (_REMARK, "limits")):
        shorter = pattern.sub("", clause, count=1)
        if shorter != clause:
            yield shorter, does
