"""Training low-rank adapters on the processor, straight over a quantized GGUF model."""

from __future__ import annotations

import importlib as _importlib
from typing import TYPE_CHECKING
from typing import Any as _Any

if TYPE_CHECKING:
    from ondevice.training.cost import Cost, estimate_cost
    from ondevice.training.data import Example
    from ondevice.training.files import prepare, train
    from ondevice.training.preference_data import Preference
    from ondevice.training.recipe import Recipe
    from ondevice.training.scoring import Score, score
    from ondevice.training.trainer import TrainingEvent, TrainingResult

__all__ = [
    "Cost",
    "Example",
    "Preference",
    "Recipe",
    "Score",
    "TrainingEvent",
    "TrainingResult",
    "estimate_cost",
    "prepare",
    "score",
    "train",
]

_HOMES = {
    "Cost": "ondevice.training.cost",
    "Example": "ondevice.training.data",
    "Preference": "ondevice.training.preference_data",
    "Recipe": "ondevice.training.recipe",
    "Score": "ondevice.training.scoring",
    "TrainingEvent": "ondevice.training.trainer",
    "TrainingResult": "ondevice.training.trainer",
    "estimate_cost": "ondevice.training.cost",
    "prepare": "ondevice.training.files",
    "score": "ondevice.training.scoring",
    "train": "ondevice.training.files",
}


def __getattr__(name: str) -> _Any:
    # Imported on first use: the command line reads only the recipe's defaults.
    if name in _HOMES:
        return getattr(_importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'ondevice.training' has no attribute {name!r}")
