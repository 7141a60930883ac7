"""Questions about the person that a stored fact answers, and wrong answers to choose among.

The wording is the evaluation's own: training asks in other words, so that an
adapter is judged by what it knows and not by what it can recite.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources

from ondevice.evaluation.split import words_of
from ondevice.memory.fact_rules import DIET, JOB
from ondevice.memory.facts import candidate_for
from ondevice.memory.third_person import first_person, sentence

MAX_ANSWER_WORDS = 8  # a longer one is a story
OPTIONS = 4


@dataclass(frozen=True)
class Question:
    """A question in the person's words.

    Attributes:
        text: the question.
        answer: the right answer.
        kind: of the answer, a key of `data/values.json`; wrong ones are of the same kind.
        single: whether nothing else is right, so that it can be asked without options.
        other: the only other option, where the fact itself names it.
    """

    text: str
    answer: str
    kind: str
    single: bool = True
    other: str | None = None


_KINDS_OF_NOUNS = (
    (r"colou?r", "colour"),
    (r"dish|food|meal|dinner|breakfast|lunch|dessert|cake", "dish"),
    (r"drink|tea|coffee|beer|wine", "drink"),
    (r"book|novel|author", "book"),
    (r"music|band|song|composer|genre", "music"),
    (r"season", "season"),
    (r"day|weekday", "day"),
    (r"animal|bird", "animal"),
    (r"city|town|place|country", "place"),
    (r"sport|hobby|game|pastime", "interest"),
    (r"fruit|vegetable|snack", "food"),
    (r"birthday|anniversary", "date"),
    (r"job|profession", "job"),
    (r"(?:sur|nick|user|first|last)?name|boss|friend|doctor|teacher|neighbou?r|partner", "name"),
)
_LIKES = r"(?:likes|loves|enjoys|adores|is a fan of)"
_DISLIKES = r"(?:hates|dislikes|detests|loathes|can't stand|doesn't (?:like|enjoy))"
# (note, question, kind of answer, whether nothing else can be right)
_RULES: tuple[tuple[str, str, str, bool], ...] = (
    (r"'s name is (?P<x>.+)", "What is my name?", "name", True),
    (r"'s (?P<n>.+?) is (?:called|named) (?P<x>.+)", "What is my {n} called?", "name", True),
    (r"'s (?P<n>.+?) are (?:called|named) (?P<x>.+)", "What are my {n} called?", "name", True),
    (r" has an? (?P<n>.+?) (?:called|named) (?P<x>.+)", "What is my {n} called?", "name", True),
    (r" is married to (?P<x>.+)", "Who am I married to?", "name", True),
    (r" lives in (?P<x>.+)", "Where do I live?", "place", True),
    (r" is from (?P<x>.+)", "Where am I from?", "place", True),
    (r" was born in (?P<x>\d{4}\b.*)", "When was I born?", "year", True),
    (r" was born in (?P<x>.+)", "Where was I born?", "place", True),
    (r" grew up in (?P<x>.+)", "Where did I grow up?", "place", True),
    (r"'s birthday is (?:on )?(?P<x>.+)", "When is my birthday?", "date", True),
    (r" works as an? (?P<x>.+)", "What is my job?", "job", True),
    (rf" is an? (?P<x>{JOB})", "What is my job?", "job", True),
    (r" works (?:at|for|by) (?P<x>.+)", "Who do I work for?", "employer", True),
    (r" works in (?P<x>.+)", "Which field do I work in?", "field", True),
    (r" studies (?P<x>.+)", "What do I study?", "field", True),
    (r" is learning (?P<x>.+)", "What am I learning at the moment?", "skill", True),
    (r" is (?P<x>\d{1,3}) years old", "How old am I?", "age", True),
    (rf" is (?P<x>(?:an? )?(?:strict )?(?:{DIET}))", "What is my diet?", "diet", True),
    (r" is (?:\w+ )?allergic to (?P<x>.+)", "What am I allergic to?", "food", True),
    (r" speaks (?P<x>.+)", "Which language do I speak?", "language", True),
    (r" plays (?P<x>.+)", "What do I play?", "play", True),
    (r" drives (?P<x>an? .+)", "What do I drive?", "vehicle", True),
    (r"'s favou?rite (?P<n>.+?) (?:is|are) (?P<x>.+)", "What is my favourite {n}?", "{n}", True),
    (r" prefers (?P<x>.+?) (?:to|over|rather than) (?P<y>.+)", "What do I prefer, {xy}?", "", True),
    (rf" {_LIKES} (?P<x>.+)", "What do I like?", "liked", False),
    (rf" {_DISLIKES} (?P<x>.+)", "What do I dislike?", "liked", False),
    (r" (?:doesn't eat|never eats) (?P<x>.+)", "What do I never eat?", "food", False),
    (r" (?:doesn't drink|never drinks) (?P<x>.+)", "What do I never drink?", "drink", False),
    (r"'s (?P<n>(?:\w+ )?\w+) (?:is|are) (?P<x>.+)", "What is my {n}?", "{n}", True),
)
_COMPILED = tuple(
    (re.compile(f"The user{note}", re.IGNORECASE), text, kind, single)
    for note, text, kind, single in _RULES
)
STATEMENT = Question("Which of these is true of me?", "", "statement", single=False)


def question_for(fact: str) -> Question:
    """Return what can be asked about a fact; if no template fits, whether it is true at all."""
    note = candidate_for(fact).text.strip().rstrip(".!")
    for pattern, text, kind, single in _COMPILED:
        match = pattern.fullmatch(note)
        if match is None:
            continue
        parts = match.groupdict()
        answer, noun, other = parts["x"].strip(), parts.get("n") or "", parts.get("y")
        if len(answer.split()) > MAX_ANSWER_WORDS:
            break
        pair = " or ".join(sorted((answer, other))) if other else ""
        kind = _kind_of(noun) if kind == "{n}" else kind
        return Question(text.format(n=noun, xy=pair), answer, kind, single, other)
    return Question(STATEMENT.text, sentence(first_person(note)), STATEMENT.kind, single=False)


def questions_for(facts: Sequence[str]) -> list[Question]:
    """Return a question for each of `facts`; one that two facts answer is not `single`."""
    questions = [question_for(fact) for fact in facts]
    answers: dict[str, set[str]] = {}
    for question in questions:
        answers.setdefault(question.text, set()).add(question.answer.casefold())
    return [
        Question(q.text, q.answer, q.kind, q.single and len(answers[q.text]) == 1, q.other)
        for q in questions
    ]


def options_for(
    question: Question, questions: Iterable[Question], facts: Iterable[str]
) -> list[str]:
    """Return the options of a multiple choice, the right one first.

    Half of the wrong ones are right answers to other questions of the person
    (a confused model takes them), the rest comes from a fixed list. What any
    fact mentions is not taken from that list. The choice hangs on the content
    alone.

    Args:
        question: one of `questions`.
        questions: all about this person.
        facts: all that is known about the person.
    """
    if question.other is not None:
        return [question.answer, question.other]
    known = {word for fact in facts for word in words_of(fact)}
    own = {
        q.answer
        for q in questions
        if q.kind == question.kind
        and q.text != question.text
        # Of several right answers one may also be right elsewhere; what is liked is not disliked.
        and (question.single or question.kind == "liked")
    }
    listed = [
        value
        for value in _values()[question.kind]
        if question.kind == "age" or not _telling(value) <= known
    ]
    wrong: list[str] = []
    for value in [*_shuffled(own, question)[: OPTIONS // 2], *_shuffled(listed, question)]:
        if words_of(value) not in [words_of(other) for other in (*wrong, question.answer)]:
            wrong.append(value)
    return [question.answer, *wrong[: OPTIONS - 1]]


def _telling(value: str) -> set[str]:
    words = set(words_of(value))
    return words - {"a", "an", "the", "i", "am", "my", "to", "of", "in", "have", "and"} or words


def _kind_of(noun: str) -> str:
    for pattern, kind in _KINDS_OF_NOUNS:
        if re.search(rf"\b(?:{pattern})s?\Z", noun, re.IGNORECASE):
            return kind
    return "thing"


def _shuffled(values: Iterable[str], question: Question) -> list[str]:
    def key(value: str) -> str:
        return hashlib.sha256(f"{question.text}\n{question.answer}\n{value}".encode()).hexdigest()

    return sorted(values, key=key)


@functools.cache
def _values() -> dict[str, list[str]]:
    path = resources.files("ondevice.evaluation") / "data" / "values.json"
    values: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))
    return values
