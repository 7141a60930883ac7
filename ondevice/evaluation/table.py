"""What was measured: every arm's figures, and what one arm gains over another.

Gains point upward: of text they are nats per token that the arm needs less, of
choices and questions shares that it gets right more. Neutral text is compared
with the base alone: by how much its perplexity grew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from ondevice.evaluation.bootstrap import Bootstrap, BootstrapSettings, Estimate

ArmName = Literal["base", "prompt", "adapter", "hybrid", "active"]
# The simplest first: what needs neither memory nor training comes before what needs both.
ARMS: Final[tuple[ArmName, ...]] = ("base", "prompt", "adapter", "hybrid")
# Memory and the adapter that is in use now, beside which a new one is measured.
ACTIVE: Final[ArmName] = "active"

Metric = Literal["text", "choices", "exact", "f1", "neutral"]
METRICS: Final[Mapping[Metric, str]] = {
    "text": "your own text, perplexity",
    "choices": "multiple choice, right",
    "exact": "questions, exact match",
    "f1": "questions, token F1",
    "neutral": "neutral text, perplexity",
}

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """One metric of one arm, item by item: `value / weight` is the item's figure."""

    value: Values
    weight: Values  # tokens of a text; 1 otherwise


@dataclass(frozen=True)
class Table:
    """Figures with their intervals.

    Attributes:
        arms: the measured arms, the simplest first.
        figures: by arm and metric.
        gains: by (arm, against, metric), for every ordered pair of arms.
    """

    arms: tuple[ArmName, ...]
    figures: Mapping[tuple[ArmName, Metric], Estimate]
    gains: Mapping[tuple[ArmName, ArmName, Metric], Estimate]

    def gain(self, arm: ArmName, against: ArmName, metric: Metric) -> Estimate:
        """Return what `arm` gains over `against`; NaN and n = 0 if it was not measured."""
        return self.gains.get((arm, against, metric), NOTHING)

    def neutral_change(self, arm: ArmName) -> Estimate:
        """Return by what share of itself the perplexity of neutral text grew over the base's."""
        return self.gain(arm, "base", "neutral").mapped(lambda gain: math.expm1(-gain))


NOTHING = Estimate(math.nan, math.nan, math.nan, 0)
_PERPLEXITIES: Final = ("text", "neutral")


def build_table(
    outcomes: Mapping[tuple[ArmName, Metric], Outcome],
    clusters: Mapping[Metric, list[str]],
    settings: BootstrapSettings | None = None,
) -> Table:
    """Return the table of all `outcomes`.

    Args:
        outcomes: of text and neutral the nats and tokens of each item, else 0 to 1 and weight 1.
        clusters: of each metric's items.
        settings: of the intervals.
    """
    arms = tuple(arm for arm in (*ARMS, ACTIVE) if any(arm == of for of, _ in outcomes))
    figures: dict[tuple[ArmName, Metric], Estimate] = {}
    gains: dict[tuple[ArmName, ArmName, Metric], Estimate] = {}
    for metric, names in clusters.items():
        if not names:
            continue
        bootstrap = Bootstrap(names, settings)
        measured = [arm for arm in arms if (arm, metric) in outcomes]
        for arm in measured:
            outcome = outcomes[arm, metric]
            figure = bootstrap.ratio(outcome.value, outcome.weight)
            figures[arm, metric] = figure.mapped(_exp) if metric in _PERPLEXITIES else figure
        sign = -1.0 if metric in _PERPLEXITIES else 1.0
        for arm, against in permutations(measured, 2):
            ours, theirs = outcomes[arm, metric], outcomes[against, metric]
            gains[arm, against, metric] = bootstrap.ratio(
                sign * (ours.value - theirs.value), ours.weight
            )
    return Table(arms, figures, gains)


def _exp(nats: float) -> float:
    return math.exp(min(nats, 700.0))
