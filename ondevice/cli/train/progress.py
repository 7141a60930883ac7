"""Options of `train` and `score`, derived from the recipe, and a live display of a training."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ondevice.cli.output import console_of_bars, shows_progress, size, talk
from ondevice.ground.files import expanded
from ondevice.training.recipe import Recipe

if TYPE_CHECKING:
    from rich.progress import Progress

    from ondevice.training.trainer import TrainingEvent

Command = Callable[..., Any]

_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}


def recipe_options(command: Command) -> Command:
    """Add one option for each field of the recipe, with its default and help text."""
    for recipe_field in reversed(dataclasses.fields(Recipe)):
        name = recipe_field.name.replace("_", "-")
        default: Any = recipe_field.default
        flag = f"--{name}/--no-{name}" if isinstance(default, bool) else f"--{name}"
        command = click.option(
            flag,
            recipe_field.name,
            type=type(default),
            default=default,
            show_default=True,
            help=recipe_field.metadata["help"],
        )(command)
    return command


def recipe_from(options: dict[str, Any]) -> Recipe:
    """Take the recipe's fields out of a command's options."""
    return Recipe(**{f.name: options[f.name] for f in dataclasses.fields(Recipe)})


def parse_size(text: str | int) -> int:
    """Turn a size such as `800MB`, `2GiB` or plain bytes into bytes.

    Raises:
        click.BadParameter: it is no size.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kmg]i?)?b?", str(text).strip().lower())
    if match is None:
        raise click.BadParameter(f"'{text}' is not a size; write for example 800MB or 2GiB.")
    return int(float(match[1]) * _UNITS[match[2] or ""])


def adapter_file(text: str) -> tuple[Path, float]:
    """Turn `FILE[:SCALE]` into a path and a scale."""
    if not Path(text).exists():  # a colon may also belong to the path
        path, colon, scale = text.rpartition(":")
        if colon and path:
            try:
                value = float(scale)
            except ValueError:
                value = float("nan")
            if abs(value) < float("inf"):
                return expanded(Path(path)), value
    return expanded(Path(text)), 1.0


@contextlib.contextmanager
def display(as_json: bool) -> Iterator[Callable[[TrainingEvent], None]]:
    """Yield a callback that shows events: JSON lines, a live bar, or a line now and then."""
    if as_json:
        yield _print_event
    elif shows_progress():
        with _progress() as progress:
            yield _Bar(progress)
    else:
        yield _talk_event


def _print_event(event: TrainingEvent) -> None:
    values = {k: v for k, v in dataclasses.asdict(event).items() if v is not None}
    click.echo(json.dumps(values))


def _talk_event(event: TrainingEvent) -> None:
    if event.kind == "evaluation":
        ranked = f", {event.accuracy:.0%} ranked right" if event.accuracy is not None else ""
        talk(f"step {event.step}/{event.n_steps}: held-out loss {event.held_out_loss:.4f}{ranked}")


def _progress() -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[shown]}"),
        TimeElapsedColumn(),
        console=console_of_bars(),
    )


class _Bar:
    """Keeps one line up to date: losses, speed, time left, memory."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.task = progress.add_task("train", total=1.0, shown="")
        self.held_out: float | None = None
        self.loss: float | None = None
        self.accuracy: float | None = None

    def __call__(self, event: TrainingEvent) -> None:
        if event.held_out_loss is not None:
            self.held_out, self.accuracy = event.held_out_loss, event.accuracy
        if event.loss is not None:
            self.loss = event.loss if self.loss is None else 0.9 * self.loss + 0.1 * event.loss
        parts = [f"loss {self.loss:.3f}" if self.loss is not None else ""]
        parts.append(f"held-out {self.held_out:.3f}" if self.held_out is not None else "")
        parts.append(f"{self.accuracy:.0%} right" if self.accuracy is not None else "")
        if event.tokens_per_second is not None:
            parts.append(f"{event.tokens_per_second:.0f} tokens/s")
        if event.seconds_left is not None:
            minutes, seconds = divmod(round(event.seconds_left), 60)
            parts.append(f"{minutes}:{seconds:02d} left")
        if event.memory_bytes is not None:
            parts.append(size(event.memory_bytes))
        if event.kind in ("step", "start"):
            shown = "  ".join(part for part in parts if part)
            self.progress.update(self.task, completed=event.step, total=event.n_steps, shown=shown)
