"""What every embedder gives: vectors of what is stored and of what is asked, and their scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Calibration:
    """What an embedder's cosines mean: each has a scale of its own.

    Attributes:
        unrelated: the cosine of texts that have nothing to do with each other.
        same: the cosine at or above which two short statements mean the same.
    """

    unrelated: float
    same: float

    def relevance(self, cosine: np.ndarray) -> np.ndarray:
        """Return cosines on a scale that all embedders share: 0 unrelated, 1 identical."""
        scaled: np.ndarray = (cosine - self.unrelated) / (1 - self.unrelated)
        return scaled


class Embedder(Protocol):
    """Turns texts into unit vectors; safe to share between threads.

    Nothing is loaded before the first text is embedded.

    Attributes:
        name: of the model, such as "minilm".
        sha256: of everything that decides a vector. Vectors of different ones never meet.
        dimensions: values of a stored vector.
        calibration: what its cosines mean.
    """

    name: str
    sha256: str
    dimensions: int
    calibration: Calibration

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return what is stored of `texts`: float32, shape (len(texts), dimensions).

        Raises:
            RecallError: the model is missing or damaged.
        """
        ...

    def embed_queries(self, texts: Sequence[str]) -> np.ndarray:
        """Return what is searched with, in the same shape.

        Its dot product with a stored vector is their cosine.

        Raises:
            RecallError: the model is missing or damaged.
        """
        ...

    def count_tokens(self, text: str) -> int:
        """Return how many tokens `text` has, not truncated, without special ones."""
        ...
