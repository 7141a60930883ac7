import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import levels, table

from ondevice.evaluation.bootstrap import Estimate
from ondevice.evaluation.decision import GateSettings, compare, decide
from ondevice.evaluation.evaluate import EvaluationSettings
from ondevice.evaluation.table import ARMS, Metric, Table


def test_nothing_measured_stays_with_the_prompt() -> None:
    decision = decide(Table(ARMS, {}, {}))
    assert (decision.arm, decision.status, decision.activate) == ("prompt", "inconclusive", False)
    assert decision.summary == "not enough data: staying with the prompt."


def test_differences_that_may_be_chance_stay_with_the_prompt() -> None:
    decision = decide(table(levels(text=(0, 0, 0.015, 0.019))))
    assert (decision.arm, decision.status) == ("prompt", "inconclusive")
    assert "not enough data: staying with the prompt" in decision.summary


def test_few_items_decide_nothing_however_clear_they_look() -> None:
    decision = decide(table(levels(text=(0, 0, 1, 1)), n=GateSettings().fewest - 1))
    assert (decision.arm, decision.status) == ("prompt", "inconclusive")


def test_an_adapter_that_predicts_better_wins() -> None:
    decision = decide(table(levels(text=(0, 0.1, 0.05, 0.3))))
    assert (decision.arm, decision.status, decision.activate) == ("hybrid", "decided", True)
    assert "your own text +0.200 nats a token [+0.180, +0.220]" in decision.summary


def test_choices_alone_are_enough_to_win() -> None:
    decision = decide(table(levels(choices=(0.3, 0.5, 0.4, 0.7))))
    assert (decision.arm, decision.activate) == ("hybrid", True)


def test_better_at_one_and_worse_at_the_other_does_not_win() -> None:
    decision = decide(table(levels(text=(0, 0, 0, 0.3), choices=(0.5, 0.5, 0.5, 0.3))))
    assert (decision.arm, decision.status, decision.activate) == ("prompt", "refused", False)
    assert "multiple choice -20.0 points" in decision.summary
    assert "although your own text" in decision.summary


def test_worse_at_facts_does_not_win() -> None:
    worse = levels(text=(0, 0, 0.3, 0.3), f1=(0.1, 0.5, 0.1, 0.4))
    decision = decide(table(worse))
    assert (decision.arm, decision.status, decision.activate) == ("prompt", "refused", False)
    assert "questions about facts -10.0 points" in decision.summary


def test_a_loss_at_facts_within_the_margin_is_allowed_while_it_may_be_chance() -> None:
    slight = table(levels(text=(0, 0, 0.3, 0.3), f1=(0.5, 0.5, 0.5, 0.49)))
    assert decide(slight).activate
    beyond = levels(text=(0, 0, 0.3, 0.3), f1=(0.5, 0.5, 0.4, 0.4))
    assert not decide(table(beyond, width=0.2)).activate


@pytest.mark.parametrize(("lost", "wins"), [(0.0, True), (0.0099, True), (0.011, False)])
def test_neutral_text_may_get_one_per_cent_worse(lost: float, wins: bool) -> None:
    decision = decide(table(levels(text=(0, 0, 0.3, 0.3), neutral=math.log1p(lost))))
    assert decision.activate is wins
    if not wins:
        assert decision.status == "refused"
        assert "neutral text's perplexity +1.1%, more than +1%" in decision.summary


def test_an_adapter_without_neutral_text_does_not_win() -> None:
    made = levels(text=(0, 0, 0.3, 0.3))
    for figures in made.values():
        del figures["neutral"]
    assert decide(table(made)).status == "refused"


def test_of_two_winners_the_simpler_one_stays() -> None:
    decision = decide(table(levels(text=(0, 0, 0.3, 0.31))))
    assert (decision.arm, decision.activate) == ("adapter", True)


def test_of_two_winners_the_more_complex_one_wins_if_it_beats_the_simpler_one() -> None:
    assert decide(table(levels(text=(0, 0, 0.3, 0.4)))).arm == "hybrid"


def test_the_adapter_is_not_activated_if_it_only_helps_without_the_memory() -> None:
    """Memory stays on, so what matters is whether the adapter helps beside it."""
    for hybrid in (0.0, 0.11):
        decision = decide(table(levels(text=(0, 0.1, 0.3, hybrid))))
        assert (decision.arm, decision.activate) == ("adapter", False)
        assert "beside the memory the adapter was not found to help" in decision.summary


def test_the_base_may_win_where_memory_does_harm() -> None:
    decision = decide(table(levels(text=(0.3, 0, 0.3, 0.0))))
    assert (decision.arm, decision.status, decision.activate) == ("base", "decided", False)


def test_without_an_adapter_base_and_prompt_are_compared() -> None:
    made = levels(choices=(0.3, 0.6, 0, 0))
    del made["adapter"], made["hybrid"]
    decision = decide(table(made))
    assert (decision.arm, decision.status, decision.activate) == ("prompt", "decided", False)


def test_a_harmful_adapter_is_refused_and_the_reason_named() -> None:
    decision = decide(table(levels(text=(0, 0, -0.5, -0.6))))
    assert (decision.arm, decision.status) == ("prompt", "refused")
    assert "with the adapter, your own text -0.600 nats a token" in decision.summary


