"""Neutral text shows what was lost only if it is unlike everything that is trained on."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from importlib import resources

import pytest

from ondevice.cli.demo import person
from ondevice.evaluation.items import ItemSettings, neutral_items
from ondevice.evaluation.split import words_of
from ondevice.learning.examples.replay import neutral as replayed
from ondevice.memory.embedders.minilm import MiniLM

WORDS_IN_COMMON = 8
LIKE_A_REPLAYED_ONE = 0.5  # cosine of MiniLM's vectors; texts about one topic have 0.53 and more


def replay_texts() -> list[str]:
    return ["\n".join(m.content for m in example.messages) for example in replayed()]


def stretches(text: str) -> set[tuple[str, ...]]:
    words = words_of(text)
    return {tuple(words[i : i + WORDS_IN_COMMON]) for i in range(len(words) - WORDS_IN_COMMON + 1)}


def test_it_is_of_many_kinds_and_in_every_selection() -> None:
    kinds = Counter(item.kind for item in neutral_items())
    assert len(kinds) >= 8
    assert kinds.most_common(1)[0][1] < 0.5 * kinds.total()
    for settings in (ItemSettings.fast(), ItemSettings()):
        assert len({item.kind for item in neutral_items()[: settings.neutral]}) >= 7


def test_none_has_the_form_of_what_is_replayed() -> None:
    """That is an instruction with a short answer; a neutral text stands by itself."""
    ours, theirs = (
        statistics.median(len(text.split()) for text in texts)
        for texts in ([item.text for item in neutral_items()], replay_texts())
    )
    assert ours > 4 * theirs


def test_it_shares_no_stretch_of_words_with_what_is_trained_on() -> None:
    trained = [*replay_texts(), *(json.dumps(row) for row in person.rows())]
    known = set().union(*map(stretches, trained))
    assert known
    for item in neutral_items():
        assert not stretches(item.text) & known, item.text[:60]


@pytest.mark.model  # hundreds of texts are embedded
def test_it_shares_no_topic_with_what_is_replayed() -> None:
    embedder = MiniLM()
    theirs = embedder.embed(replay_texts())
    ours = embedder.embed([item.text for item in neutral_items()])
    for item, closeness in zip(neutral_items(), ours @ theirs.T, strict=True):
        nearest = replay_texts()[int(closeness.argmax())]
        assert closeness.max() < LIKE_A_REPLAYED_ONE, f"{item.text[:60]!r} is like {nearest!r}"


def test_it_is_given_to_the_public_domain() -> None:
    readme = (resources.files("ondevice.evaluation") / "data" / "README.md").read_text("utf-8")
    assert "CC0" in readme
    assert "neutral.json" in readme
