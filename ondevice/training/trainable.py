"""Whether adapters can be trained on a model, before anybody tries."""

from __future__ import annotations

from ondevice.errors import BaseModelError, TrainingError
from ondevice.models.base_model import ListedModel
from ondevice.models.gguf_header import read_header
from ondevice.training.architecture import read_architecture
from ondevice.training.family_table import FAMILIES


def is_trainable(model: ListedModel) -> bool:
    """Whether the trainer takes the model: by its header if it is no known file, and here."""
    if model.architecture or model.path is None:
        return model.architecture in FAMILIES
    try:
        read_architecture(read_header(model.path))
    except (BaseModelError, TrainingError):
        return False
    return True
