"""Training low-rank adapters on the processor, straight over a quantized GGUF model."""

from __future__ import annotations

import importlib as _importlib
from typing import TYPE_CHECKING
from typing import Any as _Any

if TYPE_CHECKING:
    from ondevice.training.data import Example
    from ondevice.training.preference_data import Preference
    from ondevice.training.recipe import Recipe
    from ondevice.training.score import Score, score
    from ondevice.training.trainer import TrainingEvent, TrainingResult, train

__all__ = [
    "Example",
    "Preference",
    "Recipe",
    "Score",
    "TrainingEvent",
    "TrainingResult",
    "score",
    "train",
]

_HOMES = {
    "Example": "ondevice.training.data",
    "Preference": "ondevice.training.preference_data",
    "Recipe": "ondevice.training.recipe",
    "Score": "ondevice.training.score",
    "TrainingEvent": "ondevice.training.trainer",
    "TrainingResult": "ondevice.training.trainer",
    "score": "ondevice.training.score",
    "train": "ondevice.training.trainer",
}


def __getattr__(name: str) -> _Any:
    # Imported on first use: the command line reads only the recipe's defaults.
    if name in _HOMES:
        return getattr(_importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'ondevice.training' has no attribute {name!r}")
