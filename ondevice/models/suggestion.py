"""Which models of the catalogue this machine can run, and about how fast: an estimate.

A token is answered by reading all weights once, so the seconds for it grow with their bytes; what
else it takes weighs as much as some more bytes. How many a second this machine gets through is
measured on a model that is here, and the others are scaled by their size. Prompts, other kinds of
quantization and a busy machine change that.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ondevice.ground.system_memory import available_memory, total_memory
from ondevice.models.base_model import ListedModel

# From the processor time of a token on one core, with models of 98, 491 and 1,117 MB: what the
# first one takes gives that of the others within an eighth (benchmarks/pulled_model.py).
BESIDE_WEIGHTS = 87_000_000
_MEASURED = 1_500_000_000  # bytes; a larger model would take long to measure
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
        bytes_per_second: that models get through, with `BESIDE_WEIGHTS`; None if not measured.
        busy: whether other programs take so much that it would be more otherwise.
    """

    processor: str
    cores: int
    memory_bytes: int | None
    available_bytes: int | None
    free_bytes: int
    bytes_per_second: float | None
    busy: bool


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


def is_busy(cores: int) -> bool:
    """Whether other programs keep most of the cores busy; to be asked before measuring."""
    if not hasattr(os, "getloadavg"):  # Windows
        return False
    return os.getloadavg()[0] > 0.75 * cores


def look_at_machine(
    models: Path, processor: str, cores: int, bytes_per_second: float | None, *, busy: bool
) -> Machine:
    """Return this machine; `models` is the folder of pulled models, which need not exist yet."""
    folder = next(place for place in (models, *models.parents) if place.exists())
    return Machine(
        processor=processor,
        cores=cores,
        memory_bytes=total_memory(),
        available_bytes=available_memory(),
        free_bytes=shutil.disk_usage(folder).free,
        bytes_per_second=bytes_per_second,
        busy=busy,
    )


def suggest(
    listed: Sequence[ListedModel], machine: Machine, trains: Callable[[ListedModel], bool]
) -> list[Suggestion]:
    """Return what each model would be on `machine`, smallest first; one at most is recommended."""
    ordered = sorted(listed, key=_size_of)
    pace = machine.bytes_per_second
    speeds = {m.name: pace / (m.size_bytes + BESIDE_WEIGHTS) if pace else None for m in ordered}
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
    """Return the largest that answers at reading pace, or the smallest; not the one that is there.

    Of several of about one size it is the one that can be had from more sources. Without a
    measured speed nothing is recommended.
    """
    fitting = [(m, speeds[m.name]) for m in usable if m.fits is not False and not m.default]
    known = [(model, speed) for model, speed in fitting if speed is not None]
    quick = [model for model, speed in known if speed >= READING_PACE]
    if quick:
        return max(quick, key=lambda m: (round(m.size_bytes, -8), len(m.sources))).name
    return min((model for model, _ in known), key=_size_of).name if known else None


def to_measure(listed: Sequence[ListedModel]) -> ListedModel | None:
    """Return the model that tells most about the others: the largest here that is quick enough."""
    here = [m for m in listed if m.path is not None and m.fits is not False]
    return max((m for m in here if m.size_bytes <= _MEASURED), key=_size_of, default=None)


def bytes_per_second(size_bytes: int, tokens_per_second: float) -> float | None:
    """Return the pace of a machine on which a model of that size answers that fast."""
    return (size_bytes + BESIDE_WEIGHTS) * tokens_per_second or None


def _size_of(model: ListedModel) -> int:
    return model.size_bytes
