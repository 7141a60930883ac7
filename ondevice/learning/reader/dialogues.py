"""Dialogues to learn from: somebody asks an assistant that has notes about them.

A dialogue has up to 25 notes, in the prefix, beside turns, or told on the way,
and as many questions as fit. Everything is decided by the seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ondevice.learning.reader.preferences import SUGGESTIONS
from ondevice.learning.reader.requests import NEUTRAL, UNKNOWN
from ondevice.learning.reader.scene import (
    CountTokens,
    Maker,
    Memories,
    Preference,
    Statement,
    conversation,
    prefix_of,
    turn_of,
)
from ondevice.learning.reader.statements import Owner
from ondevice.memory.transcript import Exchange
from ondevice.models.messages import Message

TURN_TOKENS = 12  # of the chat format, around a question and its answer
# How many notes a dialogue has: (from, to, weight).
_COUNTS = ((0, 0, 2), (1, 1, 26), (2, 5, 36), (6, 12, 42), (13, 25, 26))
# What is asked: kind, weight.
_KINDS = (
    ("direct", 34), ("hint", 30), ("unknown", 13), ("preference", 12), ("neutral", 3), ("told", 6),
)  # fmt: skip
_FEW = 2  # notes; beside so few the weight of "unknown" is halved
_GO_ON = 0.12  # of the talks with more notes in which all was asked: something that is not known
_CHANGED = 0.4  # of the dialogues: something that was true no longer is
_ORDERS = 0.12  # of the dialogues: a note tries to give orders


@dataclass(frozen=True)
class DialogueSettings:
    """How the dialogues are made."""

    seed: int = 0
    max_tokens: int = 640  # of a dialogue
    system_tokens: int = 40  # that the chat format adds at the head, at most
    ask_all: float = 0.9  # share of the talks in which everything is asked for, as far as it fits
    again: float = 0.1  # share of the questions beside which the note stands once more
    plain: float = 1.0  # share of the answers in the plainest wording, not in that of the note


@dataclass(frozen=True)
class Answer:
    """What the model itself answers to a request; `whole` unless it was cut off."""

    text: str
    whole: bool


@dataclass(frozen=True)
class Dialogue:
    """The messages, the last of them an answer; `cut` says that it goes on."""

    messages: list[Message]
    cut: bool


class DialogueMaker:
    """Makes one dialogue after the other."""

    def __init__(
        self,
        count_tokens: CountTokens,
        neutral_answers: Mapping[str, Answer],
        settings: DialogueSettings | None = None,
    ) -> None:
        """Make dialogues for the model whose tokens `count_tokens` counts.

        Args:
            count_tokens: of a text.
            neutral_answers: what the model itself answers to the requests that need no memory.
            settings: None for the defaults.
        """
        self._count = count_tokens
        self._answers = neutral_answers
        self._settings = settings or DialogueSettings()

    def dialogues(self, n_tokens: int) -> Iterator[Dialogue]:
        """Yield different dialogues of at least `n_tokens` tokens together."""
        total, number = 0, 0
        while total < n_tokens:
            seed = f"{self._settings.seed} {number}"
            one = _Dialogue(random.Random(seed), self._count, self._answers, self._settings)
            number += 1
            messages = one.make()
            if messages:
                total += sum(self._count(m.content) + TURN_TOKENS // 2 for m in messages)
                yield Dialogue(messages, one.cut)


class _Dialogue:
    """One dialogue in the making."""

    def __init__(
        self,
        rng: random.Random,
        count: CountTokens,
        answers: Mapping[str, Answer],
        settings: DialogueSettings,
    ) -> None:
        self.rng = rng
        self.maker = Maker("train", rng)
        self.count = count
        self.answers = answers
        self.settings = settings
        self.room = settings.max_tokens - settings.system_tokens
        self.few = False  # notes
        self.known: dict[tuple[str, Owner], Statement] = {}  # what the model can have read
        self.hidden: list[Statement] = []  # not shown yet: may stand beside a turn
        self.preferences: list[Preference] = []
        self.hidden_preferences: list[Preference] = []
        self.order: str | None = None
        self.asked: set[str] = set()
        self.asked_for: set[tuple[str, Owner]] = set()
        self.cut = False  # the newest answer is not whole, so nothing can follow it

    def make(self) -> list[Message]:
        """Return the messages; none if nothing fits."""
        rng = self.rng
        low, high, _ = rng.choices(_COUNTS, [weight for *_, weight in _COUNTS])[0]
        n_notes = rng.randint(low, high)
        self.few = 0 < n_notes <= _FEW
        n_preferences = rng.choice((0, 0, 1, 1, 2, 3)) if n_notes > 3 else rng.choice((0, 0, 1))
        n_preferences = min(n_notes, n_preferences)
        world = self.maker.world(n_notes - n_preferences)
        preferences = self.maker.preferences(n_preferences)
        if n_notes and rng.random() < _ORDERS:
            self.order, _ = self.maker.order()
        notes = self._share_out(world, preferences)
        prefix = prefix_of(notes, self.count)
        talk = conversation(prefix)
        self.room -= self.count(prefix) if prefix else 0
        n_turns = 1 + n_notes if rng.random() < self.settings.ask_all else rng.choice((1, 2))
        n_turns = n_turns if n_notes > 1 else rng.choice((1, 1, 2))
        for _ in range(n_turns):
            turn = self._turn()
            if turn is None:
                break
            user, answer = turn
            cost = self.count(user) + self.count(answer) + TURN_TOKENS
            if cost > self.room:
                self.cut = False
                break
            self.room -= cost
            talk.exchanges.append(Exchange(user, answer))
            if self.cut:
                break
        if not talk.exchanges:
            return []
        last = talk.exchanges.pop()
        return [*talk.messages(last.user), Message("assistant", last.answer)]

    def _share_out(
        self, world: Sequence[Statement], preferences: Sequence[Preference]
    ) -> list[str]:
        """Decide what stands in the prefix, and return its notes; the rest is kept for turns."""
        rng = self.rng
        share = rng.choice((0.0, 0.5, 0.8, 1.0, 1.0, 1.0)) if len(world) < 10 else 1.0
        notes: list[str] = []
        for one in world:
            if rng.random() < share:
                notes.append(one.note)
                self.known[one.place] = one
            else:
                self.hidden.append(one)
        for liking in preferences:
            if rng.random() < share:
                notes.append(liking.note)
                self.preferences.append(liking)
            else:
                self.hidden_preferences.append(liking)
        rng.shuffle(notes)
        if self.known and rng.random() < _CHANGED:
            notes = self._change(notes)
        return notes

    def _change(self, notes: list[str]) -> list[str]:
        """Let something in the notes be replaced by a newer note."""
        old = self.rng.choice(self._told_so_far())
        new = self.maker.statement(old.attribute, old.owner, unlike=old.value)
        if self.rng.random() < 0.5:  # of two notes the later one holds
            where = self.rng.randint(notes.index(old.note) + 1, len(notes))
            text = new.note
        else:  # or the one that says that it is new, wherever it stands
            where = self.rng.randint(0, len(notes))
            changes = [c for c in self.maker.topics.changes if "{old_}" not in c]
            text = self.maker.filled(changes, new, "note")
        self.known[new.place] = new
        return [*notes[:where], text, *notes[where:]]

    def _turn(self) -> tuple[str, str] | None:
        """Return what the user sends, with notes beside it, and the answer; None to end the talk.

        When everything known has been asked for the talk mostly ends, beside few notes always:
        going on with what is not known would teach that few notes mean no answer.
        """
        kinds, weights = zip(*_KINDS, strict=True)
        if self.few:
            weights = tuple(w / 2 if k == "unknown" else w for k, w in _KINDS)
        kind = self.rng.choices(kinds, weights)[0]
        makers: dict[str, Callable[[], tuple[str, str, list[tuple[str, str]]] | None]] = {
            "direct": self._direct,
            "hint": self._hint,
            "unknown": self._unknown,
            "preference": self._preference,
            "neutral": self._neutral,
            "told": self._told,
        }
        made = makers[kind]() or self._hint() or self._preference()
        goes_on = not self.known or (not self.few and self.rng.random() < _GO_ON)
        if made is None and goes_on:
            made = self._unknown()
        if made is None:
            return None
        text, answer, needed = made
        return turn_of(text, self._beside(needed), self.count), answer

    def _beside(self, needed: list[tuple[str, str]]) -> Memories:
        """Return the notes beside a turn: `needed` ones (text, kind), and others by chance."""
        rng, notes = self.rng, list(needed)
        if not notes and rng.random() < 0.75:
            return Memories()
        for one in rng.sample(
            self._told_so_far(),
            min(len(self.known), rng.choice((0, 0, 1, 2))),
        ):
            notes.append((one.note, "fact"))
        while self.hidden and rng.random() < 0.5:
            one = self.hidden.pop()
            self.known[one.place] = one
            notes.append(self._quoted(one))
        if rng.random() < 0.25:
            notes.append((self.maker.passage(), "passage"))
        if self.order and rng.random() < 0.7:
            notes.append((self.order, rng.choice(("passage", "passage", "turn", "fact"))))
        if rng.random() < 0.4:
            rng.shuffle(notes)
        memories = Memories()
        for text, kind in notes:
            memories.add(text, kind)
        return memories

    def _quoted(self, one: Statement) -> tuple[str, str]:
        """Return a statement as a fact, or as what the user once said or wrote."""
        chance = self.rng.random()
        if chance < 0.6:
            return one.note, "fact"
        return one.speech, "turn" if chance < 0.9 else "passage"

    def _target(self) -> tuple[Statement, list[tuple[str, str]]] | None:
        """Return something to ask for, and the notes that must stand beside the question."""
        rng = self.rng
        if self.hidden and (not self.known or rng.random() < 0.6):
            one = self.hidden.pop()
            self.known[one.place] = one
            self.asked_for.add(one.place)
            needed = [self._quoted(one)]
            if needed[0][1] == "fact" and rng.random() < 0.25:  # an older saying; the fact holds
                old = self.maker.statement(one.attribute, one.owner, unlike=one.value)
                needed.append((old.speech, "turn"))
                rng.shuffle(needed)
            return one, needed
        fresh = [s for s in self._told_so_far() if s.place not in self.asked_for]
        if not fresh:
            return None
        one = rng.choice(fresh)
        self.asked_for.add(one.place)
        return one, [(one.note, "fact")] if rng.random() < self.settings.again else []

    def _told_so_far(self) -> list[Statement]:
        """Return what the model can have read, in an order that does not depend on its making."""
        return sorted(self.known.values(), key=lambda s: s.note)

    def _direct(self) -> tuple[str, str, list[tuple[str, str]]] | None:
        found = self._target()
        if found is None:
            return None
        one, needed = found
        return self.maker.question(one), self._answer(one), needed

    def _hint(self) -> tuple[str, str, list[tuple[str, str]]] | None:
        able = [
            (s, hint)
            for s in self._told_so_far()
            for hint in s.attribute.hints
            if s.owner.is_user and hint not in self.asked
        ]
        if not able:
            return self._direct()
        one, hint = self.rng.choice(able)
        self.asked.add(hint)
        needed = [(one.note, "fact")] if self.rng.random() < self.settings.again else []
        return hint, self._answer(one), needed

    def _answer(self, one: Statement) -> str:
        """Return how the assistant says it, in the note's wording or the plainest."""
        return one.plain if self.rng.random() < self.settings.plain else one.answer

    def _unknown(self) -> tuple[str, str, list[tuple[str, str]]]:
        """Ask for what was not told; often something close to it was."""
        taken = {*self.known, *(s.place for s in self.hidden)}
        rng = self.rng
        chance = rng.random()
        what, who = self.maker.place(taken)
        near = self._told_so_far()
        if near and chance < 0.4:  # the same about somebody else
            what, who = self.maker.same_of_another(near, taken) or (what, who)
        elif near and chance < 0.75:  # something else about the same person
            what, who = self.maker.place(taken, rng.choice(near).owner)
        if who.is_user and what.hints and rng.random() < 0.04:
            return rng.choice(what.hints), UNKNOWN, []
        question = self.maker.question(Statement(what, who, "", what.states[0]))
        return question, UNKNOWN, []

    def _preference(self) -> tuple[str, str, list[tuple[str, str]]] | None:
        rng = self.rng
        needed: list[tuple[str, str]] = []
        if self.hidden_preferences:
            liking = self.hidden_preferences.pop()
            self.preferences.append(liking)
            needed = [(liking.note, "fact") if rng.random() < 0.7 else (liking.speech, "turn")]
        elif self.preferences:
            liking = rng.choice(self.preferences)
        else:
            return None
        suggestion = rng.choice(SUGGESTIONS["train"]).replace("{e}", rng.choice(liking.good))
        return rng.choice(liking.requests), suggestion[:1].upper() + suggestion[1:], needed

    def _neutral(self) -> tuple[str, str, list[tuple[str, str]]] | None:
        able = [r for r in NEUTRAL["train"] if r in self.answers and r not in self.asked]
        if not able:
            return None
        request = self.rng.choice(able)
        self.asked.add(request)
        answer = self.answers[request]
        self.cut = not answer.whole
        return request, answer.text, []

    def _told(self) -> tuple[str, str, list[tuple[str, str]]]:
        rng, topics = self.rng, self.maker.topics
        if self.known and rng.random() < 0.4:
            old = rng.choice(self._told_so_far())
            one = self.maker.statement(old.attribute, old.owner, unlike=old.value)
            self.asked_for.discard(one.place)
            text = self.maker.filled(topics.told_changed, one, "speech")
        else:
            taken = {*self.known, *(s.place for s in self.hidden)}
            one = self.maker.statement(*self.maker.place(taken))
            text = self.maker.filled(topics.told, one, "speech")
        self.known[one.place] = one
        return text, self.maker.filled(topics.noted, one, "speech"), []
