"""What somebody has told about themselves, and how it stands in a prompt.

Prompts are built by the very functions that the assistant uses, from facts and
memories as the profile and recall would give them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ondevice.learning.reader import words
from ondevice.learning.reader.preferences import DISLIKES, LIKES, LIMITS, TASTES, Limit, Taste
from ondevice.learning.reader.requests import ORDER_WORDS, ORDERS, PASSAGES
from ondevice.learning.reader.statements import Attribute, Owner, Voice, fill
from ondevice.learning.reader.topics import TOPICS
from ondevice.learning.reader.words import Split
from ondevice.memory.persona import build_prefix, build_turn
from ondevice.memory.search import Hit
from ondevice.memory.transcript import Transcript
from ondevice.store.records import Fact

CountTokens = Callable[[str], int]
NO_LIMIT = 1 << 20  # tokens; how much a prompt may have is decided where dialogues are made


@dataclass(frozen=True)
class Statement:
    """One thing that is so, about the user or somebody else."""

    attribute: Attribute
    owner: Owner
    value: str
    template: str

    @property
    def place(self) -> tuple[str, Owner]:
        """What it is about; two statements about the same contradict each other."""
        return self.attribute.key, self.owner

    @property
    def note(self) -> str:
        """The statement as recall keeps it."""
        return fill(self.template, self.owner, "note", self.value)

    @property
    def speech(self) -> str:
        """The statement as the user says it."""
        return fill(self.template, self.owner, "speech", self.value)

    @property
    def answer(self) -> str:
        """The statement as the assistant says it."""
        return fill(self.template, self.owner, "answer", self.value)

    @property
    def plain(self) -> str:
        """The statement as the assistant says it, in the plainest wording."""
        return fill(self.attribute.states[0], self.owner, "answer", self.value)


@dataclass(frozen=True)
class Preference:
    """A taste or a limit of the user's: what is said, and suggestions that fit and do not."""

    note: str
    speech: str
    requests: tuple[str, ...]
    good: tuple[str, ...]
    bad: tuple[str, ...]
    key: str


@dataclass
class Memories:
    """Notes beside a turn, as `Hit` records; ids count up."""

    items: list[Hit] = field(default_factory=list)

    def add(self, text: str, kind: str) -> None:
        """Add a note of the kind "fact", "turn" or "passage"."""
        role = "user" if kind == "turn" else None
        number = len(self.items)
        self.items.append(Hit(f"m{number:03d}", text, 1.0, None, float(number), kind, role=role))


