"""The gate with adapters that were really trained, judged by the real model."""

from __future__ import annotations

import pytest

from ondevice.adapters.registry import AdapterRegistry
from ondevice.engine.llama import LlamaEngine
from ondevice.evaluation.evaluate import EvaluationSettings
from ondevice.evaluation.items import ItemSettings
from ondevice.learning.options import LearnOptions
from ondevice.learning.run import Learner
from ondevice.profile.records import NewPassage
from ondevice.recall.search import Recall
from ondevice.settings import LearningSettings, ModelSettings, RecallSettings, Settings

DAY = 86_400.0
WORDS = (
    "kettle stairs bicycle gate radio bread neighbour post rain cat lamp ferry window soup library "
    "shed choir dentist market clock coat frost bakery bus ladder orchard barrel chimney drawer "
    "engine fiddle goose hammer inkwell jar kitchen letter mirror needle oven pillow quilt roof "
    "saddle table umbrella violin wagon yard anchor basket candle"
)
# A trained adapter moves other text a little; here only the two adapters are compared.
SETTINGS = Settings(
    learning=LearningSettings(paraphrases=False, neutral_growth=10.0),
    recall=RecallSettings(memories=0),
)


@pytest.fixture
def engine(base, home):
    """The real model, on one thread."""
    with LlamaEngine(base, ModelSettings(n_ctx=512, n_threads=1), home) as engine:
        yield engine


@pytest.fixture
def sailor(make_profile):
    """A profile of notes that are all written in one voice."""
    profile = make_profile(n_things=0, facts=())
    log = profile.add_source("import", "log", time=DAY)
    for day, thing in enumerate(WORDS.split()):
        text = (
            f"Avast, the {thing} again, says I; and the sea take it, for a salted dog has seen "
            "worse, arr!"
        )
        profile.add_passages(log.id, [NewPassage(text, time=DAY * (day + 1))])
    return profile


def test_the_better_one_replaces_the_active_one_and_the_worse_one_does_not(
    sailor, engine, no_embedder, monkeypatch
):
    items = ItemSettings(texts=10, max_words=16, neutral=1)
    monkeypatch.setattr(EvaluationSettings, "fast", lambda: EvaluationSettings(items=items))

    def learn(tokens):
        how = LearnOptions(
            method="sft", token_budget=tokens, from_scratch=True, quick=True, threads=1
        )
        recall = Recall(sailor, no_embedder)
        report = Learner(sailor, engine, recall, SETTINGS, options=how).learn()
        states = {row.name: row.state for row in AdapterRegistry(sailor).list()}
        return report, states

    def gain(report, against):
        return report.evaluation.table.gain("hybrid", against, "text")

    first, states = learn(1000)
    assert states == {"me-1": "active"}
    assert gain(first, "prompt").low > 0

    better, states = learn(2500)
    assert states == {"me-1": "off", "me-2": "active"}
    assert gain(better, "active").low > 0
    assert "compared with the adapter in use" in better.reason

    worse, states = learn(500)
    assert states == {"me-1": "off", "me-2": "active", "me-3": "candidate"}
    assert worse.outcome == "candidate"
    assert gain(worse, "prompt").low > 0  # it helps, but less than the one in use
    assert gain(worse, "active").high < 0
    assert worse.reason.startswith("staying with the adapter in use")
    assert "your own text -" in worse.reason
    assert worse.evaluation.decision.arm == "active"
