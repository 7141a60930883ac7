"""From "I live with my sister" to "The user lives with their sister", and back.

A small set of word rules, not a parser: enough for short statements, and a
sentence without "I" or "my" (or in another language) stays as it is.
"""

from __future__ import annotations

import re

_FIRST = re.compile(r"\b(?:I(?:'m|'ve|'ll|'d)?|[Mm]y|[Mm]yself|[Mm]ine)\b")
_I_IS = {"am": "is", "was": "was", "have": "has", "do": "does", "don't": "doesn't",
         "haven't": "hasn't", "go": "goes"}  # fmt: skip
_BASES = {"is": "am", "has": "have", "was": "was", "isn't": "am not", "doesn't": "don't",
          "hasn't": "haven't"}  # fmt: skip
_UNCHANGED_WORDS = """
    can can't cannot could couldn't may might must shall should shouldn't will won't would wouldn't
    was wasn't had hadn't did didn't used ought went got said bought saw met took made gave came
    knew thought found told left felt kept began heard held wrote read ran paid sold spent lost
    won grew broke chose drove ate drank fell flew forgot slept spoke stood swam taught wore built
    sent set put cut let hurt quit ain't"""
_ADVERB_WORDS = """
    a an bit little lot also always almost even ever just kind longer never no not now of
    often once only perhaps quite rather seldom sometimes somewhat soon sort still too very
    already yet maybe"""
_VERBS_IN_LY_WORDS = """
    ally apply bully comply dally fly imply multiply rally rely reply sally supply tally"""
_VERBS_IN_LY = frozenset(_VERBS_IN_LY_WORDS.split())
_UNCHANGED = frozenset(_UNCHANGED_WORDS.split())
_ADVERBS = frozenset(_ADVERB_WORDS.split())
# "im" and "ive", but not the German "Im Moment …", and "dont", "cant", "wont".
_TYPED_I_AM = re.compile(
    r"\A[Ii](m|ve)(?= [a-z])(?!.*\b(?:ich|wir|uns|meine?[mnr]?|er|sie|ist|sind|hat|habe|wird)\b)"
)
_TYPED_NOT = re.compile(
    r"\b(do|does|did|ca|could|wo|would|should|is|are|was|were|have|has|had|ai)nt\b"
)

USER = "the user"


def spelled(text: str) -> str:
    """Return an English statement with the "I" and the apostrophes that a hasty typist leaves out.

    Other text is returned unchanged.
    """
    text = _TYPED_I_AM.sub(r"I'\1", text)
    if not re.match(r"(?:i|my)\b", text, re.IGNORECASE):
        return text
    text = re.sub(r"\bi(?=\s|'(?:m|ve|ll|d)\b|\Z)", "I", text)
    return _TYPED_NOT.sub(r"\1n't", text)


def third_person(text: str, *, named: bool = False, who: str = USER) -> str:
    """Return an English first-person text as one about "the user"; other text unchanged.

    Args:
        text: a statement.
        named: "the user" stands before it already, so that "my" becomes "their".
        who: who says it, such as "Ben"; a name is repeated, because "their" could be anybody's.
    """
    text = text.replace("’", "'")
    if not _FIRST.search(text):
        return text
    words: list[str] = []
    after_i = False
    for token in re.findall(r"\w+(?:['-]\w+)*|\W+", text):
        if not token[0].isalnum() and token[0] != "_":
            words.append(token)
            continue
        replaced = _pronoun(token, named and who == USER, who)
        if replaced is not None:
            named = True
            words.append(replaced)
            after_i = token == "I"
        elif after_i:
            words.append(_verb(token))
            after_i = _is_adverb(token)
        else:
            words.append(token)
    return "".join(words)


def _pronoun(token: str, named: bool, who: str) -> str | None:
    """Return what stands for `token` in the third person, or None if it is no pronoun."""
    pronouns = {
        "I": who,
        "I'm": f"{who} is",
        "I've": f"{who} has",
        "I'll": f"{who} will",
        "I'd": f"{who} would",
        "my": "their" if named else f"{who}'s",
        "mine": "theirs" if named else f"{who}'s",
        "myself": "themselves",
        "me": "them" if named else who,
    }
    return pronouns.get(token if token.startswith("I") else token.lower())


def _is_adverb(token: str) -> bool:
    """Whether a word may stand between "I" and its verb: "hardly", "no longer"."""
    return token in _ADVERBS or (token.endswith("ly") and token not in _VERBS_IN_LY)


def _verb(token: str) -> str:
    """Return a verb that followed "I" as it follows "the user"."""
    if token in _I_IS:
        return _I_IS[token]
    if token in _UNCHANGED or _is_adverb(token) or token.endswith("ed"):
        return token
    if token.endswith(("s", "sh", "ch", "x", "z", "o")):
        return token + "es"
    if token.endswith("y") and token[-2:-1] not in "aeiou":
        return token[:-1] + "ies"
    return token + "s"


def first_person(text: str) -> str:
    """Return a note about "the user" as the person would say it; other text unchanged."""
    text = re.sub(r"\b[Tt]he user's\b", "my", text)
    return re.sub(r"\b[Tt]he user((?: [\w']+){1,4})", _first_person_words, text)


def _first_person_words(match: re.Match[str]) -> str:
    words = match[1].split()
    at = next((n for n, word in enumerate(words) if not _is_adverb(word)), None)
    if at is not None:
        words[at] = _BASES.get(words[at]) or _base(words[at])
        if words[at].startswith("am"):  # "I am never", where the note has "never is", too
            words.insert(0, words.pop(at))
    return " ".join(["I", *words])


def _base(verb: str) -> str:
    """Return a verb that followed "the user" as it follows "I"."""
    if verb in _UNCHANGED or not verb.endswith("s"):
        return verb
    if verb.endswith("ies"):
        return verb[:-3] + "y"
    if verb.endswith(("shes", "ches", "xes", "zes", "sses", "goes", "does")):
        return verb[:-2]
    return verb[:-1]


def sentence(text: str) -> str:
    """Return `text` with a capital letter at its start and a full stop at its end."""
    text = text.strip()
    if text and text[-1] not in ".!?…":
        text += "."
    return text[:1].upper() + text[1:]
