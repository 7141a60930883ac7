"""What the arms are judged by: held-out texts, multiple choice, questions, and neutral text."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from ondevice.evaluation.questions import options_for, questions_for
from ondevice.evaluation.split import own_texts, words_of
from ondevice.store.records import AnyRecord, Fact, Feedback, Passage, Turn

SHINGLE = 5  # words
MIN_SOURCES = 10  # from so many sources on, texts of one source count as one cluster


@dataclass(frozen=True)
class ItemSettings:
    """How many items are measured, and how long they may be."""

    texts: int = 30
    min_words: int = 8  # a shorter text says nothing about how somebody writes
    max_words: int = 120  # of a text; the rest is not scored
    opening_words: int = 16  # of a text that answers nothing, given as its beginning
    choices: int = 24
    questions: int = 12
    neutral: int = 40

    @classmethod
    def fast(cls) -> ItemSettings:
        """Return the settings of a quick look: as few items as can decide, and shorter ones."""
        return cls(texts=12, max_words=48, choices=12, questions=6, neutral=10)


@dataclass(frozen=True)
class TextItem:
    """A text of the person's that no arm has seen, and what it is given with."""

    record_id: str
    cluster: str
    request: str  # as the person would ask for it
    query: str  # what recall searches for
    text: str
    conversation_id: str | None = None


@dataclass(frozen=True)
class ChoiceItem:
    """A question with options, the right one first."""

    cluster: str
    question: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class QuestionItem:
    """A question that a fact answers."""

    cluster: str
    question: str
    answer: str


@dataclass(frozen=True)
class NeutralItem:
    """Text that is about nobody."""

    cluster: str
    kind: str
    text: str


