"""What is drawn from a text, and by what; the classifier is scripted here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from ondevice.memory.forming.classifier import Classifier, Judgement
from ondevice.memory.forming.form import Former, Text
from ondevice.memory.forming.sentences import Kind


class Scripted(Classifier):
    """Takes "sure" for a statement, "maybe" for an unsure one, "tell" for a telling request."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    @property
    def sure(self) -> float:
        return 0.8

    @property
    def unsure(self) -> float:
        return 0.5

    def judge(self, sentences: Sequence[str], vectors: np.ndarray) -> list[Judgement]:
        assert len(vectors) == len(sentences)
        self.asked += sentences
        return [
            Judgement("telling", 0.1, 0.8, "me", "health")
            if "tell" in one
            else Judgement("statement", 0.9 if "sure" in one else 0.6, 0.0, "me", "health")
            if "sure" in one or "maybe" in one
            else Judgement("other", 0.1, 0.0, "me", "health")
            for one in sentences
        ]


class Embedding:
    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.texts += texts
        return np.ones((len(texts), 4), np.float32)


def form(text: str, kind: Kind = Kind.TURN) -> list[tuple[str, str]]:
    classifier = Scripted()
    formed = Former(lambda: classifier, Embedding()).form([Text(text, kind)])[0]
    return [(one.candidate.text, one.state) for one in formed if not one.ending]


def test_what_the_rules_know_is_theirs_and_the_rest_is_judged() -> None:
    classifier = Scripted()
    text = "I live in Ghent. surely no gluten, ever\nsurely no gluten, ever\nnothing to see"
    formed = Former(lambda: classifier, Embedding()).form([Text(text, Kind.TURN)])[0]
    assert [(one.candidate.text, one.as_said) for one in formed] == [
        ("The user lives in Ghent.", False), ("surely no gluten, ever", True),
    ]  # fmt: skip
    assert formed[0].candidate.subject and formed[1].candidate.category == "health"
    assert "I live in Ghent." not in classifier.asked


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("surely not in Rome any more", "active"),
        ("maybe coeliac", "pending"),
        ("is that ok for me, a surely diabetic?", "pending"),
        ("tell me what a coeliac may eat", "pending"),
    ],
)
def test_what_is_certain_is_used_and_the_rest_waits(text: str, state: str) -> None:
    assert form(text) == [(text, state)]  # and not a word is changed


def test_a_letter_in_a_note_waits_and_a_secret_is_left_out() -> None:
    assert form("Dear Tom,\nI live in Rome. surely true", Kind.NOTE)[-2:] == [
        ("The user lives in Rome.", "pending"), ("surely true", "pending"),
    ]  # fmt: skip
    assert form("surely my password is hunter2") == []
    assert form("My PIN is 4711.") == []


def test_a_text_to_be_worked_on_states_nothing() -> None:
    assert form("Translate: I live in Rome.\nsurely true") == []
    assert form("Translate to German: surely I am coeliac") == []
    assert form("Write a plan, surely I'm coeliac. I live in Rome.") == [
        ("Write a plan, surely I'm coeliac.", "pending")
    ]


def test_the_vector_of_a_text_that_is_one_sentence_is_used_again() -> None:
    classifier, embedding = Scripted(), Embedding()
    texts = [Text("surely true", Kind.NOTE, np.zeros(4, np.float32)), Text("so so", Kind.NOTE)]
    Former(lambda: classifier, embedding).form(texts)
    assert embedding.texts == ["so so"]
