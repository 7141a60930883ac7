"""AdamW with warm-up, cosine decay and clipping.

Two kinds of parameters, A and B of every pair, so that B can learn faster
(LoRA+). Parameters, gradients and state are float32, updated in place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ondevice import _kernels
from ondevice.training.recipe import Recipe

if TYPE_CHECKING:
    from ondevice._kernels import F32


def learning_rate(step: int, n_steps: int, recipe: Recipe) -> float:
    """Return the learning rate of update `step` (from 0) out of `n_steps`."""
    n_warmup = max(1, round(recipe.warmup * n_steps)) if recipe.warmup > 0 else 0
    if step < n_warmup:
        return recipe.learning_rate * (step + 1) / n_warmup
    progress = (step - n_warmup) / max(1, n_steps - n_warmup)
    cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress)))
    return recipe.learning_rate * (recipe.final_rate + (1.0 - recipe.final_rate) * cosine)


def gradient_norm(gradients: Mapping[str, F32]) -> float:
    """Return the Euclidean norm over all gradients."""
    return math.sqrt(sum(_kernels.sum_of_squares(gradients[name]) for name in sorted(gradients)))


class AdamW:
    """Adam with decoupled weight decay over named arrays.

    Attributes:
        step: updates made so far.
        mean: running mean of the gradients, by name.
        square: running mean of the squared gradients, by name.
    """

    def __init__(self, parameters: Mapping[str, F32], recipe: Recipe) -> None:
        """Start with zero moments for `parameters`."""
        self.recipe = recipe
        self.step = 0
        self.mean = {name: np.zeros_like(array) for name, array in parameters.items()}
        self.square = {name: np.zeros_like(array) for name, array in parameters.items()}

    def update(
        self,
        parameters: Mapping[str, F32],
        gradients: Mapping[str, F32],
        rate: float,
        gradient_scale: float = 1.0,
    ) -> None:
        """Make one update of `parameters` in place.

        Args:
            parameters: the arrays given at construction; the names of B end in ".lora_b".
            gradients: gradients of the same names and shapes.
            rate: learning rate of A; B gets `lora_plus` times as much.
            gradient_scale: factor on the gradients, for clipping.
        """
        self.step += 1
        for name, parameter in parameters.items():
            _kernels.adamw(
                parameter,
                gradients[name],
                self.mean[name],
                self.square[name],
                learning_rate=rate * (self.recipe.lora_plus if name.endswith(".lora_b") else 1.0),
                beta1=self.recipe.beta1,
                beta2=self.recipe.beta2,
                eps=self.recipe.epsilon,
                weight_decay=self.recipe.weight_decay,
                step=self.step,
                gradient_scale=gradient_scale,
            )
