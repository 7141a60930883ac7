"""Made-up tables for tests of the gate, the report and the picture."""

from itertools import permutations

from ondevice.evaluation.bootstrap import Estimate
from ondevice.evaluation.table import ACTIVE, ARMS, ArmName, Metric, Table

WIDTH = 0.02  # half an interval, in the unit of the metric


def table(
    levels: dict[ArmName, dict[Metric, float]], *, n: int = 40, width: float = WIDTH
) -> Table:
    """Make a table from each arm's level; higher is better, of neutral text it is minus nats."""
    arms = tuple(arm for arm in (*ARMS, ACTIVE) if arm in levels)
    figures = {}
    gains = {}
    for metric in levels[arms[0]]:
        for arm in arms:
            value = levels[arm][metric]
            figures[arm, metric] = Estimate(value, value - width, value + width, n)
        for arm, against in permutations(arms, 2):
            gain = levels[arm][metric] - levels[against][metric]
            same = metric == "neutral"
            gains[arm, against, metric] = (
                Estimate(gain, gain, gain, n)
                if same
                else Estimate(gain, gain - width, gain + width, n)
            )
    return Table(arms, figures, gains)


def levels(
    text: tuple[float, float, float, float] = (0, 0, 0, 0),
    choices: tuple[float, float, float, float] = (0, 0, 0, 0),
    f1: tuple[float, float, float, float] = (0, 0, 0, 0),
    neutral: float = 0.0,
) -> dict[ArmName, dict[Metric, float]]:
    """Return levels for base, prompt, adapter, hybrid; `neutral` is lost with the adapter."""
    return {
        arm: {
            "text": text[i],
            "choices": choices[i],
            "f1": f1[i],
            "exact": f1[i],
            "neutral": -neutral if arm in ("adapter", "hybrid") else 0.0,
        }
        for i, arm in enumerate(ARMS)
    }
