"""The state of an unfinished training in one file, so that it can go on as if never stopped.

The file is replaced as a whole: whenever the process dies, an old or a new
state is there, never a mixture. It holds numbers only; those learned from personal
text are encrypted.
"""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ondevice.errors import TrainingError, explain
from ondevice.ground.files import atomic_writer

_FORMAT = 1

# On the disk: the parameters and two moments (float32) and the best adapter (F16), twice while a
# checkpoint is replaced, and the finished adapter (F16).
BYTES_A_PARAMETER = 2 * (3 * 4 + 2) + 2


@dataclass
class Progress:
    """Where a training stands.

    Attributes:
        step: updates made.
        smooth_loss: moving average of the steps' losses.
        lowest_loss: the lowest that it was, to recognise divergence.
        base_held_out: held-out loss of the base model.
        best_held_out: lowest held-out loss of the adapter so far.
        best_step: the step it was measured at.
        without_better: measurements since then.
        losses: loss of every step, for the plot.
        held_out_losses: (step, loss) of every measurement.
        done: no more steps are to be made.
    """

    step: int = 0
    smooth_loss: float | None = None
    lowest_loss: float | None = None
    base_held_out: float | None = None
    best_held_out: float | None = None
    best_step: int = 0
    without_better: int = 0
    losses: list[float] = field(default_factory=list)
    held_out_losses: list[tuple[int, float]] = field(default_factory=list)
    done: bool = False


class Cipher(Protocol):
    """Encrypts what is written to disk."""

    def seal(self, content: bytes) -> bytes:
        """Return `content` encrypted."""

    def unseal(self, sealed: bytes) -> bytes:
        """Return what was sealed; ValueError if it is damaged."""


def check_room(folder: Path, n_parameters: int) -> None:
    """Check that a training can write its checkpoints and its adapter into `folder`.

    Raises:
        TrainingError: the disk is too full.
    """
    needed, free = BYTES_A_PARAMETER * n_parameters, shutil.disk_usage(folder).free
    if free < needed:
        raise TrainingError(
            f"Training needs about {(needed >> 20) + 1} MB on the disk of {folder}, but only "
            f"{free >> 20} MB are free; free some space, or write to another disk."
        )


def save(
    path: Path,
    identity: str,
    progress: Progress,
    arrays: Mapping[str, NDArray[Any]],
    best: bytes | None,
    cipher: Cipher | None = None,
) -> None:
    """Replace the checkpoint at `path`.

    Args:
        path: the file.
        identity: hash of everything that the result depends on.
        progress: the counters.
        arrays: parameters and optimizer state.
        best: the best adapter file so far.
        cipher: encrypts the file.

    Raises:
        TrainingError: the file cannot be written.
    """
    head = json.dumps({"format": _FORMAT, "identity": identity, "progress": asdict(progress)})
    stored: dict[str, Any] = {
        "head": np.frombuffer(head.encode(), np.uint8),
        "best": np.frombuffer(best or b"", np.uint8),
        **{f"array/{name}": array for name, array in arrays.items()},
    }
    try:
        with atomic_writer(path) as file:
            target = io.BytesIO() if cipher is not None else file
            np.savez(target, **stored)
            if cipher is not None and isinstance(target, io.BytesIO):
                file.write(cipher.seal(target.getvalue()))
    except OSError as error:
        raise TrainingError(
            f"The checkpoint {path} cannot be written: {explain(error)}."
        ) from error


def load(
    path: Path,
    identity: str,
    arrays: Mapping[str, NDArray[Any]],
    cipher: Cipher | None = None,
) -> tuple[Progress, bytes | None] | None:
    """Fill `arrays` from the checkpoint at `path`; return the progress and the best adapter.

    Returns None if there is no checkpoint, or it belongs to a training with other data, another
    recipe or another base.

    Raises:
        TrainingError: the file is damaged.
    """
    damaged = TrainingError(f"The checkpoint {path} is damaged; delete it to start again.")
    try:
        with path.open("rb") as file:
            source = io.BytesIO(cipher.unseal(file.read())) if cipher is not None else file
            stored = np.load(source, allow_pickle=False)
            head: dict[str, Any] = json.loads(stored["head"].tobytes())
            if head.get("format") != _FORMAT or head.get("identity") != identity:
                return None
            for name, array in arrays.items():
                values = stored[f"array/{name}"]
                if values.shape != array.shape or values.dtype != array.dtype:
                    raise damaged
                array[...] = values
            best = stored["best"].tobytes()
            known = {f.name for f in fields(Progress)}
            progress = Progress(**{k: v for k, v in head["progress"].items() if k in known})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise damaged from error
    progress.held_out_losses = [(int(s), float(v)) for s, v in progress.held_out_losses]
    return progress, best or None


def remove(path: Path) -> None:
    """Delete the checkpoint of a finished training."""
    path.unlink(missing_ok=True)
