"""Logistic regression finds the minimum of its loss."""

import numpy as np
import pytest

from ondevice.memory.regression import applied, descend, sigmoid, softmax

STRENGTH = 0.05


def made() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    inputs = random.normal(size=(200, 6))
    scores = inputs @ random.normal(size=(6, 3)) + random.normal(size=(200, 3))
    return inputs, scores


def loss(weights: np.ndarray, inputs: np.ndarray, wanted: np.ndarray, link: object) -> float:
    likely = applied(inputs, weights, link)  # type: ignore[arg-type]
    if link is softmax:
        fit = -(wanted * np.log(likely)).sum(axis=1).mean()
    else:
        fit = -(wanted * np.log(likely) + (1 - wanted) * np.log(1 - likely)).sum(axis=1).mean()
    return float(fit + 0.5 * STRENGTH * (weights[:-1] ** 2).sum())


@pytest.mark.parametrize("link", [softmax, sigmoid])
def test_no_direction_leads_further_down(link: object) -> None:
    inputs, scores = made()
    wanted = np.eye(3)[scores.argmax(1)] if link is softmax else (scores > 0).astype(float)
    weights = descend(inputs, wanted, STRENGTH, link).astype(np.float64)  # type: ignore[arg-type]
    at = loss(weights, inputs, wanted, link)
    for index in np.ndindex(weights.shape):
        for step in (-0.02, 0.02):
            moved = weights.copy()
            moved[index] += step
            assert loss(moved, inputs, wanted, link) > at


def test_the_same_data_gives_the_same_weights() -> None:
    inputs, scores = made()
    wanted = (scores > 0).astype(float)
    first, second = (descend(inputs, wanted, STRENGTH, sigmoid) for _ in range(2))
    np.testing.assert_array_equal(first, second)
