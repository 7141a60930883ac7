"""The gate: which arm the measurements speak for.

Memory in the prompt is the arm that stands unless another one wins. An arm wins
over another if, with confidence, it predicts the person's own text better or
chooses better, is not worse at the other of the two and at facts, and has left
neutral text alone. If several win, the simplest one does, unless a more complex
one wins over it as well. An adapter that would replace another one must also not
be worse than that one.

Few questions prove little. So a loss at facts counts against an arm if it is
sure, or larger than a margin, or if a large one cannot be ruled out; of fewer
questions than a measure needs, any loss counts. What could still go unnoticed is
said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from ondevice.evaluation.bootstrap import Estimate
from ondevice.evaluation.table import ACTIVE, ArmName, Metric, Table
from ondevice.settings import LearningSettings

STANDING: ArmName = "prompt"
WITH_ADAPTER: frozenset[ArmName] = frozenset({"adapter", "hybrid"})

# What an arm can win by; facts and neutral text can only lose.
DECISIVE: Final[tuple[tuple[Metric, str], ...]] = (
    ("text", "your own text"),
    ("choices", "multiple choice"),
)

Status = Literal["decided", "inconclusive", "refused"]


@dataclass(frozen=True)
class GateSettings:
    """The bounds of the decision."""

    fewest: int = 10  # independent items of a measure, else it decides nothing
    fact_margin: float = 0.05  # token F1 may be lower by this much if that may be chance
    fact_doubt: float = 0.20  # and may not, within its interval, be lower by more than this
    neutral_growth: float = LearningSettings.neutral_growth  # of neutral text's perplexity


@dataclass(frozen=True)
class Verdict:
    """How one arm compares with another."""

    arm: ArmName
    against: ArmName
    wins: bool
    better: tuple[str, ...]  # sentences
    worse: tuple[str, ...]


@dataclass(frozen=True)
class Decision:
    """What to use.

    Attributes:
        arm: the winner, or the arm that stays: "active" is the adapter that is in use.
        status: "decided" an arm won, or the evidence speaks for the one that stays;
            "inconclusive" there is too little data to tell; "refused" the adapter does harm.
        activate: whether the adapter should be used: it helps beside the memory, which stays on.
        summary: one sentence.
        verdicts: of every comparison that was made.
    """

    arm: ArmName
    status: Status
    activate: bool
    summary: str
    verdicts: tuple[Verdict, ...]


def decide(table: Table, settings: GateSettings | None = None) -> Decision:
    """Return the decision for the measured `table`."""
    settings = settings or GateSettings()
    challengers = [arm for arm in table.arms if arm not in (STANDING, ACTIVE)]
    verdicts = [compare(table, arm, STANDING, settings) for arm in challengers]
    winners = [verdict.arm for verdict in verdicts if verdict.wins]
    if not winners:
        return _stays(table, verdicts, settings)
    best = winners[0]
    for arm in winners[1:]:
        verdict = compare(table, arm, best, settings)
        verdicts.append(verdict)
        if verdict.wins:
            best = arm
    reasons = next(v.better for v in verdicts if v.arm == best and v.against == STANDING)
    activate = _helps_beside_memory(best, verdicts)
    summary = f"{best}: {'; '.join(reasons)}"
    if best in WITH_ADAPTER and not activate:
        summary += "; but beside the memory the adapter was not found to help, so it stays off"
    if activate and ACTIVE in table.arms:
        verdict = compare(table, "hybrid", ACTIVE, settings)
        verdicts.append(verdict)
        if verdict.worse:
            summary = (
                "staying with the adapter in use: beside the memory the new one has "
                f"{'; '.join(verdict.worse)}, compared with it."
            )
            return Decision(ACTIVE, "refused", False, summary, tuple(verdicts))
        summary += f"; {'; '.join(verdict.better) or 'not worse'}, compared with the adapter in use"
    if activate:
        summary += f"; {_said_of_facts(table, settings)}"
    return Decision(best, "decided", activate, summary + ".", tuple(verdicts))


def compare(
    table: Table, arm: ArmName, against: ArmName, settings: GateSettings | None = None
) -> Verdict:
    """Return how `arm` compares with `against`."""
    settings = settings or GateSettings()
    better: list[str] = []
    worse: list[str] = []
    for metric, what in DECISIVE:
        gain = _usable(table.gain(arm, against, metric), settings)
        if gain is None:
            continue
        shown = _nats(gain) if metric == "text" else _points(gain)
        if gain.low > 0:
            better.append(f"{what} {shown}")
        elif gain.high < 0:
            worse.append(f"{what} {shown}")
    facts = table.gain(arm, against, "f1")
    if _loses(facts, settings):
        worse.append(f"questions about facts {_points(facts)}, n = {facts.n}")
    neutral = table.neutral_change(arm)
    if arm in WITH_ADAPTER and not neutral.value <= settings.neutral_growth:
        worse.append(
            f"neutral text's perplexity {neutral.value:+.1%}, more than "
            f"{settings.neutral_growth:+.0%}"
            if neutral.n
            else "neutral text was not measured"
        )
    return Verdict(arm, against, bool(better) and not worse, tuple(better), tuple(worse))


def _stays(table: Table, verdicts: list[Verdict], settings: GateSettings) -> Decision:
    with_adapter = [v for v in verdicts if v.arm in WITH_ADAPTER]
    harmful = next((v for v in reversed(with_adapter) if v.worse), None)
    enough = any(_usable(table.figures.get((STANDING, m)), settings) for m, _ in DECISIVE)
    if harmful is not None and enough:
        better = f" although {'; '.join(harmful.better)}" if harmful.better else ""
        summary = f"staying with the prompt: with the adapter, {'; '.join(harmful.worse)}{better}."
        return Decision(STANDING, "refused", False, summary, tuple(verdicts))
    if not with_adapter and enough:
        summary = (
            "the prompt: there is no adapter to compare, and memory in the prompt does no harm."
        )
        return Decision(STANDING, "decided", False, summary, tuple(verdicts))
    summary = "not enough data: staying with the prompt."
    return Decision(STANDING, "inconclusive", False, summary, tuple(verdicts))


def _helps_beside_memory(best: ArmName, verdicts: list[Verdict]) -> bool:
    """Whether the adapter wins with the memory in the prompt, which stays on in every chat."""
    if best not in WITH_ADAPTER:
        return False
    return any(v.wins for v in verdicts if v.arm == "hybrid" and v.against == STANDING)


def _loses(facts: Estimate, settings: GateSettings) -> bool:
    """Whether a gain at facts is a loss that counts."""
    if facts.n == 0:
        return False
    if facts.n < settings.fewest:  # too few for an interval
        return facts.value < 0
    beyond = facts.value < -settings.fact_margin or facts.low < -settings.fact_doubt
    return facts.high < 0 or beyond


def _said_of_facts(table: Table, settings: GateSettings) -> str:
    """Return what is known about facts, and how large a loss could have gone unnoticed.

    Where no answer changed, a share of up to 1 - 0.05^(1/n) of all answers could still change
    with 95 % confidence (the "rule of three", Hanley & Lippman-Hand, JAMA 249, 1983).
    """
    facts = table.gain("hybrid", STANDING, "f1")
    if facts.n == 0:
        return "no facts to ask about, so that was not judged"
    unseen = 1 - 0.05 ** (1 / facts.n)
    hidden = unseen if facts.n < settings.fewest else max(unseen, -facts.low)
    return (
        f"questions about facts {100 * facts.value:+.1f} points, n = {facts.n}: a loss of "
        f"{100 * hidden:.0f} points could have gone unnoticed"
    )


def _usable(estimate: Estimate | None, settings: GateSettings) -> Estimate | None:
    return estimate if estimate is not None and estimate.n >= settings.fewest else None


def _nats(gain: Estimate) -> str:
    return f"{gain.value:+.3f} nats a token [{gain.low:+.3f}, {gain.high:+.3f}]"


def _points(gain: Estimate) -> str:
    return f"{100 * gain.value:+.1f} points [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"
