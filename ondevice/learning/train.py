"""The training of a plan: texts, then preferences on top, to the bytes of one adapter."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ondevice import _kernels
from ondevice.adapters.builtin_reader import Reader
from ondevice.adapters.concatenation import concatenate
from ondevice.adapters.gguf_lora import LoraAdapter, read_adapter, write_adapter
from ondevice.adapters.registry import AdapterRegistry
from ondevice.learning.examples.documents import documents_of
from ondevice.learning.examples.replay import neutral
from ondevice.learning.options import LearnEvent, Stage, Tell
from ondevice.learning.plan import Plan
from ondevice.models.base_model import BaseModel
from ondevice.models.tokenizer import Tokenizer
from ondevice.training.checkpoint import BYTES_A_PARAMETER
from ondevice.training.data import Document, DocumentReader
from ondevice.training.preference_data import PreferencePair
from ondevice.training.recipe import Recipe
from ondevice.training.trainer import Trainer, TrainingEvent, TrainingResult
from ondevice.training.weights import Weights


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Attributes:
        content: the adapter file; None if it was stopped.
        texts: of the documents, None if there were none.
        preferences: of the preference pairs, None if there were none.
    """

    content: bytes | None
    texts: TrainingResult | None
    preferences: TrainingResult | None

    @property
    def record(self) -> dict[str, Any]:
        """Numbers for the adapter's row."""
        parts = {"texts": self.texts, "preferences": self.preferences}
        return {
            name: {
                "steps": result.steps,
                "best_step": result.best_step,
                "tokens": result.n_tokens,
                "documents": list(result.n_documents),
                "losses": [round(loss, 4) for loss in result.losses],
                "held_out_losses": [[s, round(v, 4)] for s, v in result.held_out_losses],
                "recipe_sha256": result.recipe.sha256(),
            }
            for name, result in parts.items()
            if result is not None
        }


class PlanTrainer:
    """Trains plans for one base model."""

    def __init__(
        self,
        base: BaseModel,
        registry: AdapterRegistry,
        reader: Reader | None = None,
        reader_scale: float = 1.0,
        *,
        threads: int = 0,
    ) -> None:
        """Prepare.

        Args:
            base: a checked base model of an architecture that can be trained.
            registry: where checkpoints and the adapter to go on from are.
            reader: the shared adapter that lies below personal ones, unchanged.
            reader_scale: at which it is applied.
            threads: 0 for one per processor.

        Raises:
            TrainingError: the model cannot be trained.
        """
        self._base = base
        self._registry = registry
        self._weights = Weights(base.header)
        self._reader_sha256 = reader.sha256 if reader is not None else None
        self._below: list[tuple[LoraAdapter, float]] = []
        if reader is not None:
            self._below.append((read_adapter(reader.read(), base.header), reader_scale))
        _kernels.set_threads(threads)

    def train(
        self, plan: Plan, tell: Tell, should_stop: Callable[[], bool] | None = None
    ) -> Trained:
        """Train `plan`, going on from checkpoints of an earlier run of the same plan.

        Raises:
            TrainingError: it cannot start or diverges, or the disk is full.
        """
        start = self._read(plan)
        parts: list[tuple[LoraAdapter, float]] = []
        texts = preferences = None
        if plan.documents:
            trainer = self._trainer(plan.documents, plan.recipe, "sft", self._below, start)
            texts = trainer.run(_telling(tell, "training"), should_stop)
            if texts.content is None:
                return Trained(None, texts, None)
            parts = [(read_adapter(texts.content, self._base.header), 1.0)]
        elif start is not None:
            parts = [(start, 1.0)]
        if plan.pairs:
            below = [*self._below, *parts]
            trainer = self._trainer(plan.pairs, plan.preference_recipe, "dpo", below, None)
            preferences = trainer.run(_telling(tell, "preferences"), should_stop)
            if preferences.content is None:
                return Trained(None, texts, preferences)
            parts.append((read_adapter(preferences.content, self._base.header), 1.0))
        if len(parts) == 1 and texts is not None:
            return Trained(texts.content, texts, preferences)
        return Trained(write_adapter(concatenate(parts)), texts, preferences)

    def memory(self, plan: Plan) -> int:
        """Return an estimate of the peak of resident memory, in bytes."""
        documents: Sequence[Document] | Sequence[PreferencePair] = plan.documents or plan.pairs
        recipe = plan.recipe if plan.documents else plan.preference_recipe
        return self._trainer(documents, recipe, None, self._below, None).course.memory.bytes

    def room(self, plan: Plan) -> int:
        """Return how many bytes checkpoint and adapter need on the disk, at the most."""
        shapes = self._weights.architecture.linear_shape
        recipe = plan.recipe.settled(plan.n_tokens)
        numbers = sum(recipe.rank * sum(shapes(layer)) for layer in recipe.layers())
        return BYTES_A_PARAMETER * numbers * self._weights.architecture.n_layers

    def speed(self, seconds: float, tell: Tell | None = None) -> float:
        """Train on neutral text for a while and throw it away; return tokens a second.

        It does not depend on the person's data, so that a budget made of it tells nothing of
        them. The first step, which warms caches, does not count.
        """
        with Tokenizer(self._base) as tokenizer:
            reader = DocumentReader(tokenizer, self._base.header, max_length=512)
            documents = documents_of(neutral(), reader)
        recipe = Recipe(max_steps=100_000, held_out=0.0)
        trainer = self._trainer(documents, recipe, None, self._below, None)
        started = time.monotonic()
        rates: list[float] = []

        def show() -> None:
            if tell is not None:
                passed = min(seconds, time.monotonic() - started)
                tell(LearnEvent("measuring", passed, seconds, "how fast this machine is"))

        def note(event: TrainingEvent) -> None:
            if event.tokens_per_second is not None:
                rates.append(event.tokens_per_second)
                show()

        show()
        trainer.run(note, lambda: len(rates) >= 3 and time.monotonic() - started > seconds)
        return statistics.median(rates[1:])

    def _trainer(
        self,
        items: Sequence[Document] | Sequence[PreferencePair],
        recipe: Recipe,
        stage: str | None,
        below: Sequence[tuple[LoraAdapter, float]],
        start: LoraAdapter | None,
    ) -> Trainer:
        return Trainer(
            self._weights,
            items,
            recipe,
            base_sha256=self._base.sha256,
            below=below,
            checkpoint_path=self._registry.files.checkpoint(stage) if stage else None,
            start=start,
            reader_sha256=self._reader_sha256,
            cipher=self._registry.files.cipher,
        )

    def _read(self, plan: Plan) -> LoraAdapter | None:
        if plan.start is None:
            return None
        return read_adapter(self._registry.read(plan.start.name), self._base.header)


def _telling(tell: Tell, stage: Stage) -> Callable[[TrainingEvent], None]:
    def forward(event: TrainingEvent) -> None:
        tell(LearnEvent(stage, event.step, event.n_steps, training=event))

    return forward
