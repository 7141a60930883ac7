"""Looks up an architecture's metadata in a GGUF header; what is wrong is named."""

from __future__ import annotations

import math

from ondevice.errors import TrainingError
from ondevice.models.gguf_header import GgufHeader


class Metadata:
    """The keys of a header that begin with its architecture's name."""

    def __init__(self, header: GgufHeader) -> None:
        """Look up in `header`."""
        self.header = header
        self.prefix = f"{header.architecture}."

    def get(self, key: str, default: object = None) -> object:
        """Return the value of `key`; of a list that repeats one value, that value.

        Some converters write one value for each block.
        """
        value = self.header.metadata.get(self.prefix + key, default)
        if isinstance(value, list) and value and all(one == value[0] for one in value):
            return value[0]
        return value

    def has(self, key: str) -> bool:
        """Whether the file has `key`."""
        return self.prefix + key in self.header.metadata

    def count(self, key: str, default: int | None = None) -> int:
        """Return a whole number above 0."""
        value = self._present(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
            raise self.unusable(key)
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """Return a number above 0."""
        value = self._present(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.unusable(key)
        if not math.isfinite(value) or value <= 0:
            raise self.unusable(key)
        return float(value)

    def scale(self, key: str, default: float) -> float:
        """Return a factor; 0 stands for "not given", as llama.cpp reads it."""
        return default if self.get(key, 0.0) == 0 else self.number(key)

    def text(self, key: str, default: str) -> str:
        """Return a text."""
        value = self.get(key, default)
        if not isinstance(value, str):
            raise self.unusable(key)
        return value

    def _present(self, key: str, default: object) -> object:
        value = self.get(key, default)
        if value is None:
            raise TrainingError(
                f"{self.header.path.name} lacks '{self.prefix}{key}', which training needs; "
                "get the file from another source or convert it again."
            )
        return value

    def unusable(self, key: str) -> TrainingError:
        """Return the error that names `key`."""
        return TrainingError(
            f"Training does not support the value of '{self.prefix}{key}' in "
            f"{self.header.path.name}; choose another base model."
        )
