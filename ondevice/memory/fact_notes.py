"""From a clause that a rule has matched to a note, and whether the note says all of it.

A note may leave out only what is known to be harmless. `Note.lost` holds every
word of the clause that neither the note carries nor the rule names: whatever it
is, it may limit or deny, so what was said is kept instead of the note.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace

from ondevice.memory.fact_rules import DIET, Rule
from ondevice.memory.fact_rules_de_es import NOUNS
from ondevice.memory.fact_subjects import (
    About,
    about_somebody,
    normal,
    place_kind,
    place_name,
)
from ondevice.memory.third_person import third_person

_TIME_GROUPS = ("t", "t_")  # a time or an addition: kept with its subject
# Other groups that a form of a group takes into account.
_HEEDED = {"taste": ("no", "neg"), "count": (), "counted": ("x",)}
_FIELD = re.compile(r"\{([^}]+)\}")
_REMARK = re.compile(r"[;:(]|,(?! \d{4}\b)")  # in a value: it may take back what was said
_WRONG_ARTICLE = re.compile(r"\b(is|has) a ([aeioáéíó](?!u)|u(?!ni|s))", re.IGNORECASE)
# In a value that stays German or Spanish within an English note: the note would be misread.
_FOREIGN_LIMIT = re.compile(
    r"\b(?:nicht|kein\w*|nie|niemals|kaum|nur|weder|selten|manchmal|fast|mehr|nichts|"
    r"no|nunca|jamás|apenas|casi|solo|sólo|tampoco|ni|nada|poco|sin)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Note:
    """What a rule makes of a clause.

    Attributes:
        text: the note, without its full stop where the rule has none.
        about: what it is about.
        lost: the words of the clause that the note does not carry.
        only_time: these say no more than when, or that it holds too.
    """

    text: str
    about: About
    lost: frozenset[str]
    only_time: bool


def note_of(rule: Rule, match: re.Match[str], *, foreign: bool) -> Note:
    """Return the note that `rule` makes of a clause that it has matched."""
    said = {name: (value or "").strip() for name, value in match.groupdict().items()}
    if not said.get("x"):
        said["x"] = said.get("y") or said.get("z") or ""
    groups = {name: third_person(value, named=True) for name, value in said.items()}
    text = _WRONG_ARTICLE.sub(r"\1 an \2", _filled(rule.note, groups))
    lost, only_time = _lost(rule, match, text)
    if foreign and _FOREIGN_LIMIT.search(said["x"]):
        lost, only_time = lost | {said["x"]}, False
    about = _about(rule, groups, said)
    remark = _REMARK.search(about.value if "|place" in rule.value else said["x"])
    about = replace(about, detail=normal(groups["x"]), loose=remark is not None)
    return Note(text, about, frozenset(lost), only_time)


def words_of(text: str) -> list[str]:
    """Return the words of a text, in small letters."""
    return re.findall(r"\w+(?:['-]\w+)*", text.lower())


def _lost(rule: Rule, match: re.Match[str], note: str) -> tuple[set[str], bool]:
    """Return the words in the groups of a match that are not in the note; only of times?"""
    translated = set()
    for field in _FIELD.findall(rule.note):
        name, _, form = field.partition("|")
        if form:
            translated |= {name, *_HEEDED.get(form, ())}
            if form == "taste" and (match[name] or "").lower() not in _PLAIN_TASTES:
                translated -= {"no", "neg"}  # who does not hate tea need not dislike or like it
    carried = Counter(words_of(note))
    lost: dict[str, set[str]] = {}
    for name, value in match.groupdict().items():
        if not value or name in translated:
            continue
        missing = Counter(words_of(third_person(value, named=True))) - carried
        if name == "v" and set(missing) <= {value.lower()} and f"{value.lower()}s" in carried:
            continue  # "like" is "likes" in the note
        if missing:
            lost[name] = set(missing)
    return set().union(*lost.values()), all(name in _TIME_GROUPS for name in lost)


def _about(rule: Rule, groups: dict[str, str], said: dict[str, str]) -> About:
    value = normal(_filled(rule.value, groups))
    if ":" in rule.subject:
        noun, _, attribute = rule.subject.partition(":")
        own_noun = said["n"] if noun == "{n}" else _filled(noun, groups)
        return about_somebody(own_noun, _filled(attribute, groups), value)
    return About("", normal(_filled(rule.subject, groups)), value, rule.denies)


def _filled(template: str, groups: dict[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name, _, form = match[1].partition("|")
        return _formed(groups, name, form) if form else groups[name]

    return " ".join(_FIELD.sub(value, template).split()).replace(" .", ".")


def _formed(groups: dict[str, str], name: str, form: str) -> str:
    """Return a group in one of the forms that the rules ask for."""
    text = groups[name]
    low = text.lower()
    if form == "capital":
        return text[:1].upper() + text[1:]
    if form == "sorted":  # "tea to coffee" and "coffee to tea" are the same question
        return " ".join(sorted(set(re.findall(r"\w+", low)) - {"to", "over", "than", "rather"}))
    if form == "kind":
        return "year" if low[:1].isdigit() else "place"
    if form == "home":
        return place_kind(text)
    if form == "place":
        return place_name(text)
    if form in ("noun", "counted"):
        return _noun(groups, name, counted=form == "counted")
    if form in ("taste", "polarity"):
        return _taste(groups, low, polarity=form == "polarity")
    return _word(low, form)


def _noun(groups: dict[str, str], name: str, *, counted: bool) -> str:
    text = groups[name]
    low = text.lower()
    noun = NOUNS.get(low, NOUNS.get(low.removesuffix("s"), text))
    if not counted or groups["x"].lower() in ("ein", "eine", "einen", "un", "una", "1"):
        return noun
    return {"child": "children"}.get(noun, noun.removesuffix("s") + "s")


def _taste(groups: dict[str, str], verb: str, *, polarity: bool) -> str:
    disliked = bool(groups.get("no") or groups.get("neg")) or verb in _DISLIKES
    if polarity:
        return "dislike" if disliked else "like"
    return "dislikes" if disliked else _TASTES.get(verb, "likes")


def _word(low: str, form: str) -> str:
    """Return a word of a closed list in the form that is asked for."""
    if form == "diet":
        return "vegan" if low.startswith("vegan") else _DIETS.get(low[:6], low)
    if form == "diet-kind":  # an intolerance holds beside a diet
        kind = _word(low.removeprefix("strict "), "diet")
        return "diet" if kind in _KINDS_OF_DIET else f"is {kind}"
    if form == "calling":  # a nurse who is a painter too has one job
        return f"is {low}" if _CALLING.search(low) else "job"
    if form == "status":
        word = _STATUS.get(low[:6], low)
        return "marital" if word in _MARITAL else word
    if form == "status-word":
        return _STATUS.get(low[:6], low)
    return _WORDS.get(low, low)


_CALLING = re.compile(
    r"(?:student|apprentice|artist|musician|photographer|painter|writer|composer|actor|actress|"
    r"coach|gardener|cook|historian|philosopher|sailor|tutor|illustrator)\Z"
)
_KINDS_OF_DIET = frozenset(
    word for word in DIET.split("|") if word.endswith("arian") or word == "vegan"
)
_DIETS = {"vegeta": "vegetarian", "celíac": "coeliac"}
_PLAIN_TASTES = {"mag", "gusta", "gustan"}  # whoever does not like something dislikes it
_DISLIKES = {"hasse", "odio", "detesto", "hate", "dislike", "detest", "loathe"}
_TASTES = {"liebe": "loves", "bevorzuge": "prefers", "prefiero": "prefers", "adoro": "loves"}
_WORDS = {
    "geboren": "born", "aufgewachsen": "raised", "esse": "eat", "trinke": "drink", "como": "eat",
    "bebo": "drink", "ein": "a", "eine": "a", "einen": "a", "zwei": "two", "drei": "three",
    "vier": "four", "un": "a", "una": "a", "dos": "two", "tres": "three", "cuatro": "four",
}  # fmt: skip
_MARITAL = {"married", "single", "divorced", "widowed", "engaged", "remarried"}
_STATUS = {
    "verhei": "married", "ledig": "single", "geschi": "divorced", "verwit": "widowed",
    "verlob": "engaged", "schwan": "pregnant", "linksh": "left-handed", "diabet": "diabetic",
    "arbeit": "unemployed", "pensio": "retired", "rentne": "retired", "casado": "married",
    "casada": "married", "solter": "single", "divorc": "divorced", "viudo": "widowed",
    "viuda": "widowed", "jubila": "retired", "embara": "pregnant", "zurdo": "left-handed",
    "zurda": "left-handed", "diabét": "diabetic", "promet": "engaged", "geheir": "married",
    "scheid": "divorced", "casé": "married",
}  # fmt: skip
