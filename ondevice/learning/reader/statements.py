"""Statements and questions about somebody, in the voice that their place in the prompt asks for.

One template serves three voices. `{s}` stands for the person ("I"), `{m}` for
the person as an object ("me") and `{p}` for whose something is ("my"),
`[plays|play]` for a verb (third person, otherwise), `[is|am|are]` for one with three
forms, `{x}` for the value:

    "{s} [plays|play] the {x}."   notes   The user plays the cello.
                                  speech  I play the cello.
                                  answer  You play the cello.

The same template about a sister gives "The user's sister plays …", "My sister
plays …", "Your sister plays …".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Voice = Literal["note", "speech", "answer"]

_VERB = re.compile(r"\[([^\]|]+)\|([^\]|]+)(?:\|([^\]|]+))?\]")
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeioAEIO])")


@dataclass(frozen=True)
class Owner:
    """Whom a fact is about: the user, a relation of theirs, or somebody by name.

    `relation` is a word such as "sister", `name` one such as "Ines"; without either it is the user.
    """

    relation: str = ""
    name: str = ""

    @property
    def is_user(self) -> bool:
        """Whether it is the user."""
        return not (self.relation or self.name)

    def subject(self, voice: Voice) -> str:
        """Return the person as a subject: "the user", "my sister", "Ines"."""
        if self.name:
            return self.name
        if self.relation:
            return f"{_USER[voice][1]} {self.relation}"
        return _USER[voice][0]

    def object(self, voice: Voice) -> str:
        """Return the person as an object: "the user", "me", "my sister"."""
        return "me" if self.is_user and voice == "speech" else self.subject(voice)

    def possessive(self, voice: Voice) -> str:
        """Return whose: "the user's", "my sister's", "Ines's"."""
        return _USER[voice][1] if self.is_user else f"{self.subject(voice)}'s"


_USER: dict[Voice, tuple[str, str]] = {
    "note": ("the user", "the user's"),
    "speech": ("I", "my"),
    "answer": ("you", "your"),
}


@dataclass(frozen=True)
class Attribute:
    """Something that can be said about a person, and asked.

    Attributes:
        key: what it is, unique within its half.
        kind: where its values come from, see `words.value`.
        states: templates that state it.
        asks: templates that ask for it.
        hints: questions that need it without naming it; about the user.
        own: only the user has it; else it may be said of others too.
    """

    key: str
    kind: str
    states: tuple[str, ...]
    asks: tuple[str, ...]
    hints: tuple[str, ...] = ()
    own: bool = False


def fill(
    template: str, owner: Owner, voice: Voice, value: str = "", *, capital: bool = True
) -> str:
    """Return `template` about `owner` in `voice`, usually with a capital letter at its start."""
    first = owner.is_user and voice == "speech"
    second = owner.is_user and voice == "answer"

    def verb(match: re.Match[str]) -> str:
        third, other, you = match.groups()
        return (you or other) if second else other if first else third

    text = _VERB.sub(verb, template)
    text = text.replace("{s}", owner.subject(voice)).replace("{p}", owner.possessive(voice))
    text = text.replace("{m}", owner.object(voice))
    text = _ARTICLE.sub(r"\1n ", text.replace("{x}", value))
    return text[:1].upper() + text[1:] if capital else text
