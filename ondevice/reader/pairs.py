"""Pairs of answers of which the first is better, to learn the difference from.

Both answers fit the question in form; only what the notes say tells them apart: a
suggestion that respects what the user likes or may have and one that does not, the
right value and another one, the newer and the older one, "not told" and a guess.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ondevice.base.messages import Message
from ondevice.reader.preferences import SUGGESTIONS
from ondevice.reader.requests import UNKNOWN
from ondevice.reader.scene import (
    CountTokens,
    Maker,
    Memories,
    Statement,
    conversation,
    prefix_of,
    turn_of,
)

# What the two answers differ in: kind, weight.
_KINDS: tuple[tuple[str, int], ...] = (
    ("suggestion", 60), ("value", 16), ("newer", 8), ("told", 6), ("not told", 10),
)  # fmt: skip
_COUNTS = (0, 1, 1, 3, 6, 10)  # how many notes of another kind a prompt has
_ANSWER_TOKENS = 40  # what is counted for the chat format and an answer


@dataclass(frozen=True)
class Pair:
    """A prompt, a good answer and a bad one."""

    kind: str
    prompt: tuple[Message, ...]
    good: str
    bad: str


class PairMaker:
    """Makes one pair after the other; the seed decides everything."""

    def __init__(self, count_tokens: CountTokens, seed: int = 0) -> None:
        """Make pairs for the model whose tokens `count_tokens` counts."""
        self._count = count_tokens
        self._seed = seed

    def pairs(self, n_tokens: int) -> Iterator[Pair]:
        """Yield pairs whose prompts and answers have at least `n_tokens` tokens together."""
        total, number = 0, 0
        while total < n_tokens:
            one = _PairInTheMaking(random.Random(f"{self._seed} pair {number}"), self._count).make()
            number += 1
            total += 2 * (sum(self._count(m.content) for m in one.prompt) + _ANSWER_TOKENS)
            yield one


class _PairInTheMaking:
    def __init__(self, rng: random.Random, count: CountTokens) -> None:
        self.rng, self.count = rng, count
        self.maker = Maker("train", rng)
        self.memories = Memories()

    def make(self) -> Pair:
        kinds, weights = zip(*_KINDS, strict=True)
        kind = self.rng.choices(kinds, weights)[0]
        if kind == "suggestion":
            return self._suggestion()
        world = self.maker.world(max(1, self.rng.choice(_COUNTS)))
        one = self.rng.choice(world)
        notes = [s.note for s in world]
        if kind == "not told":
            return self._not_told(world)
        good, bad = one.answer, UNKNOWN
        question = self.maker.question(one)
        if one.owner.is_user and one.attribute.hints and self.rng.random() < 0.5:
            question = self.rng.choice(one.attribute.hints)
        if kind == "value":
            bad = replace(one, value=self._other_value(one, world)).answer
        elif kind == "newer":
            new = self.maker.statement(one.attribute, one.owner, unlike=one.value)
            where = self.rng.randint(notes.index(one.note) + 1, len(notes))
            notes.insert(where, new.note)
            good, bad = new.answer, replace(new, value=one.value).answer
        return self._pair(kind, notes, question, good, bad)

    def _other_value(self, one: Statement, world: list[Statement]) -> str:
        """Return a value that stands in the notes for something else, most likely one alike."""
        alike = [s.value for s in world if s.attribute.kind == one.attribute.kind and s != one]
        others = alike or [s.value for s in world if s != one]
        if others and self.rng.random() < 0.8:
            return self.rng.choice(others)
        return self.maker.statement(one.attribute, one.owner, unlike=one.value).value

    def _not_told(self, world: list[Statement]) -> Pair:
        taken = [s.place for s in world]
        what, who = self.maker.place(taken)
        if self.rng.random() < 0.5:
            what, who = self.maker.same_of_another(world, taken) or (what, who)
        guess = self.maker.statement(what, who)
        question = self.maker.question(guess)
        bad = replace(guess, value=self._other_value(guess, world)).answer
        return self._pair("not told", [s.note for s in world], question, UNKNOWN, bad)

    def _suggestion(self) -> Pair:
        """Ask for a suggestion, with the note that decides and perhaps some that do not."""
        rng = self.rng
        n_others = rng.choice((0, 0, 0, 1, 2, 4))
        liking, *further = self.maker.preferences(rng.choice((1, 1, 1, 2)))
        notes = [s.note for s in self.maker.world(n_others)] + [p.note for p in further]
        chance = rng.random()
        if chance < 0.5:
            notes.append(liking.note)
        else:
            self.memories.add(*((liking.note, "fact") if chance < 0.7 else (liking.speech, "turn")))
        rng.shuffle(notes)
        template = rng.choice(SUGGESTIONS["train"])
        good, bad = (
            template.replace("{e}", rng.choice(examples)) for examples in (liking.good, liking.bad)
        )
        good, bad = (text[:1].upper() + text[1:] for text in (good, bad))
        return self._pair("suggestion", notes, rng.choice(liking.requests), good, bad)

    def _pair(self, kind: str, notes: list[str], question: str, good: str, bad: str) -> Pair:
        talk = conversation(prefix_of(notes, self.count))
        user = turn_of(question, self.memories, self.count)
        return Pair(kind, tuple(talk.messages(user)), good, bad)
