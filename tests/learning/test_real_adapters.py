"""The gate with adapters that were really trained, judged by the real model."""

from __future__ import annotations

import pytest

from ondevice.adapters.registry import AdapterRegistry
from ondevice.cli.demo import person
from ondevice.engine.llama import LlamaEngine
from ondevice.evaluation.evaluate import EvaluationSettings
from ondevice.evaluation.items import ItemSettings
from ondevice.learning.options import LearnOptions
from ondevice.learning.run import Learner
from ondevice.memory.search import Recall
from ondevice.settings import LearningSettings, ModelSettings, RecallSettings, Settings
from ondevice.store.records import NewPassage

DAY = 86_400.0
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
def keeper(make_profile):
    """A profile with the notes of the person of the demo, who has a voice of her own."""
    profile = make_profile(n_things=0, facts=())
    log = profile.sources.add("import", "log", time=DAY)
    notes = [row["text"] for row in person.rows() if row["kind"] == "note"]
    passages = [NewPassage(text, time=DAY * day) for day, text in enumerate(notes, 1)]
    profile.passages.add(log.id, passages)
    return profile


def test_the_better_one_replaces_the_active_one_and_the_worse_one_does_not(
    keeper, engine, no_embedder, monkeypatch
):
    items = ItemSettings(texts=12, max_words=16, neutral=1)
    monkeypatch.setattr(EvaluationSettings, "fast", lambda: EvaluationSettings(items=items))

    def learn(tokens):
        how = LearnOptions(
            method="sft", token_budget=tokens, from_scratch=True, quick=True, threads=1
        )
        recall = Recall(keeper, no_embedder)
        report = Learner(keeper, engine, recall, SETTINGS, options=how).learn()
        states = {row.name: row.state for row in AdapterRegistry(keeper).list()}
        return report, states

    def gain(report, against):
        return report.evaluation.table.gain("hybrid", against, "text")

    first, states = learn(1500)
    assert states == {"me-1": "active"}
    assert gain(first, "prompt").low > 0

    better, states = learn(6000)
    assert states == {"me-1": "off", "me-2": "active"}
    assert gain(better, "active").low > 0
    assert "compared with the adapter in use" in better.reason

    worse, states = learn(600)
    assert states == {"me-1": "off", "me-2": "active", "me-3": "candidate"}
    assert worse.outcome == "candidate"
    assert gain(worse, "prompt").low > 0  # it helps, but less than the one in use
    assert gain(worse, "active").high < 0
    assert worse.reason.startswith("staying with the adapter in use")
    assert "your own text -" in worse.reason
    assert worse.evaluation.decision.arm == "active"
