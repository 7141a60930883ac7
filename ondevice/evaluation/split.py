"""Which records an adapter may learn from, and which are kept back to judge it.

A pure function of what the records say and when: no ids, no random state.  A
profile that never held a record splits the others exactly as one that has
forgotten it.  Days, not seconds, order the texts, so that when an import was
run decides nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ondevice.store.records import AnyRecord, Fact, Feedback, Passage, Turn

SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class SplitSettings:
    """How much is kept back."""

    share: float = 0.2  # of the person's different texts, and of their verdicts: the newest
    fewest: int = 20  # with fewer than this, nothing is kept back: there is nothing to judge by
    most: int = 200  # kept back at the most


class Split(NamedTuple):
    """Ids of records, ordered by day and content."""

    training: tuple[str, ...]
    held_out: tuple[str, ...]


def split(records: Iterable[AnyRecord], settings: SplitSettings | None = None) -> Split:
    """Return the ids to train on and the ids that are kept back.

    The newest share of the person's own texts (passages and turns) is kept back;
    within a day the hash of the content decides. Equal texts stay together, and
    count as old as the oldest. What was made of a text goes with it: an answer
    with its question, a verdict with its answer, a fact with the turn it was
    said in. Facts from elsewhere are always for training. In neither part are
    records with `learn=False`, facts that are not active, and other people's
    texts.

    An example made of several records must not be trained on if one of them,
    be it only context, is in `held_out`.

    Args:
        records: facts, passages, turns and feedback; others are passed over.
        settings: how much is kept back.
    """
    settings = settings or SplitSettings()
    kinds = _Kinds(records)
    held_out = _newest([(r.id, r.text, r.time) for r in kinds.texts], settings)
    held_out |= {
        turn.id for turn, question in kinds.answers if question and question.id in held_out
    }
    verdicts = [
        (f.id, f"{f.verdict}\n{f.text or ''}\n{kinds.turns[f.turn_id].text}", f.time)
        for f in kinds.verdicts
    ]
    newest_verdicts = _newest(verdicts, settings)
    # A verdict that is kept back takes its answer along, and an answer all verdicts on it.
    held_out |= {f.turn_id for f in kinds.verdicts if f.id in newest_verdicts}
    held_out |= {f.id for f in kinds.verdicts if f.turn_id in held_out}
    held_out |= {fact.id for fact, origin in kinds.facts if origin and origin.id in held_out}
    ordered = kinds.in_order()
    return Split(
        tuple(record for record in ordered if record not in held_out),
        tuple(record for record in ordered if record in held_out),
    )


def is_own_text(record: AnyRecord) -> bool:
    """Whether the person wrote it: their turns, and passages of theirs or of nobody named."""
    if isinstance(record, Turn):
        return record.role == "user"
    return isinstance(record, Passage) and record.speaker in (None, "user")


def own_texts(records: Iterable[AnyRecord]) -> list[Passage | Turn]:
    """Return those of `records` that the person wrote."""
    return [r for r in records if isinstance(r, Passage | Turn) and is_own_text(r)]


def words_of(text: str) -> list[str]:
    """Return the words of `text` as they are compared: without case and punctuation."""
    return re.findall(r"\w+", text.casefold())


def content_hash(text: str) -> str:
    """Return the SHA-256 of the words of `text`, in hexadecimal digits."""
    return hashlib.sha256(" ".join(words_of(text)).encode()).hexdigest()


class _Kinds:
    """The records that count, by kind, each with what it hangs on."""

    def __init__(self, records: Iterable[AnyRecord]) -> None:
        counted = [r for r in records if getattr(r, "learn", True)]
        self.texts = own_texts(counted)
        self.turns = {r.id: r for r in counted if isinstance(r, Turn)}
        self.verdicts = [r for r in counted if isinstance(r, Feedback) and r.turn_id in self.turns]
        by_conversation: dict[str, list[Turn]] = defaultdict(list)
        for turn in sorted(self.turns.values(), key=lambda turn: turn.position):
            by_conversation[turn.conversation_id].append(turn)
        self.answers = [
            (turn, _last([t for t in before if t.role == "user"]))
            for turns in by_conversation.values()
            for before, turn in _with_earlier(turns)
            if turn.role == "assistant"
        ]
        self.facts = [
            (fact, _said_in(fact, by_conversation.get(fact.source_id or "", ())))
            for fact in counted
            if isinstance(fact, Fact) and fact.state == "active"
        ]

    def in_order(self) -> list[str]:
        """Return all ids, by day, kind and content."""
        keyed = [(_day(t.time), "text", content_hash(t.text), t.id) for t in self.texts]
        keyed += [(_day(t.time), "turn", content_hash(t.text), t.id) for t, _ in self.answers]
        keyed += [(_day(f.time), "fact", content_hash(f.text), f.id) for f, _ in self.facts]
        keyed += [
            (_day(f.time), "verdict", content_hash(f"{f.verdict}\n{f.text or ''}"), f.id)
            for f in self.verdicts
        ]
        return [identity for *_, identity in sorted(keyed)]


def _newest(texts: Sequence[tuple[str, str, float]], settings: SplitSettings) -> set[str]:
    """Return the ids of the newest share of (id, text, time), equal texts together."""
    groups: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for identity, text, time in texts:
        groups[content_hash(text)].append((_day(time), identity))
    if len(groups) < settings.fewest:
        return set()
    count = min(round(len(groups) * settings.share), settings.most)
    order = sorted((min(day for day, _ in group), key) for key, group in groups.items())
    chosen = {key for _, key in order[len(order) - count :]}
    return {identity for key in chosen for _, identity in groups[key]}


def _said_in(fact: Fact, turns: Sequence[Turn]) -> Turn | None:
    """Return the person's turn that a fact was taken from: their last one before it was stored."""
    return _last([turn for turn in turns if turn.role == "user" and turn.time <= fact.time])


def _with_earlier(turns: Sequence[Turn]) -> Iterable[tuple[Sequence[Turn], Turn]]:
    return ((turns[:i], turn) for i, turn in enumerate(turns))


def _last(turns: Sequence[Turn]) -> Turn | None:
    return turns[-1] if turns else None


def _day(time: float) -> int:
    return int(time // SECONDS_A_DAY)
