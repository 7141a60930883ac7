"""How long a training will take and how much memory it needs, from its own first steps.

The steps are real ones, so the figures hold for this machine, model and data;
what they changed is thrown away.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from ondevice.ground.system_memory import resident_memory
from ondevice.training.trainer import Trainer, TrainingEvent

MEASURE_SECONDS = 10.0
_FEWEST_STEPS = 3  # the first is slower: the model's pages and the buffers are touched anew


@dataclass(frozen=True)
class Cost:
    """What a training will cost.

    Attributes:
        n_documents: training and held-out documents, or preference pairs.
        n_tokens: tokens of the training documents, once.
        n_steps: updates.
        n_parameters: numbers that are trained.
        recompute: blocks whose activations are computed twice to save memory.
        seconds: for the whole training, measurements on held-out data included.
        memory_bytes: peak of resident memory, the mapped model included.
        measured_steps: the steps that the estimate rests on.
    """

    n_documents: tuple[int, int]
    n_tokens: int
    n_steps: int
    n_parameters: int
    recompute: int
    seconds: float
    memory_bytes: int
    measured_steps: int


def estimate_cost(trainer: Trainer, seconds: float = MEASURE_SECONDS) -> Cost:
    """Return what the training will cost, measured for about `seconds`.

    At least three steps are made (or all, if there are fewer), so a large model takes longer. The
    trainer is spent afterwards; it must have no checkpoint.

    Args:
        trainer: a new one without a checkpoint.
        seconds: to measure after the first step.

    Raises:
        ValueError: the trainer keeps a checkpoint, which these steps would overwrite.
        TrainingError: the loss is not a number, or diverges.
    """
    if trainer.checkpoint_path is not None:
        raise ValueError("An estimate needs a trainer without a checkpoint.")
    clock = _Clock(seconds)
    result = trainer.run(clock, clock.is_over)
    tokens = trainer.course.tokens_of_steps
    measured = tokens[: len(clock.steps)]
    skipped = 1 if len(clock.steps) >= _FEWEST_STEPS else 0
    per_token = sum(clock.steps[skipped:]) / sum(measured[skipped:])
    rest = sum(tokens) - sum(measured)
    total = sum(clock.steps) + rest * per_token + clock.evaluation * trainer.course.n_evaluations
    return Cost(
        result.n_documents,
        result.n_tokens,
        len(tokens),
        trainer.parameters.size,
        result.memory.recompute,
        clock.preparation + total,
        resident_memory() or result.memory.bytes,
        len(clock.steps),
    )


class _Clock:
    """Takes the time of steps and measurements, and says when there are enough."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.steps: list[float] = []
        self.preparation = 0.0  # before the first step, of what is done once
        self.evaluation = 0.0  # one measurement on held-out data
        self._last = time.perf_counter()

    def __call__(self, event: TrainingEvent) -> None:
        now = time.perf_counter()
        took, self._last = now - self._last, now
        if event.kind == "start":
            self.preparation += took
        elif event.kind == "evaluation":
            self.evaluation = took
        elif event.kind == "step":
            self.steps.append(took)

    def is_over(self) -> bool:
        """Whether enough steps were made."""
        return len(self.steps) >= _FEWEST_STEPS and sum(self.steps[1:]) >= self.seconds
