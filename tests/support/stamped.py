"""Vectors that a test makes up, stamped as the English embedder's."""

from __future__ import annotations

import numpy as np

from ondevice.store.vectors import UNSTAMPED_SHA256, Embedded


def stamped(values: np.ndarray) -> Embedded:
    """Return one vector, or one a row."""
    return Embedded(UNSTAMPED_SHA256, "minilm", np.atleast_2d(values).astype(np.float32))
