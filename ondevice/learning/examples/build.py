"""From a selection of records to examples and preferences.

The outcome is a pure function of what the records say: neither their ids, nor
the order in which they came, nor the time of an import decides anything, and
examples come in the order of their hashes. So a profile that has forgotten a
record gives exactly what one gives that never had it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ondevice.evaluation.items import continue_request, reply_request
from ondevice.evaluation.split import content_hash, words_of
from ondevice.learning.examples.duplicates import distinct
from ondevice.learning.examples.example import Example, Preference, answered, plain
from ondevice.learning.examples.notes import questions_for, to_person
from ondevice.learning.examples.replay import neutral
from ondevice.learning.examples.selection import OwnText, Selection
from ondevice.memory.form import TAUGHT, Form
from ondevice.memory.persona import beside_of, fact_note, neutralise, prefix_of
from ondevice.memory.transcript import Transcript
from ondevice.models.messages import Message
from ondevice.store.records import Fact, Feedback, Turn, Verdict

QUESTIONS = 2  # of the templates, for each fact
NOTES_BESIDE = 2  # other notes that stand with the one that answers
CONTEXT_TURNS = 2  # before a turn of the person's own
WRITE_WORDS = 12  # a shorter text does not count as writing
OPENING_WORDS = 16  # of a text that is to be continued

# Turns a question into another one that asks the same, or None: see `paraphrase.Paraphraser`.
Paraphrase = Callable[[str], str | None]


@dataclass(frozen=True)
class ExampleSet:
    """What an adapter is trained on.

    Attributes:
        examples: in the order of their hashes.
        preferences: for DPO, in the order of their hashes.
        left_out: why records were left out, and how many.
    """

    examples: tuple[Example, ...]
    preferences: tuple[Preference, ...]
    left_out: Mapping[str, int]

    @property
    def records(self) -> tuple[str, ...]:
        """The ids of everything that an example or a preference was made of, sorted."""
        found = {record for example in self.examples for record in example.records}
        found |= {record for pair in self.preferences for record in pair.records}
        return tuple(sorted(found))

    @property
    def counts(self) -> dict[str, int]:
        """How many examples of each kind, and preferences, there are."""
        counts: Counter[str] = Counter(example.kind for example in self.examples)
        return {**counts, "preference": len(self.preferences)}

    @property
    def personal(self) -> int:
        """How many examples are not replay."""
        return sum(example.kind != "replay" for example in self.examples)


def build(
    selection: Selection,
    *,
    form: Form = TAUGHT,
    paraphrase: Paraphrase | None = None,
    replay_share: float = 0.2,
) -> ExampleSet:
    """Return the examples and preferences that `selection` gives.

    Args:
        selection: what may be learned from.
        form: of notes, for the base model.
        paraphrase: asks each fact's question in other words; None leaves it at templates.
        replay_share: of all words, how many are neutral; without personal examples there are none.
    """
    examples = [_style(text, selection) for text in selection.texts]
    examples += _fact_examples(selection.facts, form, paraphrase)
    verdicts = [_Verdict.of(turn, given, selection, form) for turn, given in selection.verdicts]
    examples += _accepted(verdicts)
    unique = {example.key: example for example in examples}
    words = sum(_n_words(example) for example in unique.values())
    for one in _replayed(words, replay_share):
        unique[one.key] = one
    preferences = {pair.key: pair for pair in _preferences(verdicts)}
    return ExampleSet(
        tuple(unique[key] for key in sorted(unique)),
        tuple(preferences[key] for key in sorted(preferences)),
        {reason: n for reason, n in sorted(selection.left_out.items()) if n},
    )


# --- the person's own words ------------------------------------------------------------


def _style(own: OwnText, selection: Selection) -> Example:
    """Return an own text in one form: as it is, as a turn, or as the answer to "write as me".

    It is learned in one form only, because what is repeated is recited; the hash says in which.
    """
    form = int(content_hash(own.text)[:8], 16)
    context: tuple[Turn, ...] = ()
    if isinstance(own.record, Turn):
        context = _context(own.record, selection)
        records = tuple(sorted({*own.records, *(turn.id for turn in context)}))
        if context and form % 2:
            request = reply_request(context[-1].text)
            return answered("write", (Message("user", request),), own.text, records)
        if context or len(words_of(own.text)) < WRITE_WORDS:
            messages = (*(Message(t.role, t.text) for t in context), Message("user", own.text))
            return Example("style", messages, (len(context),), records)
    if len(words_of(own.text)) < WRITE_WORDS or form % 3 == 0:
        return plain("style", own.text, own.records)
    if form % 3 == 1:
        topic, body = _topic(own.text)
        return answered("write", (Message("user", f"Write as me: {topic}"),), body, own.records)
    opening, rest = _parted(own.text)
    return answered("write", (Message("user", continue_request(opening)),), rest, own.records)


def _parted(text: str) -> tuple[str, str]:
    """Return the first words of a text, a third of it at the most, and the rest."""
    words = list(re.finditer(r"\S+", text))
    end = words[min(OPENING_WORDS, len(words) // 3) - 1].end()
    return text[:end], text[end:].strip()


def _context(turn: Turn, selection: Selection) -> tuple[Turn, ...]:
    """Return the whole exchange before a turn, if all of it may be shown in training."""
    before = selection.earlier.get(turn.id, ())[-CONTEXT_TURNS:]
    roles = [t.role for t in before]
    usable = all(t.id in selection.turns for t in before)
    return before if usable and roles == ["user", "assistant"] else ()


def _topic(text: str) -> tuple[str, str]:
    """Return what a text is about, its heading or its longest words, and the text below it."""
    head, _, body = text.partition("\n")
    if len(words_of(body)) >= WRITE_WORDS // 2 and len(head) <= 80 and head[-1:] not in ".!?,;:":
        return head.strip(), body.strip()
    words = dict.fromkeys(re.findall(r"[\w'’-]{4,}", text.lower()))
    longest = set(sorted(words, key=lambda word: (-len(word), word))[:4])
    return ", ".join(word for word in words if word in longest) or "a note", text


# --- what is known -----------------------------------------------------------------------


def _fact_examples(
    facts: Sequence[tuple[Fact, tuple[str, ...]]], form: Form, paraphrase: Paraphrase | None
) -> Iterator[Example]:
    """Yield questions with their answers, alone, below notes, and two in a dialogue."""
    pairs = [_Known(fact, ids, questions_for(fact.text, fact.subject)) for fact, ids in facts]
    for place, known in enumerate(pairs):
        asked = list(known.questions[:QUESTIONS])
        if paraphrase is not None and (other := paraphrase(asked[0])) is not None:
            asked.append(other)
        for question in asked:
            yield answered("fact", (Message("user", question),), known.answer, known.records)
        others = [pairs[(place + i) % len(pairs)] for i in range(1, NOTES_BESIDE + 1)]
        yield _below_notes(known, [other for other in others if other is not known], form)
    for first, second in zip(pairs[::2], pairs[1::2], strict=False):
        yield Example(
            "fact",
            (
                Message("user", first.questions[-1]),
                Message("assistant", first.answer),
                Message("user", second.questions[-1]),
                Message("assistant", second.answer),
            ),
            (1, 3),
            tuple(sorted({*first.records, *second.records})),
        )


@dataclass(frozen=True)
class _Known:
    """A fact with the questions that it answers."""

    fact: Fact
    records: tuple[str, ...]
    questions: tuple[str, ...]

    @property
    def answer(self) -> str:
        return to_person(neutralise(self.fact.text))


def _below_notes(known: _Known, others: Sequence[_Known], form: Form) -> Example:
    """Return a question below the notes that chat would show, of which one answers it."""
    facts = [one.fact for one in (known, *others)]
    notes = sorted({fact_note(fact, form) for fact in facts})
    prefix = prefix_of(notes, form, now=max(fact.time for fact in facts))
    transcript = Transcript(prefix=prefix, form=form)
    prompt = tuple(transcript.messages(known.questions[-1]))
    records = sorted({*known.records, *(r for other in others for r in other.records)})
    return answered("fact", prompt, known.answer, tuple(records))


# --- verdicts on answers -----------------------------------------------------------------


@dataclass(frozen=True)
class _Verdict:
    """A verdict with the prompt of the answer, as far as it may be shown in training."""

    verdict: Verdict
    prompt: tuple[Message, ...]
    question: str
    answer: str
    wanted: str | None  # the answer that was accepted, or the text that was put in its place
    records: tuple[str, ...]

    @classmethod
    def of(cls, turn: Turn, given: Feedback, selection: Selection, form: Form) -> _Verdict:
        earlier = selection.earlier.get(turn.id, ())
        asked = earlier[-1] if earlier and earlier[-1].role == "user" else None
        if asked is None or asked.id not in selection.turns:
            return cls(given.verdict, (), "", turn.text, None, ())
        notes = _notes_of(turn, selection)
        content = asked.text
        if notes:
            lines = sorted(fact_note(fact, form) for fact, _ in notes)
            content = beside_of(lines, asked.text, form)
        before = _context(asked, selection)
        records = {turn.id, given.id, asked.id, *(t.id for t in before)}
        records |= {record for _, ids in notes for record in ids}
        wanted = {"edit": given.text, "accept": turn.text}.get(given.verdict)
        prompt = (*(Message(t.role, t.text) for t in before), Message("user", content))
        return cls(given.verdict, prompt, asked.text, turn.text, wanted, tuple(sorted(records)))


def _notes_of(turn: Turn, selection: Selection) -> list[tuple[Fact, tuple[str, ...]]]:
    """Return the facts that stood in the prompt of an answer and may be learned from."""
    return [(fact, ids) for fact, ids in selection.facts if set(ids) & set(turn.memories_used)]


def _accepted(verdicts: Sequence[_Verdict]) -> Iterator[Example]:
    """Yield the answers that were accepted or corrected; others would clone the model."""
    examples = {
        example.key: (one, example)
        for one in verdicts
        if one.wanted and one.prompt
        for example in [answered("answer", one.prompt, one.wanted, one.records)]
    }
    texts = {key: f"{one.question}\n{one.wanted}" for key, (one, _) in examples.items()}
    yield from (examples[key][1] for key in distinct(texts))


def _preferences(verdicts: Sequence[_Verdict]) -> Iterator[Preference]:
    """Yield each corrected answer with its correction, and accepted with rejected answers."""
    asked = [one for one in verdicts if one.prompt]
    for one in asked:
        if one.verdict == "edit" and one.wanted and one.wanted.strip() != one.answer.strip():
            yield Preference(one.prompt, one.wanted, one.answer, one.records)
    for bad in asked:
        if bad.verdict != "reject":
            continue
        for good in asked:
            same = content_hash(good.question) == content_hash(bad.question)
            if good.wanted and same and good.wanted.strip() != bad.answer.strip():
                records = tuple(sorted({*good.records, *bad.records}))
                yield Preference(good.prompt, good.wanted, bad.answer, records)


# --- replay ------------------------------------------------------------------------------


def _replayed(personal_words: int, share: float) -> Iterator[Example]:
    """Yield neutral examples until they are `share` of all words, or all of them."""
    wanted = personal_words * share / (1 - share)
    for example in neutral():
        if wanted <= 0:
            return
        wanted -= _n_words(example)
        yield example


def _n_words(example: Example) -> int:
    return sum(len(message.content.split()) for message in example.messages)
