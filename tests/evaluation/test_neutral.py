"""Neutral text shows what was lost only if it is unlike everything that is trained on."""

from __future__ import annotations

import json
from collections import Counter
from importlib import resources

import pytest

from ondevice.demo import person
from ondevice.evaluation.items import ItemSettings, NeutralItem, neutral_items
from ondevice.evaluation.split import words_of
from ondevice.examples.replay import neutral as replayed
from ondevice.recall.embedder import Embedder

WORDS_IN_COMMON = 8
LIKE_A_REPLAYED_ONE = 0.5  # cosine of MiniLM's vectors; texts about one topic have 0.53 and more


def replay_texts() -> list[str]:
    return ["\n".join(m.content for m in example.messages) for example in replayed()]


def whole(item: NeutralItem) -> str:
    return "\n".join([*(message.content for message in item.messages), item.text])


def stretches(text: str) -> set[tuple[str, ...]]:
    words = words_of(text)
    return {tuple(words[i : i + WORDS_IN_COMMON]) for i in range(len(words) - WORDS_IN_COMMON + 1)}


def test_it_is_of_many_kinds_and_in_every_selection() -> None:
    kinds = Counter(item.kind for item in neutral_items())
    assert len(kinds) >= 8
    assert kinds.most_common(1)[0][1] < 0.3 * kinds.total()
    for settings in (ItemSettings.fast(), ItemSettings()):
        assert len({item.kind for item in neutral_items()[: settings.neutral]}) >= 7


def test_none_has_the_form_of_what_is_replayed() -> None:
    """Those are an instruction and a short answer."""
    for item in neutral_items():
        assert not item.messages or (len(item.messages) >= 3 and len(item.text.split()) > 50)


def test_it_shares_no_stretch_of_words_with_what_is_trained_on() -> None:
    trained = [*replay_texts(), *(json.dumps(row) for row in person.rows())]
    known = set().union(*map(stretches, trained))
    assert known
    for item in neutral_items():
        assert not stretches(whole(item)) & known, item.text[:60]


def test_it_shares_no_topic_with_what_is_replayed() -> None:
    embedder = Embedder()
    theirs = embedder.embed(replay_texts())
    for item in neutral_items():
        ours = embedder.embed([*(m.content for m in item.messages), item.text])
        closeness = ours @ theirs.T
        nearest = float(closeness.max())
        told = f"{item.text[:60]!r} is like {replay_texts()[int(closeness.max(0).argmax())]!r}"
        assert nearest < LIKE_A_REPLAYED_ONE, told


@pytest.mark.parametrize("name", ["neutral.json"])
def test_it_is_given_to_the_public_domain(name: str) -> None:
    readme = (resources.files("ondevice.evaluation") / "data" / "README.md").read_text("utf-8")
    assert "CC0" in readme
    assert name in readme
