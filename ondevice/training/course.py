"""What a training will do: which data it learns and is measured on, how, and in which steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ondevice import _kernels
from ondevice.training.data import Document, plan_steps, split_held_out
from ondevice.training.memory_budget import MemoryPlan, settle
from ondevice.training.preference_data import PreferencePair
from ondevice.training.recipe import Recipe
from ondevice.training.weights import Weights

if TYPE_CHECKING:
    from ondevice._kernels import Precision


@dataclass(frozen=True)
class Course:
    """A training, settled for its data and for this machine.

    Attributes:
        training: what is learned: documents, or preference pairs.
        held_out: what progress is measured on, the same kind of things; perhaps nothing.
        recipe: with everything settled.
        memory: what was planned.
        steps: for each update, the indices of its items.
    """

    training: Sequence[Any]  # what the objective takes; here only lengths matter
    held_out: Sequence[Any]
    recipe: Recipe
    memory: MemoryPlan
    steps: Sequence[Sequence[int]]

    @property
    def n_tokens(self) -> int:
        """Tokens of what is learned, once."""
        return sum(item.length for item in self.training)

    @property
    def tokens_of_steps(self) -> list[int]:
        """How many tokens each planned step computes."""
        return [sum(self.training[index].length for index in step) for step in self.steps]

    @property
    def n_evaluations(self) -> int:
        """How often the held-out data is measured, unless patience ends it early."""
        if not self.held_out:
            return 0
        n_steps, every = len(self.steps), self._steps_between_evaluations
        return 1 + n_steps // every + (n_steps % every > 0)

    def is_evaluated_after(self, step: int) -> bool:
        """Whether the held-out data is measured after so many updates."""
        if not self.held_out:
            return False
        return step % self._steps_between_evaluations == 0 or step == len(self.steps)

    @property
    def _steps_between_evaluations(self) -> int:
        return max(1, math.ceil(len(self.steps) / self.recipe.evaluations))


def plan_course(
    items: Sequence[Document] | Sequence[PreferencePair],
    recipe: Recipe,
    weights: Weights,
    precision: Precision,
    memory_budget: int | None,
) -> Course:
    """Part the data, settle recipe and memory, and plan the steps.

    Args:
        items: what is learned.
        recipe: how; what it leaves open is settled.
        weights: of the base model.
        precision: of the products.
        memory_budget: bytes; None for what the machine has available.

    Raises:
        TrainingError: the smallest possible training needs more memory.
    """
    every: Sequence[Any] = items
    training, held_out = split_held_out(every, recipe.held_out, recipe.seed)
    r, memory = settle(
        recipe,
        weights.architecture,
        n_tokens=sum(item.length for item in training),
        longest=max(item.length for item in every),
        weight_bytes=weights.resident_bytes,
        bf16=precision == "auto" and _kernels.has_bf16(),
        budget=memory_budget,
        anchors=sum(item.length for item in every if getattr(item, "anchor", False)),
    )
    steps = plan_steps(training, r.tokens_per_step, r.epochs, r.max_steps, r.seed)
    return Course(training, held_out, r, memory, steps)
