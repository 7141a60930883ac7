"""Which models of the catalogue this machine can run, and about how fast: an estimate.

A token is answered by reading all weights once, so the seconds for it grow with their bytes. How
many bytes a second this machine gets through is measured on a model that is here, and the others
are scaled by their size. Prompts, other kinds of quantization and a busy machine change that.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ondevice.ground.system_memory import available_memory, total_memory
from ondevice.models.base_model import ListedModel
from ondevice.models.gguf_header import GgufHeader

READING_PACE = 10.0  # tokens a second: about as fast as people read along


@dataclass(frozen=True)
class Machine:
    """What decides which models can be used.

    Attributes:
        processor: its name, or "".
        cores: that a model may use.
        memory_bytes: in all; None where that cannot be told.
        available_bytes: of memory, without swapping; None where that cannot be told.
        free_bytes: of the disk with the models folder.
        weights_per_second: bytes of weights that a model gets through; None if not measured.
    """

    processor: str
    cores: int
    memory_bytes: int | None
    available_bytes: int | None
    free_bytes: int
    weights_per_second: float | None


@dataclass(frozen=True)
class Suggestion:
    """What one model of the catalogue would be on this machine.

    Attributes:
        name: what `model pull` and `--model` take.
        size_bytes: of its file.
        memory_bytes: estimate of what a chat with it needs.
        here: whether it is on this machine.
        tokens_per_second: estimate of its speed; None if nothing could be measured.
        fits_memory: whether four fifths of the memory hold it; None where nobody can tell.
        fits_disk: whether its file fits on the disk, or is here.
        trainable: whether adapters can be trained on it; if not: chat and memory only.
        recommended: the one to take.
        licence: as the catalogue says.
        note: what should be known of it, in a few words.
    """

    name: str
    size_bytes: int
    memory_bytes: int
    here: bool
    tokens_per_second: float | None
    fits_memory: bool | None
    fits_disk: bool
    trainable: bool
    recommended: bool
    licence: str
    note: str


def look_at_machine(
    models: Path, processor: str, cores: int, weights_per_second: float | None
) -> Machine:
    """Return this machine; `models` is the folder of pulled models, which need not exist yet."""
    folder = next(place for place in (models, *models.parents) if place.exists())
    return Machine(
        processor=processor,
        cores=cores,
        memory_bytes=total_memory(),
        available_bytes=available_memory(),
        free_bytes=shutil.disk_usage(folder).free,
        weights_per_second=weights_per_second,
    )


def suggest(
    listed: Sequence[ListedModel], machine: Machine, trains: Callable[[ListedModel], bool]
) -> list[Suggestion]:
    """Return what each model would be on `machine`, smallest first; one at most is recommended."""
    ordered = sorted(listed, key=lambda model: model.size_bytes)
    speeds = {
        model.name: machine.weights_per_second / model.size_bytes
        if machine.weights_per_second
        else None
        for model in ordered
    }
    fits = {model.name: _fits_disk(model, machine) for model in ordered}
    best = _recommended([m for m in ordered if fits[m.name] and trains(m)], speeds)
    return [
        Suggestion(
            name=model.name,
            size_bytes=model.size_bytes,
            memory_bytes=model.memory_bytes,
            here=model.path is not None,
            tokens_per_second=speeds[model.name],
            fits_memory=model.fits,
            fits_disk=fits[model.name],
            trainable=trains(model),
            recommended=model.name == best,
            licence=model.licence,
            note=model.note,
        )
        for model in ordered
    ]


def _fits_disk(model: ListedModel, machine: Machine) -> bool:
    return model.path is not None or model.size_bytes < machine.free_bytes


def _recommended(usable: Sequence[ListedModel], speeds: dict[str, float | None]) -> str | None:
    """Return the largest that answers at reading pace; if none does, the smallest but the tiny one.

    Of several of about one size it is the one that can be had from more sources. Without a
    measured speed nothing is recommended.
    """
    fitting = [model for model in usable if model.fits is not False]
    quick = [m for m in fitting if (speeds[m.name] or 0.0) >= READING_PACE]
    if quick:
        return max(quick, key=lambda m: (round(m.size_bytes, -8), len(m.sources))).name
    grown = [m for m in fitting if not m.default and speeds[m.name] is not None]
    return min(grown, key=lambda model: model.size_bytes).name if grown else None


def weights_read(header: GgufHeader) -> int:
    """Return how many bytes of weights a model reads to answer one token.

    Of an embedding table that is not the head too only one row is read.
    """
    total = sum(tensor.nbytes for tensor in header.tensors.values())
    table = header.tensors.get("token_embd.weight")
    return total - table.nbytes if table and "output.weight" in header.tensors else total