@dataclass(frozen=True)
class Items:
    """All items, and sentences about what was left out."""

    texts: list[TextItem] = field(default_factory=list)
    choices: list[ChoiceItem] = field(default_factory=list)
    questions: list[QuestionItem] = field(default_factory=list)
    neutral: list[NeutralItem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def continue_request(opening: str) -> str:
    """Return how the person asks for the rest of a text of theirs."""
    return f"Continue this text the way I would write it:\n\n{opening}"


def reply_request(message: str) -> str:
    """Return how the person asks for an answer in their name."""
    return f"Answer this message the way I would:\n\n{message}"


def build_items(
    records: Iterable[AnyRecord],
    held_out: Collection[str],
    *,
    trained_on: Collection[str] = (),
    settings: ItemSettings | None = None,
) -> Items:
    """Return the items that a profile offers; the same for the same content.

    Args:
        records: facts, passages, turns and feedback.
        held_out: ids that were kept back from training and are kept out of every prompt.
        trained_on: ids that the adapter has seen all the same; they judge nothing.
        settings: how many items.
    """
    settings = settings or ItemSettings()
    everything = list(records)
    kept = [r for r in everything if r.id in held_out and r.id not in trained_on]
    items = Items(neutral=neutral_items()[: settings.neutral])
    texts = own_texts(kept)
    seen_anyway = len([i for i in held_out if i in trained_on])
    if seen_anyway:
        items.notes.append(f"{seen_anyway} held-out records left out: the adapter has seen them.")
    others = [
        r.text for r in everything if r.id not in held_out and isinstance(r, Passage | Turn | Fact)
    ]
    texts, copies = _without_copies(texts, others)
    if copies:
        items.notes.append(
            f"{copies} held-out texts left out: something else says nearly the same."
        )
    items.texts.extend(_text_items(texts, _by_conversation(everything), settings))
    _add_fact_items(items, everything, held_out, settings)
    pairs = _pairs(kept, {r.id: r for r in everything if isinstance(r, Turn)}, everything)
    items.choices[:] = [*pairs, *items.choices][: settings.choices]
    return items


# --- own texts ----------------------------------------------------------------------


def _text_items(
    texts: Sequence[Passage | Turn],
    conversations: dict[str, list[Turn]],
    settings: ItemSettings,
) -> list[TextItem]:
    long_enough = [r for r in texts if len(r.text.split()) >= settings.min_words]
    chosen = sorted(long_enough, key=lambda r: _hash(r.text))
    unique = list({" ".join(words_of(r.text)): r for r in reversed(chosen)}.values())[::-1]
    chosen = unique[: settings.texts]
    by_source = len({r.source_id for r in chosen}) >= MIN_SOURCES
    items = []
    for record in chosen:
        answered = _answered(record, conversations)
        if answered is not None:
            request, query = reply_request(_shortened(answered, settings.max_words)), answered
            text = record.text
        else:
            opening, text = _parted(record.text, settings.opening_words)
            request, query = continue_request(opening), opening
        items.append(
            TextItem(
                record.id,
                record.source_id if by_source else record.id,
                request,
                query,
                _shortened(text, settings.max_words),
                record.conversation_id if isinstance(record, Turn) else None,
            )
        )
    return items


def _answered(record: Passage | Turn, conversations: dict[str, list[Turn]]) -> str | None:
    """Return the message that a turn answers, if it is one."""
    if not isinstance(record, Turn):
        return None
    before = [t for t in conversations[record.conversation_id] if t.position < record.position]
    return before[-1].text if before and before[-1].role == "assistant" else None


def _parted(text: str, opening_words: int) -> tuple[str, str]:
    """Return the beginning of a text, at most a third of it, and the rest."""
    end = _end_of_words(text, min(opening_words, max(3, len(text.split()) // 3)))
    return text[:end], text[end:].strip()


def _shortened(text: str, words: int) -> str:
    return text[: _end_of_words(text, words)]


def _end_of_words(text: str, count: int) -> int:
    """Return where the first `count` words of `text` end."""
    found = list(itertools.islice(re.finditer(r"\S+", text), count))
    return found[-1].end() if found else 0


def _without_copies(
    texts: Sequence[Passage | Turn], others: Iterable[str]
) -> tuple[list[Passage | Turn], int]:
    """Leave out texts of whose stretches of `SHINGLE` words more than half stand elsewhere."""
    shingles = {record.id: _shingles(record.text) for record in texts}
    wanted = set().union(*shingles.values())
    elsewhere: set[tuple[str, ...]] = set()
    for text in others:
        elsewhere |= _shingles(text) & wanted
    fresh = [r for r in texts if len(shingles[r.id] & elsewhere) <= len(shingles[r.id]) / 2]
    return fresh, len(texts) - len(fresh)


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = words_of(text)
    return {tuple(words[i : i + SHINGLE]) for i in range(len(words) - SHINGLE + 1)}


def _by_conversation(records: Iterable[AnyRecord]) -> dict[str, list[Turn]]:
    conversations: dict[str, list[Turn]] = defaultdict(list)
    for record in records:
        if isinstance(record, Turn):
            conversations[record.conversation_id].append(record)
    for turns in conversations.values():
        turns.sort(key=lambda turn: turn.position)
    return conversations


# --- facts and verdicts -------------------------------------------------------------


def _add_fact_items(
    items: Items, records: Sequence[AnyRecord], held_out: Collection[str], settings: ItemSettings
) -> None:
    """Add what can be asked about the facts that every arm had a chance to know."""
    facts = {
        record.text
        for record in records
        if isinstance(record, Fact) and record.state == "active" and record.id not in held_out
    }
    known = sorted(facts, key=_hash)
    questions = questions_for(known)
    for question in questions:
        asked = f"{question.text} Answer in a few words."
        options = options_for(question, questions, known)
        if len(options) > 1:
            items.choices.append(ChoiceItem(_hash(question.text), asked, tuple(options)))
        if question.single and question.other is None and len(items.questions) < settings.questions:
            items.questions.append(QuestionItem(_hash(question.text), asked, question.answer))


def _pairs(
    kept: Iterable[AnyRecord], turns: dict[str, Turn], records: Sequence[AnyRecord]
) -> list[ChoiceItem]:
    """Return, for each held-out edit, the choice between what was wanted and what was said."""
    conversations = _by_conversation(records)
    pairs = []
    for verdict in kept:
        if not isinstance(verdict, Feedback) or verdict.verdict != "edit" or not verdict.text:
            continue
        answer = turns.get(verdict.turn_id)
        if answer is None or answer.text.strip() == verdict.text.strip():
            continue
        before = [
            t
            for t in conversations[answer.conversation_id]
            if t.position < answer.position and t.role == "user"
        ]
        if before:
            options = (verdict.text, answer.text)
            pairs.append(
                ChoiceItem(_hash(before[-1].text + verdict.text), before[-1].text, options)
            )
    return sorted(pairs, key=lambda pair: pair.cluster)


# --- neutral text -------------------------------------------------------------------


def neutral_items() -> list[NeutralItem]:
    """Return the neutral texts of the package, of all kinds in turn."""
    return [NeutralItem(str(i), one["kind"], one["text"]) for i, one in enumerate(load("neutral"))]


@functools.cache
def load(name: str) -> list[dict[str, Any]]:
    """Return the list in one of the package's data files."""
    path = resources.files("ondevice.evaluation") / "data" / f"{name}.json"
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