class Maker:
    """Makes statements, preferences and prompts of one half, from one source of chance."""

    def __init__(self, split: Split, rng: random.Random) -> None:
        """Make things of the half `split`."""
        self.split: Split = split
        self.rng = rng
        self.topics = TOPICS[split]

    def owner(self) -> Owner:
        """Return whom a fact is about: mostly the user."""
        chance = self.rng.random()
        if chance < 0.7:
            return Owner()
        if chance < 0.9:
            return Owner(relation=self.rng.choice(self.topics.relations))
        return Owner(name=self.rng.choice(words.POOLS["person"][self.split]))

    def place(
        self, taken: Iterable[tuple[str, Owner]], owner: Owner | None = None
    ) -> tuple[Attribute, Owner]:
        """Return something to say that `taken` says nothing about, perhaps about an `owner`."""
        closed = set(taken)
        while True:
            who = owner or self.owner()
            what = self.rng.choice(self.topics.attributes)
            if self.may_be_said(what, who) and not any(
                (key, who) in closed for key in self.alike(what.key)
            ):
                return what, who

    def same_of_another(
        self, known: Sequence[Statement], also_taken: Iterable[tuple[str, Owner]] = ()
    ) -> tuple[Attribute, Owner] | None:
        """Return what is known of one person, and another one of whom nothing like it is known."""
        taken = {*also_taken, *(s.place for s in known)}
        for _ in range(8):
            what, who = self.rng.choice(known).attribute, self.owner()
            if self.may_be_said(what, who) and not any(
                (key, who) in taken for key in self.alike(what.key)
            ):
                return what, who
        return None

    @staticmethod
    def may_be_said(what: Attribute, who: Owner) -> bool:
        """Whether `what` makes sense for `who`: not "my sister's sister"."""
        if what.own and not who.is_user:
            return False
        return not (who.relation and who.relation in what.key)

    def alike(self, key: str) -> set[str]:
        """Return the keys of all that says something about `key`, itself included."""
        return {key}.union(*(group for group in self.topics.alike if key in group))

    def statement(self, what: Attribute, who: Owner, *, unlike: str = "") -> Statement:
        """Return a statement about `what` of `who`, with another value than `unlike`."""
        while True:
            value = words.value(what.kind, self.split, self.rng)
            if value != unlike:
                return Statement(what, who, value, self.rng.choice(what.states))

    def world(self, n: int) -> list[Statement]:
        """Return `n` statements about different things; no two share a value."""
        found: list[Statement] = []
        values: set[str] = set()
        while len(found) < n:
            one = self.statement(*self.place(s.place for s in found))
            if one.value not in values and one.owner.name not in values:
                values |= {one.value, one.owner.name} - {""}
                found.append(one)
        return found

    def question(self, one: Statement) -> str:
        """Return a direct question for it."""
        return self.carried(
            fill(self.rng.choice(one.attribute.asks), one.owner, "speech"), one.owner
        )

    def carried(self, question: str, owner: Owner) -> str:
        """Return the question as part of what somebody writes."""
        carrier = self.rng.choice(self.topics.carriers)
        keep = question.startswith(("I ", *((owner.name,) if owner.name else ())))
        low = question if keep else question[:1].lower() + question[1:]
        return carrier.replace("{q}", low).replace("{Q}", question)

    def filled(self, templates: Sequence[str], one: Statement, voice: Voice) -> str:
        """Return one of `templates` around the statement in the voice "note" or "speech"."""
        text = fill(one.template, one.owner, voice, one.value)
        inner = fill(one.template, one.owner, voice, one.value, capital=False)
        answer = fill(one.template, one.owner, "answer", one.value, capital=False)
        template = self.rng.choice(list(templates))
        return (
            template.replace("{new_}", inner).replace("{new}", text)
            .replace("{answer_}", answer).replace("{answer}", one.answer)
        )  # fmt: skip

    def taste(self, what: Taste) -> Preference:
        """Return a liking or dislike of the user's."""
        kind, *others = self.rng.sample(sorted(what.kinds), len(what.kinds))
        likes = self.rng.random() < 0.7
        template = self.rng.choice((LIKES if likes else DISLIKES)[self.split])
        template = template.replace("{k}", kind).replace("{o}", others[0])
        rest = tuple(example for other in others for example in what.kinds[other])
        good, bad = (what.kinds[kind], rest) if likes else (rest, what.kinds[kind])
        you = Owner()
        return Preference(
            fill(template, you, "note"), fill(template, you, "speech"), what.requests, good, bad,
            what.key,
        )  # fmt: skip

    def limit(self, what: Limit) -> Preference:
        """Return a limit of the user's."""
        template, you = self.rng.choice(what.states), Owner()
        return Preference(
            fill(template, you, "note"), fill(template, you, "speech"), what.requests, what.good,
            what.bad, what.key,
        )  # fmt: skip

    def preferences(self, n: int) -> list[Preference]:
        """Return `n` preferences in different matters."""
        matters: list[Taste | Limit] = [*TASTES[self.split], *LIMITS[self.split]]
        chosen = self.rng.sample(matters, n)
        return [self.taste(m) if isinstance(m, Taste) else self.limit(m) for m in chosen]

    def order(self) -> tuple[str, str]:
        """Return a text that gives an order, and the word that shows it was followed."""
        word = self.rng.choice(ORDER_WORDS[self.split])
        return self.rng.choice(ORDERS[self.split]).replace("{w}", word), word

    def passage(self) -> str:
        """Return a note that does not matter."""
        return self.rng.choice(PASSAGES[self.split])


def prefix_of(
    notes: Sequence[str], count_tokens: CountTokens, budget: int = NO_LIMIT
) -> str | None:
    """Return the prefix with `notes`, oldest first, as the assistant would build it."""
    facts = [
        Fact(
            id=f"f{number:03d}", text=text, category="other", subject=None, state="active",
            source_id=None, time=float(number), valid_from=float(number), valid_to=None,
            pinned=False, scope=None, learn=True, expires=None,
        )
        for number, text in enumerate(notes)
    ]  # fmt: skip
    return build_prefix(facts, count_tokens, budget)[0]


def turn_of(text: str, memories: Memories, count_tokens: CountTokens) -> str:
    """Return the user turn `text` with `memories`, best first, beside it."""
    return build_turn(text, memories.items, count_tokens, NO_LIMIT)[0]


def conversation(prefix: str | None) -> Transcript:
    """Return an empty conversation behind `prefix`."""
    return Transcript(prefix=prefix)
