"""What came of a run, in numbers and in one honest line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ondevice.evaluation.audits import Audit
from ondevice.evaluation.evaluate import Evaluation
from ondevice.evaluation.report import headline
from ondevice.evaluation.table import ACTIVE, ArmName
from ondevice.remedies import within

Outcome = Literal["activated", "candidate", "nothing", "stopped"]


@dataclass(frozen=True)
class LearnReport:
    """What came of a run.

    Attributes:
        outcome: "activated"; "candidate" (trained but not used); "nothing" (there was too little
            to train, nothing was changed); "stopped" (`reason` says what is kept).
        reason: why, as a sentence.
        adapter: its name.
        counts: examples of each kind.
        left_out: why records were left out, and how many.
        tokens: trained in one pass.
        steps: of all stages.
        seconds: for everything.
        evaluation: the table and the decision.
        audits: what else the adapter changes; empty if it was not to be activated anyway.
        training: what is kept in the adapter's row.
        warnings: sentences for the person.
    """

    outcome: Outcome
    reason: str
    adapter: str | None = None
    counts: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    tokens: int = 0
    steps: int = 0
    seconds: float = 0.0
    evaluation: Evaluation | None = None
    audits: tuple[Audit, ...] = ()
    training: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """One line: how the writing is predicted, what neutral text costs, the decision."""
        if self.evaluation is None:
            return within(f"{_VERBS[self.outcome]}: ", self.reason, ".")
        decided = self.evaluation.decision
        arm: ArmName = decided.arm if decided.arm in ("adapter", "hybrid") else "hybrid"
        verdict = decided.arm if self.outcome == "activated" else f"{decided.arm}, not activated"
        if decided.arm == ACTIVE:
            verdict = "the adapter in use stays"
        figures = headline(self.evaluation.table, arm).rstrip(".")
        return "; ".join(part for part in (figures, f"decision: {verdict}") if part)


_VERBS = {
    "activated": "activated",
    "candidate": "kept as a candidate",
    "nothing": "nothing was trained",
    "stopped": "stopped",
}


def metrics_of(evaluation: Evaluation, audits: Sequence[Audit] = ()) -> dict[str, Any]:
    """Return an evaluation and audits as numbers for the adapter's row."""
    table = evaluation.table

    def numbers(estimate: Any) -> list[float | int | None]:
        values = [estimate.value, estimate.low, estimate.high]
        return [*(round(v, 5) if math.isfinite(v) else None for v in values), estimate.n]

    return {
        "arms": {
            f"{arm}/{metric}": numbers(estimate)
            for (arm, metric), estimate in table.figures.items()
        },
        "neutral_change": {
            arm: numbers(table.neutral_change(arm)) for arm in table.arms if arm != "base"
        },
        "decision": evaluation.decision.arm,
        "summary": evaluation.decision.summary,
        "items": evaluation.counts,
        "audits": {
            one.name: {"change": numbers(one.change), "bound": one.bound, "exceeded": one.exceeded}
            for one in audits
        },
    }
