"""What counts as the same question in other words, and that nothing said before decides it."""

from __future__ import annotations

import pytest
from fake_engine import FakeEngine

from ondevice.learning.examples.paraphrase import Paraphraser


@pytest.mark.parametrize(
    ("answer", "usable"),
    [
        ("How was my dog named again?", True),
        ("Where is my dog?", False),  # the name is not asked for
        ("What is my dog named?", False),  # the same words
        ("What is my cat called these days?", False),  # another question
        ("What is your dog called?", False),  # asked by somebody else
        ("My dog is called Biscuit.", False),  # no question
        ("Well, dog named or no dog named, what would I call it, and why, and who would?", False),
    ],
)  # fmt: skip
def test_only_the_same_question_in_other_words_is_taken(answer, usable):
    engine = FakeEngine([answer])
    assert Paraphraser(engine)("What is my dog named?") in ((answer,) if usable else (None,))


def test_seed_and_cache_depend_on_the_question_alone():
    engine = FakeEngine(["Which name does my dog have?"])
    paraphrase = Paraphraser(engine)
    paraphrase("Where do I live?")
    paraphrase("What is my dog named?")
    alone = FakeEngine(["Which name does my dog have?"])
    Paraphraser(alone)("What is my dog named?")
    assert engine.calls.chats[1] == alone.calls.chats[0]
    assert engine.calls.chats[0][1].seed != engine.calls.chats[1][1].seed
