"""Arrays that live as long as the training and are reused by every step.

A step needs hundreds of megabytes of activations. Fresh arrays would come from
the operating system page by page, each zeroed and faulted in, every step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ondevice._kernels import F32


class Buffers:
    """Hands out float32 arrays by name; the same name gives the same memory again."""

    def __init__(self) -> None:
        """Begin with none."""
        self._flat: dict[str, F32] = {}

    def take(self, name: str, *shape: int) -> F32:
        """Return an array of `shape` with undefined content, in the memory kept for `name`."""
        size = 1
        for length in shape:
            size *= length
        flat = self._flat.get(name)
        if flat is None or flat.size < size:
            flat = self._flat[name] = np.empty(size, np.float32)
        return flat[:size].reshape(shape)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(flat.nbytes for flat in self._flat.values())
