"""Memory that lives as long as the training and is dealt out anew in every pass.

A pass needs hundreds of megabytes of activations. Fresh arrays would come from
the operating system page by page, each zeroed and faulted in, every time. And
kernels write them with large strides: cut from few large arrays, which numpy
asks huge pages for, they need few address translations.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ondevice._kernels import BF16, F32

_CHUNK = 16 << 20  # floats got at once; pages that are not written cost nothing
_ALIGNMENT = 16  # floats of a cache line


class Buffers:
    """Hands out arrays by name; within a pass the same name gives the same memory."""

    def __init__(self) -> None:
        """Begin with none."""
        self._chunks: list[F32] = []
        self._taken: dict[str, F32] = {}
        self._chunk, self._used = 0, 0

    def begin(self) -> None:
        """Begin a pass: whatever was taken before is free again."""
        self._taken.clear()
        self._chunk, self._used = 0, 0

    def take(self, name: str, *shape: int) -> F32:
        """Return a float32 array with undefined content, in the memory kept for `name`."""
        size = math.prod(shape)
        flat = self._taken.get(name)
        if flat is None or flat.size < size:
            flat = self._taken[name] = self._cut(size)
        return flat[:size].reshape(shape)

    def take_bf16(self, name: str, *shape: int) -> BF16:
        """Return an array of bfloat16 (its bits) likewise."""
        size = math.prod(shape)
        return self.take(name, (size + 1) // 2).view(np.uint16)[:size].reshape(shape)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(chunk.nbytes for chunk in self._chunks)

    def _cut(self, size: int) -> F32:
        """Return `size` floats that nothing else in this pass has."""
        while self._chunk < len(self._chunks):
            chunk = self._chunks[self._chunk]
            if self._used + size <= chunk.size:
                begin, self._used = self._used, self._used + -(-size // _ALIGNMENT) * _ALIGNMENT
                return chunk[begin : begin + size]
            self._chunk, self._used = self._chunk + 1, 0
        self._chunks.append(np.empty(max(size, _CHUNK), np.float32))
        return self._cut(size)
