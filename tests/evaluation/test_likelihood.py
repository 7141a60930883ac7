"""The fast way to measure likelihoods against the plain one, with the real model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine

from ondevice.engine.llama import LlamaEngine
from ondevice.engine.protocol import AdapterUse
from ondevice.evaluation.items import neutral_items
from ondevice.evaluation.likelihood import DecoderScorer, scorer_for, set_adapters
from ondevice.models.base_model import BaseModel

PERSONA = (
    "Notes about the user:\n- The user keeps a lock on a canal.\n- The user's cat is Moss.\n\n"
)
QUESTIONS = ("What is my cat called?", "Where do I work? Answer in a few words.")
OPTIONS = (" Moss.", " At a lock on a canal.", " I do not know that.")


@pytest.fixture
def scorer(shared_engine: LlamaEngine) -> DecoderScorer:
    found = scorer_for(shared_engine)
    assert isinstance(found, DecoderScorer)
    return found


def test_shared_beginnings_change_nothing(
    shared_engine: LlamaEngine, scorer: DecoderScorer
) -> None:
    tokens = shared_engine.tokenize
    shared = len(tokens(PERSONA)) - 2
    options = [tokens(option) for option in OPTIONS]
    contexts = [tokens(PERSONA + question) for question in QUESTIONS]
    for context in [*contexts, contexts[0]]:
        together = scorer.score_options(options, context=context, shared=shared)
        for option, found in zip(options, together, strict=True):
            (plain,) = scorer.score_options([option], context=context)
            assert found.tokens == option
            assert found.nats == pytest.approx(plain.nats, rel=0.02)  # bfloat16


def test_it_measures_what_llama_cpp_measures(
    shared_engine: LlamaEngine,
    scorer: DecoderScorer,
    default_model: BaseModel,
    make_adapter: Callable[..., tuple[Path, str]],
) -> None:
    path, digest = make_adapter(3, magnitude=0.05)
    adapter = AdapterUse("random", digest, path, default_model.sha256)
    texts = [shared_engine.tokenize(item.text)[:60] for item in neutral_items()[:8]]
    n_tokens = sum(map(len, texts))
    means = []
    for uses in ([], [adapter]):
        set_adapters(shared_engine, scorer, uses)
        both = np.array(
            [
                [one.score_options([text], context=[])[0].nats for text in texts]
                for one in (shared_engine, scorer)
            ]
        )
        np.testing.assert_allclose(both[1], both[0], rtol=0.03)  # llama.cpp rounds activations
        means.append(both.sum(axis=1) / n_tokens)
    shared_engine.set_adapters([])
    assert means[0][1] == pytest.approx(means[0][0], abs=0.02)
    assert abs(means[1][0] - means[0][0]) > 0.02  # the adapter is felt
    assert means[1] - means[0] == pytest.approx((means[1] - means[0]).mean(), abs=0.02)


def test_an_engine_that_the_processor_does_not_compute_scores_itself() -> None:
    engine = FakeEngine(["Yes."])
    assert scorer_for(engine) is engine
