"""The training loop: steps, measurements on held-out data, checkpoints, and the adapter file.

The same documents, base, recipe, seed, machine type and number of threads give
the same bytes, whether or not the run was interrupted in between.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from ondevice import _kernels
from ondevice.adapters.gguf_lora import LoraAdapter, check_base, write_adapter
from ondevice.errors import DivergedError
from ondevice.ground.system_memory import resident_memory
from ondevice.training import checkpoint
from ondevice.training.checkpoint import Progress
from ondevice.training.course import Course, plan_course
from ondevice.training.data import Document, items_sha256
from ondevice.training.decoder import Decoder
from ondevice.training.lora import AdapterParameters, Pair, frozen_pairs
from ondevice.training.losses import LikelihoodObjective
from ondevice.training.memory_budget import MemoryPlan
from ondevice.training.optimizer import AdamW, gradient_norm, learning_rate
from ondevice.training.preference import PreferenceObjective
from ondevice.training.preference_data import PreferencePair
from ondevice.training.provenance import code_sha256
from ondevice.training.recipe import Recipe
from ondevice.training.weights import Weights

if TYPE_CHECKING:
    from ondevice._kernels import Precision

CHECKPOINT_SECONDS = 60.0
_SMOOTHING = 0.9  # of the moving average that divergence is judged by
_FIRST_STEPS = 10  # whose mean it begins with; a single easy step would be too low a mark
EventKind = Literal["start", "step", "evaluation", "checkpoint", "stopped", "end"]


@dataclass(frozen=True)
class TrainingEvent:
    """Something that a progress bar wants to know.

    Attributes:
        kind: "start", "step", "evaluation", "checkpoint", "stopped" (to be resumed) or "end".
        step: updates made so far.
        n_steps: updates planned.
        loss: of this step: mean per supervised token in nats, or per preference.
        held_out_loss: at an evaluation.
        margin: of preferences: mean gain in nats of the chosen over the rejected answers.
        accuracy: of preferences: the share with a margin above 0.
        learning_rate: of this step.
        gradient_norm: before clipping.
        tokens_per_second: of this step.
        seconds_left: estimate.
        memory_bytes: peak resident memory so far.
    """

    kind: EventKind
    step: int
    n_steps: int
    loss: float | None = None
    held_out_loss: float | None = None
    margin: float | None = None
    accuracy: float | None = None
    learning_rate: float | None = None
    gradient_norm: float | None = None
    tokens_per_second: float | None = None
    seconds_left: float | None = None
    memory_bytes: int | None = None


Callback = Callable[[TrainingEvent], None]


@dataclass(frozen=True)
class TrainingResult:
    """What came of a training.

    Attributes:
        content: the adapter file, or None if it was stopped before the end.
        recipe: with everything settled.
        steps: updates made.
        n_documents: training and held-out documents, or preference pairs.
        n_tokens: tokens of the training documents.
        losses: of every step.
        held_out_losses: (step, loss) of every measurement; step 0 is without the new adapter.
        best_step: the step whose adapter was kept.
        memory: what was planned.
    """

    content: bytes | None
    recipe: Recipe
    steps: int
    n_documents: tuple[int, int]
    n_tokens: int
    losses: tuple[float, ...]
    held_out_losses: tuple[tuple[int, float], ...]
    best_step: int
    memory: MemoryPlan

    @property
    def improved(self) -> bool:
        """Whether the adapter is better than the base on held-out data (False if unmeasured)."""
        if len(self.held_out_losses) < 2:
            return False
        base, *others = (loss for _, loss in self.held_out_losses)
        return min(others) < base


class Trainer:
    """One training, from documents to the bytes of an adapter file.

    Attributes:
        course: what is planned, settled for the data.
        recipe: that of the course.
        parameters: the adapter that is trained.
        decoder: the base with all adapters.
        progress: where the training stands.
    """

    def __init__(
        self,
        weights: Weights,
        documents: Sequence[Document] | Sequence[PreferencePair],
        recipe: Recipe,
        *,
        base_sha256: str,
        below: Sequence[tuple[LoraAdapter, float]] = (),
        reader_sha256: str | None = None,
        memory_budget: int | None = None,
        precision: Precision = "auto",
        checkpoint_path: Path | None = None,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        start: LoraAdapter | None = None,
        cipher: checkpoint.Cipher | None = None,
    ) -> None:
        """Check everything and prepare the training; `train` explains most arguments.

        Args:
            weights: of the base model.
            documents: what is learned.
            recipe: how.
            base_sha256: hash of the base model's file.
            below: finished adapters that stay below the new one, and their scales.
            reader_sha256: hash of the reader among `below`, for the file.
            memory_budget: bytes.
            precision: of the products.
            checkpoint_path: None writes no checkpoints.
            checkpoint_seconds: between two checkpoints.
            start: an earlier adapter that the training goes on from; the recipe must fit it.
            cipher: encrypts the checkpoints.

        Raises:
            TrainingError: something does not fit; nothing was computed yet.
        """
        self.course = plan_course(documents, recipe, weights, precision, memory_budget)
        self.recipe = recipe = self.course.recipe
        self.weights, self._precision = weights, precision
        self.parameters = AdapterParameters.initial(weights.architecture, recipe)
        if start is not None:
            self.parameters.take_over(start)
        stack = [_frozen(adapter, scale, weights) for adapter, scale in below]
        self.decoder = Decoder(
            weights,
            [*stack, self.parameters.pairs],
            precision=precision,
            recompute=self.course.memory.recompute,
        )
        # Makes the model without what is trained. A bound method would form a reference cycle, and
        # the memory of a training would be freed only some time after its end.
        self._reference = functools.partial(Decoder, weights, stack, precision=precision)
        self.objective = _objective(self.course, self._reference)
        self.optimizer = AdamW(self.parameters.arrays, recipe)
        self.progress = Progress()
        self.checkpoint_path = checkpoint_path
        self._checkpoint_seconds, self._cipher = checkpoint_seconds, cipher
        self._best: bytes | None = None
        self._provenance = _provenance(base_sha256, recipe, reader_sha256)
        self._identity = self._identify([*below, *([] if start is None else [(start, 1.0)])])

    def run(
        self,
        callback: Callback | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> TrainingResult:
        """Train to the end, or until `should_stop`, going on from a checkpoint if there is one.

        Raises:
            DivergedError: the loss is not a number, or diverges; the last checkpoint is kept.
            TrainingError: a checkpoint is damaged, or cannot be written.
        """
        tell = callback or (lambda event: None)
        self._resume()
        tell(self._event("start"))
        if isinstance(self.objective, PreferenceObjective):
            self.objective.prepare(self._reference)
        saved_at = started = time.monotonic()
        first_step = self.progress.step
        if self.course.held_out and not self.progress.held_out_losses:
            self._evaluate(tell)
        while not self.progress.done and self.progress.step < len(self.course.steps):
            event = self._step()
            n_done = self.progress.step - first_step
            n_left = len(self.course.steps) - self.progress.step
            left = (time.monotonic() - started) / n_done * n_left
            tell(dataclasses.replace(event, seconds_left=left))
            if self.course.is_evaluated_after(self.progress.step):
                self._evaluate(tell)
            stop = should_stop is not None and should_stop()
            if stop or time.monotonic() - saved_at >= self._checkpoint_seconds:
                self._save(tell)
                saved_at = time.monotonic()
            if stop and not self._finished:
                tell(self._event("stopped"))
                return self._result(None)
        content = self._best if self._best is not None else self._adapter_file()
        tell(self._event("end"))
        return self._result(content)

    @property
    def _finished(self) -> bool:
        return self.progress.done or self.progress.step >= len(self.course.steps)

    def _step(self) -> TrainingEvent:
        """Make one update."""
        began = time.perf_counter()
        p, recipe = self.progress, self.recipe
        members = [self.course.training[index] for index in self.course.steps[p.step]]
        self.parameters.zero_gradients()
        measured = self.objective.gradient(self.decoder, members)
        loss = measured.loss
        gradients = self.parameters.gradients
        norm = gradient_norm(gradients)
        self._check_divergence(loss, norm)
        rate = learning_rate(p.step, len(self.course.steps), recipe)
        shorten = min(1.0, recipe.clip / norm) if norm > 0 else 1.0
        self.optimizer.update(self.parameters.arrays, gradients, rate, shorten)
        p.step += 1
        p.losses.append(loss)
        n_tokens = sum(item.length for item in members)
        return self._event(
            "step",
            **dataclasses.asdict(measured),
            learning_rate=rate,
            gradient_norm=norm,
            tokens_per_second=n_tokens / (time.perf_counter() - began),
        )

    def _check_divergence(self, loss: float, norm: float) -> None:
        """Stop before a bad gradient spoils the parameters."""
        p = self.progress
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise self._diverged("is no longer a number")
        before = loss if p.smooth_loss is None else p.smooth_loss
        smoothing = min(_SMOOTHING, p.step / (p.step + 1))  # at first the plain mean
        p.smooth_loss = smoothing * before + (1.0 - smoothing) * loss
        if p.step + 1 < _FIRST_STEPS:
            return
        lowest = p.smooth_loss if p.lowest_loss is None else min(p.lowest_loss, p.smooth_loss)
        p.lowest_loss = lowest
        if p.smooth_loss > lowest + max(2.0, 0.5 * lowest):
            raise self._diverged("diverges")

    def _diverged(self, what: str) -> DivergedError:
        kept = (
            f"; the last good state is in {self.checkpoint_path}"
            if self.checkpoint_path is not None and self.checkpoint_path.exists()
            else ""
        )
        happened = f"The loss {what} at step {self.progress.step + 1}"
        return DivergedError(
            f"{happened}; try a lower learning rate than {self.recipe.learning_rate:g}{kept}.",
            happened,
        )

    def _evaluate(self, tell: Callback) -> None:
        """Measure the held-out loss; keep the adapter if it is the best one yet."""
        p = self.progress
        measured = self.objective.measure(self.decoder, self.course.held_out)
        loss = measured.loss
        p.held_out_losses.append((p.step, loss))
        if p.step == 0:  # B is zero: this is the base
            p.base_held_out = loss
        elif not math.isfinite(loss):
            raise self._diverged("on held-out data is no longer a number")
        elif p.best_held_out is None or loss < p.best_held_out:
            p.best_held_out, p.best_step, p.without_better = loss, p.step, 0
            self._best = self._adapter_file()
        else:
            p.without_better += 1
            p.done = 0 < self.recipe.patience <= p.without_better
        tell(
            self._event(
                "evaluation",
                held_out_loss=loss,
                margin=measured.margin,
                accuracy=measured.accuracy,
            )
        )

    def _adapter_file(self) -> bytes:
        adapter = self.parameters.to_adapter(
            self.weights.architecture, self.recipe.file_alpha, self._provenance
        )
        return write_adapter(adapter, "F16" if self.recipe.dtype == "F16" else "F32")

    def _state(self) -> dict[str, NDArray[Any]]:
        """Return every array that a later run needs, by name."""
        groups = (
            ("value", self.parameters.arrays),
            ("mean", self.optimizer.mean),
            ("square", self.optimizer.square),
        )
        state: dict[str, NDArray[Any]] = {
            f"{kind}/{n}": array for kind, arrays in groups for n, array in arrays.items()
        }
        if isinstance(self.objective, PreferenceObjective):
            state["reference"] = self.objective.reference
        return state

    def _save(self, tell: Callback) -> None:
        if self.checkpoint_path is not None:
            checkpoint.save(
                self.checkpoint_path,
                self._identity,
                self.progress,
                self._state(),
                self._best,
                self._cipher,
            )
            tell(self._event("checkpoint"))

    def _resume(self) -> None:
        if self.checkpoint_path is None:
            return
        found = checkpoint.load(self.checkpoint_path, self._identity, self._state(), self._cipher)
        if found is not None:
            self.progress, self._best = found
            self.optimizer.step = self.progress.step

    def _identify(self, below: Sequence[tuple[LoraAdapter, float]]) -> str:
        """Return a hash of everything that the result depends on."""
        parts = [
            *self._provenance.values(),
            items_sha256(self.course.training),
            items_sha256(self.course.held_out),
            _kernels.isa(),
            self._precision,
            repr(self.weights.architecture.ropes),
        ]
        for adapter, scale in below:
            parts += [hashlib.sha256(write_adapter(adapter, "F32")).hexdigest(), repr(scale)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _event(
        self,
        kind: EventKind,
        **values: float | None,
    ) -> TrainingEvent:
        return TrainingEvent(
            kind,
            self.progress.step,
            len(self.course.steps),
            memory_bytes=resident_memory(),
            **values,
        )

    def _result(self, content: bytes | None) -> TrainingResult:
        p = self.progress
        return TrainingResult(
            content=content,
            recipe=self.recipe,
            steps=p.step,
            n_documents=(len(self.course.training), len(self.course.held_out)),
            n_tokens=self.course.n_tokens,
            losses=tuple(p.losses),
            held_out_losses=tuple(p.held_out_losses),
            best_step=p.best_step if self._best is not None else p.step,
            memory=self.course.memory,
        )


def _objective(
    course: Course, reference: Callable[[], Decoder]
) -> LikelihoodObjective | PreferenceObjective:
    if course.recipe.method == "dpo":
        return PreferenceObjective(course.training, course.held_out, course.recipe)
    return LikelihoodObjective(course.recipe.anchor_weight, reference)


def _provenance(base_sha256: str, recipe: Recipe, reader_sha256: str | None) -> dict[str, str]:
    """Return what the adapter's file says of where it comes from."""
    hashes = {
        "base_sha256": base_sha256,
        "recipe_sha256": recipe.sha256(),
        "code_sha256": code_sha256(),
    }
    return hashes if reader_sha256 is None else {**hashes, "reader_sha256": reader_sha256}


def _frozen(adapter: LoraAdapter, scale: float, weights: Weights) -> Mapping[str, Pair]:
    """Return the pairs of an adapter that stays below.

    Raises:
        AdapterError: it does not fit the base.
    """
    dims = {n: (p.a.shape[1], p.b.shape[0]) for n, p in adapter.tensors.items()}
    check_base(adapter.architecture, dims, weights.header, "The adapter below")
    return frozen_pairs(adapter, scale)
