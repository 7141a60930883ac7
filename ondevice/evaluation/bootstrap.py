"""Confidence intervals by the paired cluster bootstrap.

Every figure here is a ratio of sums over items, such as nats per token or right
answers per question. Items of one conversation are not independent, so whole
clusters are drawn, with replacement (Davison & Hinkley, "Bootstrap Methods and
their Application", 1997, section 3.8); for a difference between two arms both
are computed on the same draw, which cancels what makes an item hard for either
(Koehn, "Statistical Significance Tests for Machine Translation Evaluation",
2004). Seeded: the same samples give the same intervals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BootstrapSettings:
    """How the intervals are computed."""

    confidence: float = 0.95
    resamples: int = 2000
    seed: int = 0


@dataclass(frozen=True)
class Estimate:
    """A value with its confidence interval; `n` is the number of independent clusters."""

    value: float
    low: float
    high: float
    n: int

    def mapped(self, function: Callable[[float], float]) -> Estimate:
        """Return the estimate under a monotone `function`, whose interval maps end by end."""
        ends = sorted((function(self.low), function(self.high)))
        return Estimate(function(self.value), ends[0], ends[1], self.n)

    def __neg__(self) -> Estimate:
        """Return the same difference seen from the other side."""
        return self.mapped(lambda value: -value)


class Bootstrap:
    """Resamples of one set of clusters, drawn once and used for every arm."""

    def __init__(self, clusters: Sequence[str], settings: BootstrapSettings | None = None) -> None:
        """Draw the resamples.

        Args:
            clusters: the cluster of each item.
            settings: how many, and from which seed.
        """
        self._settings = settings or BootstrapSettings()
        names = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
        self._cluster = np.array([names[name] for name in clusters], dtype=np.int64)
        self.n = len(names)
        rng = np.random.default_rng(self._settings.seed)
        # (resamples, clusters): how often each cluster was drawn.
        share = np.full(max(self.n, 1), 1 / max(self.n, 1))
        self._counts = rng.multinomial(self.n, share, size=self._settings.resamples).astype(float)

    def ratio(self, numerators: npt.ArrayLike, denominators: npt.ArrayLike) -> Estimate:
        """Return sum(numerators) / sum(denominators) over items.

        Without items the value is NaN, with one cluster its interval is infinite:
        nothing is known about what another would say.

        Args:
            numerators: one value an item.
            denominators: one positive value an item.
        """
        above, below = self._summed(numerators), self._summed(denominators)
        if self.n == 0:
            return Estimate(math.nan, math.nan, math.nan, 0)
        value = float(above.sum() / below.sum())
        if self.n == 1:
            return Estimate(value, -math.inf, math.inf, 1)
        drawn = (self._counts @ above) / (self._counts @ below)
        tail = expanded_tail(self._settings.confidence, self.n)
        low, high = np.quantile(drawn, [tail, 1 - tail])
        return Estimate(value, float(low), float(high), self.n)

    def mean(self, values: npt.ArrayLike) -> Estimate:
        """Return the mean over items."""
        array = np.asarray(values, dtype=float)
        return self.ratio(array, np.ones_like(array))

    def _summed(self, values: npt.ArrayLike) -> Array:
        """Return the sums over the items of each cluster, shape (n,)."""
        array = np.asarray(values, dtype=float)
        if array.shape != self._cluster.shape:
            raise ValueError(f"{array.shape} values for {len(self._cluster)} items")
        return np.bincount(self._cluster, weights=array, minlength=self.n).astype(float)


def expanded_tail(confidence: float, n: int) -> float:
    """Return the share to cut off at each end of the resampled values of `n` clusters.

    The percentile interval is too narrow for small samples; it is widened to
    what Student's t would give: alpha' / 2 = Phi(-sqrt(n / (n - 1)) t(1 - alpha / 2; n - 1))
    (Hesterberg, "What Teachers Should Know About the Bootstrap", The American
    Statistician 69, 2015, section 4.3). The quantile of t is approximated from
    the normal one (Abramowitz & Stegun, "Handbook of Mathematical Functions",
    1964, 26.7.5).
    """
    normal = NormalDist()
    z, freedom = normal.inv_cdf((1 + confidence) / 2), n - 1
    t = (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )
    return normal.cdf(-math.sqrt(n / freedom) * t)


def jackknife(
    statistic: Callable[[Sequence[int]], float], n: int, settings: BootstrapSettings | None = None
) -> Estimate:
    """Return a statistic of `n` items with the interval of the delete-one jackknife.

    For statistics that repeated items would distort, such as how many different
    words there are: variance (n - 1) / n * sum((s_i - mean s)^2) over the
    statistics s_i without item i (Efron & Tibshirani, "An Introduction to the
    Bootstrap", 1993, equation 11.5), and the normal distribution.

    Args:
        statistic: takes the indices of the items to use.
        n: number of items, at least 2.
        settings: for the confidence.
    """
    confidence = (settings or BootstrapSettings()).confidence
    everything = list(range(n))
    left_out = np.array([statistic(everything[:i] + everything[i + 1 :]) for i in everything])
    spread = math.sqrt((n - 1) / n * float(((left_out - left_out.mean()) ** 2).sum()))
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    value = statistic(everything)
    return Estimate(value, value - z * spread, value + z * spread, n)
