"""The words and turns of phrase of a language, read from `languages/*.toml`.

A phrase is a pattern over words and classes of words: `"[on] {weekday}"`. `[x]` may be missing,
`(x|y)` is a choice, `{c}` is any word of a class. Behind a class `!` asks for a word that is
nothing but a time ("October", not "May"), `+` for one that is no common word as it is written
("March", not "march"). `~` asks that no noun follows ("on the 14th", not "on the 14th floor").
All patterns of a language become one tree, walked word by word.
"""

from __future__ import annotations

import functools
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from ondevice.memory.times.tokens import Token, tokens_of

LANGUAGES = ("en", "de", "es", "fr", "it", "pt", "nl", "pl", "ru", "tr", "zh", "ja")
_GROUP = re.compile(r"\[([^][()]*)\]|\(([^][()]*)\)")
_SLOT = re.compile(r"\{[a-z_]+[!+]?\}|~")
_SIGNS = re.compile(r"[][()|]")
_NUMBERED = ("weekday", "month", "season", "number", "ordinal")  # classes whose words have a value
_UNITS = ("unit", "period")  # any unit; those of which one is this, the last or the next

_LISTS = (
    "functions",
    "names",
    "common",
    "labels",
    "measures",
    "ends",
    "articles",
    "glue",
    "streets",
    "aims",
)
_EVERYWHERE = {"numeric": ["{date}"]}


@dataclass(slots=True)
class Node:
    """A place in the tree of patterns."""

    after: dict[str, Node] = field(default_factory=dict)
    meaning: tuple[str, ...] | None = None  # if a pattern ends here: "shift", "-1"


@dataclass(frozen=True, slots=True)
class Tense:
    """What tells in a language whether a clause speaks of what was or of what will be."""

    past: frozenset[str]
    past_like: re.Pattern[str] | None
    not_past: frozenset[str]
    future: frozenset[str]
    future_like: re.Pattern[str] | None
    either_like: re.Pattern[str] | None  # past or present
    cancels: frozenset[str]  # "will", "to", "is": a participle behind one is not past
    perfect: tuple[tuple[frozenset[str], re.Pattern[str], int], ...]
    joins: frozenset[str]


@dataclass(frozen=True, slots=True)
class Language:
    """A language as this module knows it."""

    code: str
    classes: Mapping[str, tuple[tuple[str, str], ...]]
    tree: Node
    after: Node  # what names a time only behind a prefix: "since 2019"
    prefixes: Node  # "until", "since"
    tails: Node  # "in the morning": belongs to the phrase and says no day
    tense: Tense
    functions: frozenset[str]
    names: frozenset[str]
    common: frozenset[str]
    labels: frozenset[str]  # "page": the number behind it is no date
    measures: frozenset[str]  # "people": nor is the number before it
    ends: frozenset[str]  # "to": between the ends of a range
    articles: frozenset[str]
    glue: frozenset[str]  # "of": between Tuesday and next week
    streets: frozenset[str]  # what is named after days
    aims: frozenset[str]  # "for": what is planned for a day is ahead
    settings: Mapping[str, str]
    folded: Mapping[str, str]

    def keys_of(self, token: Token) -> list[tuple[str, str]]:
        """Return the keys of the tree that a token answers to, with the values it gives."""
        word = self.folded.get(token.text, token.text)
        keys = [(word, "")]
        if token.kind == "number":
            keys += _number_keys(token)
        for name, value in self.classes.get(word, ()):
            keys.append((f"{{{name}}}", value))
            if name not in _NUMBERED:
                continue
            folded = word != token.text
            odd = token.capital and not token.opens and self.settings.get("capital") == "odd"
            shouted = word in self.common and (not token.capital or token.opens)
            if not shouted:
                keys.append((f"{{{name}+}}", value))
            if not (shouted or odd or folded or word in self.names or word in self.common):
                keys.append((f"{{{name}!}}", value))
        return keys


def _number_keys(token: Token) -> Iterator[tuple[str, str]]:
    value = int(token.text)
    if token.nth and value <= 31:
        yield "{nth}", str(value)
    if 1 <= value <= 31:
        yield "{day}", str(value)
    if 1 <= value <= 12:
        yield "{monthnumber}", str(value)
    if len(token.text) == 4 and 1800 <= value <= 2199:
        yield "{year}", str(value)
    if not token.nth and 1 <= value <= 999:
        yield "{number}", str(value)


def fold(word: str) -> str:
    """Return a word without its accents, as people type it."""
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))


@functools.cache
def language(code: str) -> Language:
    """Read a language.

    Raises:
        KeyError: There is none of that code.
    """
    data = _data(code)
    classes = _classes(data)
    tree = _tree(_EVERYWHERE)
    _grow_all(tree, data["patterns"])
    lists = {name: _set(data.get(name, "")) for name in _LISTS}
    return Language(
        code=code,
        classes=classes,
        tree=tree,
        after=_tree(data.get("after", {})),
        prefixes=_tree(data["relations"]),
        tails=_tree({"tail": data.get("tails", [])}),
        tense=_tense(data.get("tense", {})),
        settings=data.get("settings", {}),
        folded=_folded_of(data),
        **lists,
    )


