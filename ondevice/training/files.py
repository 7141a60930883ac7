"""Training from files: what is read, checked, trained and written in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ondevice import _kernels
from ondevice.adapters.builtin_reader import reader_sha256_among
from ondevice.adapters.gguf_lora import read_adapter
from ondevice.errors import TrainingError, explain
from ondevice.ground.files import write_atomic
from ondevice.models.base_model import BaseModel
from ondevice.models.tokenizer import Tokenizer
from ondevice.remedies import Remedy
from ondevice.settings import ModelSettings
from ondevice.training import checkpoint
from ondevice.training.data import Document, DocumentReader, Example
from ondevice.training.preference_data import Preference, PreferencePair, read_preferences
from ondevice.training.recipe import Recipe
from ondevice.training.trainer import Callback, Trainer, TrainingResult
from ondevice.training.weights import Weights

if TYPE_CHECKING:
    from ondevice._kernels import Precision


def train(
    base: BaseModel,
    data: Sequence[Path | Example | Preference],
    out: Path | None,
    *,
    recipe: Recipe | None = None,
    on: Sequence[tuple[Path | bytes, float]] = (),
    callback: Callback | None = None,
    should_stop: Callable[[], bool] | None = None,
    memory_budget: int | None = None,
    precision: Precision = "auto",
    threads: int = 0,
    checkpoint_path: Path | None = None,
    n_ctx: int = ModelSettings.n_ctx,
) -> TrainingResult:
    """Train an adapter for `base` on `data` and write it to `out`.

    An unfinished run leaves `<out>.checkpoint`; calling again with the same arguments goes on
    from there.

    Args:
        base: a checked base model of a supported architecture.
        data: text, Markdown or JSON-lines files, and examples in memory; for the method "dpo",
            JSON-lines files with preference pairs, and preferences in memory.
        out: the adapter file to write; None writes nothing, the result has the content.
        recipe: None for the defaults.
        on: finished adapters and their scales that stay below the new one, unchanged; they are
            part of the reference of the method "dpo".
        callback: told of every step.
        should_stop: asked after every step; True saves a checkpoint and returns.
        memory_budget: bytes; None for what the machine has available.
        precision: "f32" multiplies in float32 even where bfloat16 is faster.
        threads: 0 for one per processor.
        checkpoint_path: None for `<out>.checkpoint`, or for none without `out`.
        n_ctx: the context in which the adapter will be used; some models turn otherwise in long
            ones.

    Raises:
        TrainingError: the model is not supported, the data is empty or too long, the memory does
            not suffice, or the loss diverges.
        ImportSourceError: a data file cannot be read.
        AdapterError: an adapter of `on` does not fit the base.
    """
    if out is not None:
        check_target(out, "adapter")
    if checkpoint_path is None and out is not None:
        checkpoint_path = out.with_name(out.name + ".checkpoint")
    trainer = prepare(
        base,
        data,
        recipe=recipe,
        on=on,
        memory_budget=memory_budget,
        precision=precision,
        threads=threads,
        checkpoint_path=checkpoint_path,
        n_ctx=n_ctx,
    )
    if out is not None:
        checkpoint.check_room(out.parent, trainer.parameters.size)
    result = trainer.run(callback, should_stop)
    if result.content is not None:
        try:
            if out is not None:
                write_atomic(out, result.content)
        except OSError as error:
            kept = checkpoint_path is not None and checkpoint_path.exists()
            raise TrainingError(
                f"The adapter {out} cannot be written: {explain(error)}."
                + " The last checkpoint is kept." * kept
            ) from error
        if checkpoint_path is not None:
            checkpoint.remove(checkpoint_path)
    return result


def check_target(out: Path, what: str) -> None:
    """Check, before the work, that a file can be written to `out`; `what` it is stands in errors.

    Raises:
        TrainingError: there is no such folder, or `out` is one.
    """
    if not out.parent.is_dir():
        raise TrainingError(f"There is no folder {out.parent} to write the {what} into; create it.")
    if out.is_dir():
        raise TrainingError(f"{out} is a folder; give the name of the {what}'s file in it.")


def prepare(
    base: BaseModel,
    data: Sequence[Path | Example | Preference],
    *,
    recipe: Recipe | None = None,
    on: Sequence[tuple[Path | bytes, float]] = (),
    memory_budget: int | None = None,
    precision: Precision = "auto",
    threads: int = 0,
    checkpoint_path: Path | None = None,
    n_ctx: int = ModelSettings.n_ctx,
) -> Trainer:
    """Check everything and return the training that `train`, which explains all this, would run.

    Raises:
        TrainingError: as `train`, before any work is done.
        ImportSourceError: a data file cannot be read.
        AdapterError: an adapter of `on` does not fit the base.
    """
    recipe = recipe or Recipe()
    weights = Weights(base.header, n_ctx)
    below = [(read_adapter(source, base.header), scale) for source, scale in on]
    items = read_items(base, data, recipe, weights)
    _kernels.set_threads(threads)
    return Trainer(
        weights,
        items,
        recipe,
        base_sha256=base.sha256,
        below=below,
        reader_sha256=reader_sha256_among(base, [source for source, _ in on]),
        memory_budget=memory_budget,
        precision=precision,
        checkpoint_path=checkpoint_path,
    )


def read_items(
    base: BaseModel, data: Sequence[Path | Example | Preference], recipe: Recipe, weights: Weights
) -> list[Document] | list[PreferencePair]:
    """Return what `recipe` learns from: documents, or preference pairs.

    Raises:
        TrainingError: the data is empty, too long, or for another method.
        ImportSourceError: a data file cannot be read.
    """
    preferences = [source for source in data if not isinstance(source, Example)]
    examples = [source for source in data if not isinstance(source, Preference)]
    with Tokenizer(base) as tokenizer:
        reader = DocumentReader(
            tokenizer,
            base.header,
            max_length=min(recipe.max_length, weights.architecture.n_ctx_train),
            completion_only=recipe.completion_only or recipe.method != "sft",
        )
        if recipe.method == "sft":
            if len(examples) != len(data):
                raise TrainingError(
                    "Preferences are learned with the method dpo, not sft.", Remedy.METHOD_DPO
                )
            return reader.read(examples)
        if len(preferences) != len(data):
            raise TrainingError(
                f"The method {recipe.method} learns preferences, not examples; give JSON "
                "lines with 'prompt', 'chosen' and 'rejected', or choose sft."
            )
        return read_preferences(reader, preferences)
