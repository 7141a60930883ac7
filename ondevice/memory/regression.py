"""Logistic regression in numpy: what the small classifiers of the memory learn with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

STEPS = 120  # of the descent; more change no decision


def descend(
    inputs: np.ndarray,
    wanted: np.ndarray,
    strength: float,
    link: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Return weights that minimise the regularised log loss, always the same for the same data.

    Accelerated gradient descent from zero (Nesterov 1983, with FISTA's pace).

    Args:
        inputs: shape (texts, values).
        wanted: 0 or 1 (or shares) for each class, shape (texts, classes).
        strength: of the L2 penalty, which leaves the bias alone.
        link: `softmax` where one class holds, `sigmoid` where any number may.

    Returns:
        float32, shape (values + 1, classes); the last row is the bias.
    """
    import numpy as np

    count = len(inputs)
    inputs = np.hstack([inputs, np.ones((count, 1))]).astype(np.float32)
    wanted = wanted.astype(np.float32)
    decay = np.full((inputs.shape[1], 1), strength, dtype=np.float32)
    decay[-1] = 0
    step = np.float32(1 / (0.5 * np.linalg.norm(inputs, 2) ** 2 / count + strength))
    weights = ahead = np.zeros((inputs.shape[1], wanted.shape[1]), dtype=np.float32)
    pace = 1.0
    for _ in range(STEPS):
        slope = inputs.T @ (link(inputs @ ahead) - wanted) / count + decay * ahead
        following = ahead - step * slope
        next_pace = (1 + (1 + 4 * pace * pace) ** 0.5) / 2
        ahead = following + np.float32((pace - 1) / next_pace) * (following - weights)
        weights, pace = following, next_pace
    return weights


def applied(
    inputs: np.ndarray, weights: np.ndarray, link: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Return how likely each class is, shape (texts, classes)."""
    return link(inputs @ weights[:-1] + weights[-1])


def softmax(scores: np.ndarray) -> np.ndarray:
    """Return likelihoods of which exactly one class holds in each row."""
    import numpy as np

    likely: np.ndarray = np.exp(scores - scores.max(axis=-1, keepdims=True))
    likely /= likely.sum(axis=-1, keepdims=True)
    return likely


def sigmoid(scores: np.ndarray) -> np.ndarray:
    """Return likelihoods of classes that do not exclude each other."""
    import numpy as np

    likely: np.ndarray = 1 / (1 + np.exp(-np.clip(scores, -60, 60)))
    return likely
