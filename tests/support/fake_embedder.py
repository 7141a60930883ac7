"""An embedder without a model: texts are alike that share words, and what a `meaning` names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from ondevice.errors import RecallError
from ondevice.memory.embedders.protocol import Calibration


class FakeEmbedder:
    """Each word has a random direction; words of one meaning have the same one."""

    def __init__(self, name: str, dimensions: int = 64, meanings: Sequence[set[str]] = ()) -> None:
        """Make an embedder whose vectors nobody else makes."""
        known = [sorted(group) for group in meanings]
        self.name = name
        self.sha256 = hashlib.sha256(f"{name} {dimensions} {known}".encode()).hexdigest()
        self.dimensions = dimensions
        self.calibration = Calibration(unrelated=0.0, same=0.95)
        self.embedded: list[str] = []  # all texts, in order
        self.is_broken = False
        self._meanings = meanings

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return unit vectors, and note the texts."""
        self.embedded += texts
        return self.embed_queries(texts)

    def embed_queries(self, texts: Sequence[str]) -> np.ndarray:
        """Return unit vectors."""
        if self.is_broken:
            raise RecallError("The embedding model is not installed.")
        total = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()) or ["."]:
                total[row] += self._direction(word)
        return total / np.linalg.norm(total, axis=1, keepdims=True)

    def count_tokens(self, text: str) -> int:
        """Return the number of words."""
        return len(text.split())

    def _direction(self, word: str) -> np.ndarray:
        same = next((sorted(group)[0] for group in self._meanings if word in group), word)
        seed = int.from_bytes(hashlib.sha256(f"{self.name} {same}".encode()).digest()[:8], "big")
        return np.random.default_rng(seed).standard_normal(self.dimensions).astype(np.float32)
