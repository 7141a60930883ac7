"""How the evidence for a memory is put together: pure arithmetic over arrays.

Relevance is a weighted sum of windowed BM25 and embedding similarity; in both
a turn or passage is lent some of what its neighbours in the same source score,
because an answer often stands beside the words that were asked for.  Recency,
pinning and the right speaker raise relevance by a share of itself, so that
nothing irrelevant comes up by being new.  The weights were tuned on one half
of `benchmarks/recall_quality.py`; the other half is reported beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class FusionWeights:
    """The weights of `fuse`."""

    bm25: float = 1.0
    cosine: float = 8.3
    bm25_neighbours: tuple[float, ...] = (0.9, 0.3)  # distance 1, 2
    cosine_neighbours: tuple[float, ...] = (0.5, 0.3)
    recency: float = 0.05  # share added to what is new
    half_life_days: float = 60.0
    pinned: float = 0.25
    speaker: float = 0.95
    nearness: float = 0.19  # added to the cosine: what is hardly near counts a little, too
    # Added to statements in prompts: for topics that the request shares, and for mattering at all.
    topics: float = 0.3
    matters: float = 0.15


@dataclass(frozen=True)
class Evidence:
    """What speaks for each memory; arrays of one length, float32 unless said otherwise.

    `before` and `after` hold the row of the neighbour in the same source, or
    the number of rows where there is none (integers).
    """

    bm25: np.ndarray  # 0 for no hit, larger is better
    cosine: np.ndarray  # rescaled by the embedder: 0 unrelated, 1 the same
    before: np.ndarray
    after: np.ndarray
    age_days: np.ndarray
    pinned: np.ndarray
    speaker: np.ndarray  # 1 where the question names the speaker


@dataclass(frozen=True)
class Fused:
    """The parts of the score, one value a memory."""

    bm25: np.ndarray  # windowed, 1 for the best
    cosine: np.ndarray  # with neighbours
    recency: np.ndarray
    final: np.ndarray


def fuse(evidence: Evidence, weights: FusionWeights | None = None) -> Fused:
    """Return the fused score of every memory; 0 where nothing speaks for it."""
    import numpy as np

    weights = weights or FusionWeights()
    links = (evidence.before, evidence.after)
    bm25 = _windowed(evidence.bm25, links, weights.bm25_neighbours)
    bm25 /= max(float(bm25.max(initial=0.0)), 1e-9)
    cosine = _windowed(np.maximum(evidence.cosine, 0), links, weights.cosine_neighbours)
    near = np.maximum(evidence.cosine + weights.nearness, 0)
    nearness = _windowed(near, links, weights.cosine_neighbours)
    nearness /= max(float(nearness.max(initial=0.0)), 1e-9)
    relevance = weights.bm25 * bm25 + weights.cosine * nearness
    relevance[(cosine <= 0) & (bm25 <= 0)] = 0  # nothing speaks for it or its neighbours
    relevance /= weights.bm25 + weights.cosine
    recency = np.exp2(-np.maximum(evidence.age_days, 0) / weights.half_life_days)
    share = (
        1
        + weights.recency * recency
        + weights.pinned * evidence.pinned
        + weights.speaker * evidence.speaker
    )
    return Fused(bm25, cosine, recency, relevance * share)


def _windowed(
    values: np.ndarray, links: tuple[np.ndarray, np.ndarray], shares: tuple[float, ...]
) -> np.ndarray:
    """Return each row's value averaged with shares of its neighbours' values.

    A record without neighbours, such as a fact, keeps its own value.
    """
    import numpy as np

    none = len(values)
    padded = np.append(values, np.float32(0))  # the row behind the last: no neighbour
    total = values.astype(np.float32)
    weight = np.ones(len(values), dtype=np.float32)
    for link in links:
        hop = link
        for distance, share in enumerate(shares, 1):
            total += np.float32(share) * padded[hop]
            weight += np.float32(share) * (hop < none)
            if distance < len(shares):
                hop = np.append(link, none)[hop]
    averaged: np.ndarray = total / weight
    return averaged