def test_infinite_intervals_prove_nothing() -> None:
    gains = {
        ("hybrid", "prompt", "text"): Estimate(1.0, -math.inf, math.inf, 50),
        ("hybrid", "base", "neutral"): Estimate(0.0, 0.0, 0.0, 50),
    }
    assert not compare(Table(ARMS, {}, gains), "hybrid", "prompt").wins  # type: ignore[arg-type]


def beside(active_text: float, active_f1: float = 0.5) -> Table:
    """A candidate that wins over the prompt, and the adapter in use."""
    made = levels(text=(0, 0.1, 0.1, 0.4), f1=(0.1, 0.5, 0.1, 0.5))
    figures: dict[Metric, float] = {"text": active_text, "f1": active_f1, "exact": 0.5}
    made["active"] = {**made["hybrid"], **figures}
    return table(made)


def test_an_adapter_that_is_worse_than_the_one_in_use_does_not_replace_it() -> None:
    decision = decide(beside(0.45))
    assert (decision.arm, decision.status, decision.activate) == ("active", "refused", False)
    assert "staying with the adapter in use" in decision.summary
    assert "your own text -0.050 nats a token" in decision.summary
    forgetful = decide(beside(0.4, active_f1=0.6))
    assert not forgetful.activate
    assert "questions about facts -10.0 points" in forgetful.summary


@pytest.mark.parametrize(("of_active", "said"), [(0.41, "not worse"), (0.2, "+0.200 nats")])
def test_one_that_is_not_worse_than_the_one_in_use_replaces_it(of_active: float, said: str) -> None:
    decision = decide(beside(of_active))
    assert (decision.arm, decision.activate) == ("hybrid", True)
    assert f"{said}" in decision.summary
    assert "compared with the adapter in use" in decision.summary
    assert decision.verdicts[-1].against == "active"


def test_a_clear_gain_over_the_one_in_use_is_not_enough_without_one_over_the_prompt() -> None:
    made = levels(text=(0, 0.5, 0.1, 0.5))
    made["active"] = {**made["hybrid"], "text": 0.1}
    assert not decide(table(made)).activate


def test_few_questions_are_said_and_any_loss_at_them_counts() -> None:
    def with_facts(gain: float, width: float, n: int) -> Table:
        made = table(levels(text=(0, 0, 0.3, 0.3)))
        facts = Estimate(gain, gain - width, gain + width, n)
        arms = [("hybrid", "prompt"), ("adapter", "prompt")]
        gains = {**made.gains, **{(*arm, "f1"): facts for arm in arms}}
        return Table(made.arms, made.figures, gains)  # type: ignore[arg-type]

    unchanged = decide(with_facts(0.0, 0.0, 12))
    assert unchanged.activate
    assert "n = 12: a loss of 22 points could have gone unnoticed" in unchanged.summary
    assert "a loss of 15 points" in decide(with_facts(0.0, 0.15, 40)).summary
    assert not decide(with_facts(-0.01, 0.3, 5)).activate  # five are too few for a margin
    assert decide(with_facts(0.0, 0.0, 5)).activate
    assert not decide(with_facts(0.0, 0.25, 12)).activate  # it may have lost a quarter
    none = decide(with_facts(math.nan, math.nan, 0))
    assert none.activate
    assert "no facts to ask about" in none.summary


number = st.floats(-1, 1, allow_nan=False)
four = st.tuples(number, number, number, number)


@given(four, four, four, st.floats(-0.1, 0.1), st.integers(0, 60), st.floats(0.001, 0.3))
def test_no_table_activates_an_adapter_that_breaks_a_rule(
    text: tuple[float, float, float, float],
    choices: tuple[float, float, float, float],
    f1: tuple[float, float, float, float],
    neutral: float,
    n: int,
    width: float,
) -> None:
    measured = table(levels(text, choices, f1, neutral), n=n, width=width)
    decision = decide(measured)
    assert decision.arm in ARMS
    assert decision.summary.endswith(".")
    if not decision.activate:
        return
    assert n >= GateSettings().fewest
    assert decision.arm in ("adapter", "hybrid")
    arm = decision.arm
    gains = [measured.gain(arm, "prompt", metric) for metric in ("text", "choices")]
    assert any(gain.low > 0 for gain in gains)
    assert any(measured.gain("hybrid", "prompt", m).low > 0 for m in ("text", "choices"))
    for one in (arm, "hybrid"):
        assert all(measured.gain(one, "prompt", m).high >= 0 for m in ("text", "choices", "f1"))
        assert math.expm1(neutral) <= GateSettings().neutral_growth + 1e-9


def test_the_bound_of_neutral_text_is_a_setting() -> None:
    measured = table(levels(text=(0, 0, 0.3, 0.3), neutral=0.02))  # 2 % worse
    default = EvaluationSettings()
    assert not decide(measured, default.gate).activate
    assert decide(measured, default.within(0.03).gate).activate
    assert not decide(measured, default.within(0.03).within(0.0).gate).activate
