"""The scale that all embedders share."""

from __future__ import annotations

import numpy as np

from ondevice.memory.embedders.protocol import Calibration


def test_relevance_is_nothing_for_unrelated_texts_and_one_for_the_same() -> None:
    calibration = Calibration(unrelated=0.72, same=0.975)
    relevance = calibration.relevance(np.array([0.72, 1.0, 0.86, 0.5], np.float32))
    np.testing.assert_allclose(relevance[:3], [0, 1, 0.5], atol=1e-6)
    assert relevance[3] < 0