def vocabulary(code: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the small words of a language, and the words of its phrases of time."""
    data = _data(code)
    return _set(data["functions"]), frozenset(_words(data) | _folded_of(data).keys())


@functools.cache
def _data(code: str) -> dict[str, Any]:
    if code not in LANGUAGES:
        raise KeyError(code)
    place = resources.files("ondevice.memory.times") / "languages" / f"{code}.toml"
    return tomllib.loads(place.read_text("utf-8"))


def _words(data: Mapping[str, Any]) -> set[str]:
    """Return all words of the classes and patterns."""
    patterns = " ".join(" ".join(written) for written in data["patterns"].values())
    plain = _SIGNS.sub(" ", _SLOT.sub(" ", patterns))
    return {*_classes(data), *(key for part in set(plain.split()) for key in _keys(part))}


def _folded_of(data: Mapping[str, Any]) -> dict[str, str]:
    return _folded(_words(data), _set(data["functions"]) | _set(data.get("unfolded", "")))


def _tree(patterns: Mapping[str, list[str]]) -> Node:
    """Return the tree of some patterns by their meaning."""
    tree = Node()
    _grow_all(tree, patterns)
    return tree


def _grow_all(tree: Node, patterns: Mapping[str, list[str]]) -> None:
    """Put patterns into a tree, by their meaning."""
    for meaning, written in patterns.items():
        for pattern in written:
            _grow(tree, pattern, tuple(meaning.split()))


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _classes(data: Mapping[str, dict[str, str]]) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return for every word the classes that it is in, and its value there."""
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    endings = data.get("settings", {}).get("weekday_endings", "").split()
    for table in (*_NUMBERED, *_UNITS):
        for value, words in data.get(table, {}).items():
            for word in words.split():
                compounds = [word + ending for ending in endings if table == "weekday"]
                for form in (word, *compounds):
                    found[form] = (*found.get(form, ()), (table, value))
    for name, words in data.get("classes", {}).items():
        for word in words.split():
            found[word] = (*found.get(word, ()), (name, word))
    return found


def _folded(words: set[str], taken: frozenset[str]) -> dict[str, str]:
    found = {}
    for word in words:
        umlauts = word.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue").replace("ß", "ss")
        for plain in (fold(word), umlauts):
            if plain != word and len(plain) > 3 and plain not in words and plain not in taken:
                found[plain] = word
    return found


@functools.cache
def expanded(pattern: str) -> tuple[tuple[str, ...], ...]:
    """Return every way to write a pattern without brackets, as keys of the tree."""
    group = _GROUP.search(pattern)
    if group is None:
        return (_keys(pattern),)
    before, after = pattern[: group.start()], pattern[group.end() :]
    choices = ["", *group[1].split("|")] if group[1] is not None else group[2].split("|")
    if _GROUP.search(before) or before.count("[") + before.count("("):
        # Nested: what is inside first.
        return tuple(w for choice in choices for w in expanded(f"{before} {choice} {after}"))
    heads, tails = _keys(before), expanded(after)
    return tuple((*heads, *_keys(choice), *tail) for choice in choices for tail in tails)


@functools.cache
def _keys(plain: str) -> tuple[str, ...]:
    keys: list[str] = []
    for part in plain.split():
        if part == "’s":  # of "Friday’s", which is a token of its own
            keys.append("'s")
        elif _SLOT.fullmatch(part):
            keys.append(part)
        else:
            keys += [token.text for token in tokens_of(part)]
    return tuple(keys)


def _grow(tree: Node, pattern: str, meaning: tuple[str, ...]) -> None:
    for plain in expanded(pattern):
        node = tree
        for key in plain:
            node = node.after.setdefault(key, Node())
        node.meaning = node.meaning or meaning  # what stands first in the file wins


def _tense(data: Mapping[str, str]) -> Tense:
    perfect = []
    for number in ("", "2"):
        if f"perfect_with{number}" in data:
            shape = re.compile(data[f"perfect_like{number}"])
            gap = int(data.get(f"perfect_gap{number}", "99"))
            perfect.append((_set(data[f"perfect_with{number}"]), shape, gap))
    written = {name: data.get(f"{name}_like") for name in ("past", "future", "either")}
    like = {name: re.compile(shape) if shape else None for name, shape in written.items()}
    return Tense(
        past=_set(data.get("past", "")),
        past_like=like["past"],
        not_past=_set(data.get("not_past", "")),
        future=_set(data.get("future", "")),
        future_like=like["future"],
        either_like=like["either"],
        cancels=_set(data.get("cancels", "")),
        perfect=tuple(perfect),
        joins=_set(data.get("joins", "")),
    )
