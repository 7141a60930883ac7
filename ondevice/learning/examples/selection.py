"""Which records of a profile may be learned from, and how they hang together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ondevice.evaluation.split import SplitSettings, content_hash, is_own_text, split, words_of
from ondevice.learning.examples.duplicates import distinct
from ondevice.learning.examples.sensitive import is_sensitive, without_sensitive
from ondevice.store.records import AnyRecord, Fact, Feedback, Passage, Turn

FEWEST_WORDS = 3  # a text with fewer has no style


@dataclass(frozen=True)
class OwnText:
    """A text of the person's own, without what is sensitive; `records` are equal in words."""

    record: Passage | Turn
    text: str
    records: tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """What may be learned from.

    Attributes:
        texts: the person's own, in the order of their hashes.
        facts: active ones with the ids of facts that say the same, in the order of their hashes.
        turns: every turn that may be learned from or stand in a context, by id.
        earlier: id of a turn -> the turns before it in its conversation, oldest first.
        verdicts: the newest verdict on each answer that may be learned from.
        usable: ids of everything above.
        left_out: why records were left out, and how many.
    """

    texts: tuple[OwnText, ...]
    facts: tuple[tuple[Fact, tuple[str, ...]], ...]
    turns: dict[str, Turn]
    earlier: dict[str, tuple[Turn, ...]]
    verdicts: tuple[tuple[Turn, Feedback], ...]
    usable: frozenset[str]
    left_out: Counter[str] = field(default_factory=Counter)


def select(records: Sequence[AnyRecord], settings: SplitSettings | None = None) -> Selection:
    """Return what of `records` may be learned from.

    Left out are records with `learn=False`, facts that are pending or superseded, other people's
    texts, what is kept back for the evaluation, what is sensitive, and near-duplicates.
    """
    training, held_out = split(records, settings)
    allowed = set(training)
    left_out = Counter(_reasons(records, allowed, set(held_out)))
    facts = _facts(records, allowed, left_out)
    # A turn in which something sensitive was cut out cannot be a context: that is whole texts.
    turns = {
        r.id: r
        for r in records
        if isinstance(r, Turn) and r.id in allowed and not is_sensitive(r.text)
    }
    by_conversation: dict[str, list[Turn]] = defaultdict(list)
    for turn in sorted((r for r in records if isinstance(r, Turn)), key=lambda turn: turn.position):
        by_conversation[turn.conversation_id].append(turn)
    earlier = {
        turn.id: _before(conversation, place)
        for conversation in by_conversation.values()
        for place, turn in enumerate(conversation)
    }
    texts = _own_texts(records, allowed, earlier, left_out)
    verdicts = _verdicts(records, allowed, turns, left_out)
    usable = {text.record.id for text in texts} | {fact.id for fact, _ in facts}
    usable |= turns.keys() | {given.id for _, given in verdicts}
    return Selection(texts, facts, turns, earlier, verdicts, frozenset(usable), left_out)


def _before(conversation: Sequence[Turn], place: int) -> tuple[Turn, ...]:
    """Return the turns before one; of several answers to a message only the last was read on."""
    pairs = pairwise(conversation[: place + 1])
    return tuple(a for a, b in pairs if not a.role == b.role == "assistant")


def _own_texts(
    records: Iterable[AnyRecord],
    allowed: set[str],
    earlier: dict[str, tuple[Turn, ...]],
    left_out: Counter[str],
) -> tuple[OwnText, ...]:
    own: dict[str, Passage | Turn] = {}
    texts: dict[str, str] = {}
    rank: dict[str, str] = {}
    for record in records:
        if not isinstance(record, Passage | Turn) or record.id not in allowed:
            continue
        if not is_own_text(record):
            continue
        text = without_sensitive(record.text).strip()
        if text != record.text.strip():
            left_out["sensitive"] += not text  # the rest of a longer text stays
            left_out["sensitive sentences"] += bool(text)
        if not text:
            continue
        if len(words_of(text)) < FEWEST_WORDS:
            left_out["too short"] += 1
            continue
        own[record.id], texts[record.id] = record, text
        before = "\n".join(turn.text for turn in earlier.get(record.id, ()))
        rank[record.id] = f"{type(record).__name__}\n{before}"
    kept = distinct(texts, rank)
    left_out["near-duplicate"] += len(texts) - len(kept)
    return tuple(OwnText(own[key], texts[key], tuple(sorted(ids))) for key, ids in kept.items())


def _facts(
    records: Iterable[AnyRecord], allowed: set[str], left_out: Counter[str]
) -> tuple[tuple[Fact, tuple[str, ...]], ...]:
    facts = {r.id: r for r in records if isinstance(r, Fact) and r.id in allowed}
    texts = {key: fact.text for key, fact in facts.items() if not is_sensitive(fact.text)}
    left_out["sensitive"] += len(facts) - len(texts)
    kept = distinct(texts, {key: f"{facts[key].subject}" for key in texts})
    left_out["near-duplicate"] += len(texts) - len(kept)
    return tuple((facts[key], tuple(sorted(ids))) for key, ids in kept.items())


def _verdicts(
    records: Iterable[AnyRecord],
    allowed: set[str],
    turns: dict[str, Turn],
    left_out: Counter[str],
) -> tuple[tuple[Turn, Feedback], ...]:
    newest: dict[str, Feedback] = {}
    for given in records:
        if isinstance(given, Feedback) and given.id in allowed:
            before = newest.get(given.turn_id)
            if before is None or (given.time, given.id) > (before.time, before.id):
                newest[given.turn_id] = given
    usable = []
    for turn_id, given in newest.items():
        if turn_id not in turns or is_sensitive(given.text or ""):
            left_out["sensitive"] += 1
            continue
        usable.append((turns[turn_id], given))
    return tuple(sorted(usable, key=lambda pair: (content_hash(pair[0].text), pair[1].verdict)))


def _reasons(records: Iterable[AnyRecord], allowed: set[str], held_out: set[str]) -> Iterable[str]:
    """Yield one reason for each record that is left out from the start."""
    for record in records:
        if record.id in allowed:
            continue
        if record.id in held_out:
            yield "kept back to judge by"
        elif not getattr(record, "learn", True):
            yield "marked not to be learned"
        elif isinstance(record, Fact):
            yield record.state
        elif isinstance(record, Passage | Turn):
            yield "not your words"
