"""Facts about people, the questions for them, and wordings, in two halves.

What a reader learns with and what it is measured on share nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ondevice.learning.reader.statements import Attribute
from ondevice.learning.reader.tables import Table, read_table
from ondevice.learning.reader.words import Split

_SHARED = "@"  # before the name of a list of wordings that several families share


@dataclass(frozen=True)
class Topics:
    """What one half can say.

    Attributes:
        relations: of the user, such as "sister".
        attributes: what can be said about somebody.
        carriers: how a question may be wrapped.
        changes: how a note says that something is new.
        told: how the user says during a chat that something is so.
        told_changed: how they say that it has changed.
        noted: how the assistant answers that.
        alike: keys of attributes that say something about each other.
    """

    relations: tuple[str, ...]
    attributes: tuple[Attribute, ...]
    carriers: tuple[str, ...]
    changes: tuple[str, ...]
    told: tuple[str, ...]
    told_changed: tuple[str, ...]
    noted: tuple[str, ...]
    alike: tuple[frozenset[str], ...]


def _topics(name: str) -> Topics:
    file = read_table(name)
    shared = file.table("shared")
    families = (one for family in file.tables("families") for one in _family(family, shared))
    return Topics(
        relations=file.texts("relations"),
        attributes=(*families, *map(_fact, file.tables("facts"))),
        carriers=file.texts("carriers"),
        changes=file.texts("changes"),
        told=file.texts("told"),
        told_changed=file.texts("told_changed"),
        noted=file.texts("noted"),
        alike=file.groups("alike"),
    )


def _family(family: Table, shared: Table) -> Iterator[Attribute]:
    """Yield an attribute for each noun of a family."""
    nouns, kinds = family.table("nouns"), family.table("kinds")
    states, asks = (_wordings(family, shared, key) for key in ("states", "asks"))
    for noun in nouns.values:
        yield Attribute(
            key=noun + family.text("suffix", ""),
            kind=kinds.text(noun, family.values.get("kind")),
            states=tuple(text.replace("NOUN", noun) for text in states),
            asks=tuple(text.replace("NOUN", noun) for text in asks),
            hints=nouns.texts(noun),
            own=family.flag("own"),
        )


def _wordings(family: Table, shared: Table, key: str) -> tuple[str, ...]:
    return tuple(
        text
        for entry in family.texts(key)
        for text in (
            shared.texts(entry.removeprefix(_SHARED)) if entry.startswith(_SHARED) else (entry,)
        )
    )


def _fact(fact: Table) -> Attribute:
    return Attribute(
        key=fact.text("key"),
        kind=fact.text("kind"),
        states=fact.texts("states"),
        asks=fact.texts("asks"),
        hints=fact.texts("hints"),
        own=fact.flag("own"),
    )


TOPICS: dict[Split, Topics] = {"train": _topics("topics"), "test": _topics("held_out_topics")}
