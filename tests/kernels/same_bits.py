"""Compares float32 arrays bit for bit."""

import numpy as np


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether all bits agree; any NaN is as good as any other, as processors choose its bits."""
    nan = np.isnan(a)
    return np.array_equal(nan, np.isnan(b)) and np.array_equal(
        a[~nan].view(np.uint32), b[~nan].view(np.uint32)
    )
