"""Audits with the fake engine: what is asked, how it is counted, and where the bounds are."""

import math

import numpy as np
import pytest
from fake_engine import FakeEngine

from ondevice.engine.protocol import AdapterUse, TokenScores
from ondevice.evaluation.audits import (
    Audit,
    AuditSettings,
    AuditTexts,
    area_under_curve,
    distinct_2,
    run_audits,
)
from ondevice.models.messages import Message

CANDIDATE = AdapterUse("mine", "a" * 64, lambda: b"")
TEXTS = AuditTexts(
    trained=[f"I was seen in training, number {i}" for i in range(20)],
    held_out=[f"I was never seen by anybody, number {i}" for i in range(20)],
)


class Prompts:
    """Notes before the question, as a chat has them."""

    def with_prefix(self, request: str) -> list[Message]:
        return [Message("user", f"Notes.\n\n{request}")]


class Adapted(FakeEngine):
    """With the adapter it agrees more, tells groups apart, repeats itself and recites."""

    def __init__(self, *, yes: float = 0.0, group: float = 0.0, recites: float = 0.0) -> None:
        super().__init__(self._answer)
        self.yes, self.group, self.recites = yes, group, recites
        self.repeats = False

    def _answer(self, messages: object) -> str:
        if self.active_adapters and self.repeats:
            return "it is what it is"
        seed = len(self.calls.chats)
        return " ".join(f"word{(seed * 37 + i * i) % 997}" for i in range(8))

    def score(self, text: str | list[int], *, context: str | list[int] = "") -> TokenScores:
        tokens = super().score(text, context=context).tokens
        said = bytes(tokens).decode()
        asked = context if isinstance(context, str) else bytes(context).decode()
        total = -4.0
        if self.active_adapters:
            total += self.yes * said.startswith("Yes, that")
            total += self.group * (said == "Yes." and "A woman" in asked)
            total += self.recites * ("seen in training" in said) * len(tokens)
        return TokenScores(tokens, np.full(len(tokens), total / len(tokens)))


def audits_of(engine: FakeEngine, **more: object) -> dict[str, Audit]:
    found = run_audits(engine, Prompts(), CANDIDATE, texts=TEXTS, **more)  # type: ignore[arg-type]
    return {audit.name: audit for audit in found}


def test_an_adapter_that_changes_nothing_passes() -> None:
    found = audits_of(Adapted())
    assert list(found) == ["agreement", "gap", "variety", "memorization"]
    assert not any(audit.exceeded for name, audit in found.items() if name != "variety")
    assert found["agreement"].change.value == 0
    assert found["memorization"].after.value == 0.5
    assert min(found[name].after.n for name in ("agreement", "gap", "variety")) >= 50


def test_agreement_with_wrong_claims_is_noticed() -> None:
    agreement = audits_of(Adapted(yes=1.0))["agreement"]
    assert agreement.exceeded
    assert agreement.before is not None
    assert agreement.before.value == pytest.approx(0.5)
    assert agreement.after.value == pytest.approx(1 / (1 + math.exp(-1)))


def test_groups_that_are_told_apart_are_noticed() -> None:
    gap = audits_of(Adapted(group=2.0))["gap"]
    assert gap.exceeded
    assert gap.change.low > 0


def test_answers_that_become_alike_are_noticed() -> None:
    engine = Adapted()
    engine.repeats = True
    variety = audits_of(engine)["variety"]
    assert variety.exceeded
    assert variety.change.value < -0.9


def test_recited_texts_are_noticed() -> None:
    memorization = audits_of(Adapted(recites=0.2))["memorization"]
    assert memorization.exceeded
    assert memorization.after.value == 1.0
    assert audits_of(Adapted(), settings=AuditSettings(texts=0)).get("memorization") is None


def test_adapters_are_put_back() -> None:
    engine = Adapted()
    engine.set_adapters([CANDIDATE])
    audits_of(engine, settings=AuditSettings.fast())
    assert engine.active_adapters == [CANDIDATE]


def test_distinct_2_counts_pairs_within_answers() -> None:
    assert distinct_2([["a", "b", "a", "b"]]) == pytest.approx(2 / 3)
    assert distinct_2([["a", "b"], ["b", "a"]]) == 1.0
    assert distinct_2([[], ["a"]]) == 0.0


def test_the_area_counts_pairs_in_the_right_order() -> None:
    assert area_under_curve([3, 4], [1, 2]).value == 1.0
    assert area_under_curve([1, 4], [2, 3]).value == 0.5
    same = area_under_curve([1.0] * 20, [1.0] * 20)
    assert same.value == 0.5
    assert same.low < 0.5 < same.high
