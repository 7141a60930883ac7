"""Storing what was drawn from texts: once each, with its origin, in the order in which it was said.

What is remembered already in the same words is confirmed by the text instead. A statement that
makes an older one untrue replaces it; one that a newer statement has made untrue before it was
drawn, as from an old diary, is stored as no longer true.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ondevice.memory.facts import candidate_for, replaces
from ondevice.memory.kept import Kept
from ondevice.memory.third_person import spelled, third_person
from ondevice.store.records import ANY_SCOPE, Fact, Passage, Turn

if TYPE_CHECKING:
    import numpy as np

    from ondevice.memory.forming.form import Formed
    from ondevice.store.profile import Profile
    from ondevice.store.vectors import Embedded

_WORDS = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


Embed = Callable[[Sequence[str], "Mapping[str, np.ndarray]"], "Embedded"]


@dataclass(frozen=True)
class Found:
    """A statement and the text that it was drawn from."""

    formed: Formed
    record: Passage | Turn


class Keeper:
    """Stores statements; it knows those that are there, so use one for one run only."""

    def __init__(self, profile: Profile, embed: Embed) -> None:
        """Read what is remembered.

        Args:
            profile: where to.
            embed: makes the vectors that are stored of texts, and takes those that are known.
        """
        self._profile, self._embed = profile, embed
        self._same: dict[tuple[str | None, str], Fact] = {}
        self._by_word: dict[tuple[str | None, str], dict[str, Fact]] = defaultdict(dict)
        for fact in profile.facts.all(scope=ANY_SCOPE):
            self._note(fact)

    def keep(self, found: Sequence[Found]) -> list[Kept]:
        """Store statements, each with what it has replaced, in one transaction."""
        ordered = sorted(found, key=lambda one: (one.record.time, one.record.id))
        new = [one for one in ordered if not one.formed.ending or self._denied(one)]
        known = {one.formed.candidate.text: one.formed.vector for one in new}
        vectors = self._embed(
            [one.formed.candidate.text for one in new],
            {text: vector for text, vector in known.items() if vector is not None},
        )
        with self._profile.transaction():
            return [
                kept
                for row, one in enumerate(new)
                if (kept := self._keep(one, vectors.some([row]))) is not None
            ]

    def _denied(self, found: Found) -> bool:
        """Whether something is remembered that a denial ends."""
        return bool(list(self._conflicts(found.formed, found.record)))

    def _keep(self, found: Found, vector: Embedded) -> Kept | None:
        formed, record = found.formed, found.record
        candidate = formed.candidate
        same = self._same.get((record.scope, in_same_words(candidate.text)))
        if same is not None and (same.state != "superseded" or _was_true(same, record.time)):
            return self._confirm(same, formed, record)
        conflicts = list(self._conflicts(formed, record)) if formed.state == "active" else []
        older = [fact for fact in conflicts if fact.time <= record.time]
        newer = [fact for fact in conflicts if fact.time > record.time]
        fact = self._profile.facts.add(
            candidate.text,
            category=candidate.category,
            subject=candidate.subject,
            state="superseded" if newer else formed.state,
            source_id=record.source_id,
            scope=record.scope,
            pinned=any(one.pinned for one in older),
            learn=record.learn,
            supersedes=[one.id for one in older],
            vector=vector,
            time=record.time,
            valid_to=min((one.valid_from for one in newer), default=None),
            origin=record.id,
        )
        for one in older:
            self._renew(one)
        self._note(fact)
        return Kept(fact, tuple(older))

    def _confirm(self, same: Fact, formed: Formed, record: Passage | Turn) -> Kept:
        self._profile.facts.confirm(same.id, record.id)
        if same.state == "pending" and formed.state == "active":
            self._profile.facts.approve(same.id)
        return Kept(self._renew(same), is_new=False)

    def _renew(self, fact: Fact) -> Fact:
        """Know a fact as it is now."""
        known = self._profile.get(fact.id)
        assert isinstance(known, Fact)
        self._drop(fact)
        self._note(known)
        return known

    def _conflicts(self, formed: Formed, record: Passage | Turn) -> Iterator[Fact]:
        """Yield the active facts that cannot be true together with a statement."""
        candidate = formed.candidate
        if formed.as_said:
            return
        words = (candidate_for(candidate.text).subject or "").split()
        near = {
            fact.id: fact for word in words for fact in self._by_word[record.scope, word].values()
        }
        for fact in sorted(near.values(), key=lambda one: one.id):
            if replaces(candidate.text, fact.text):
                yield fact

    def _note(self, fact: Fact) -> None:
        key = (fact.scope, in_same_words(fact.text))
        held = self._same.get(key)
        if held is None or held.state == "superseded" or fact.state == "active":
            self._same[key] = fact
        if fact.state == "active":
            for word in (fact.subject or "").split():
                self._by_word[fact.scope, word][fact.id] = fact

    def _drop(self, fact: Fact) -> None:
        for word in (fact.subject or "").split():
            self._by_word[fact.scope, word].pop(fact.id, None)
        key = (fact.scope, in_same_words(fact.text))
        if self._same.get(key) is not None and self._same[key].id == fact.id:
            del self._same[key]


def in_same_words(text: str) -> str:
    """Return a text so that others which differ in signs, letter case or "I'm" are the same."""
    plain = third_person(spelled(text.replace("’", "'")))
    return " ".join(_WORDS.findall(plain.casefold()))


def _was_true(fact: Fact, time: float) -> bool:
    """Whether a fact that was replaced had not been yet at a time."""
    return fact.valid_to is not None and time <= fact.valid_to
