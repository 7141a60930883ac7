"""`ondevice train`: a low-rank adapter from text, chats or preferences, without a profile."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from ondevice.cli.chat.session import load_settings
from ondevice.cli.completion.complete import complete_files, complete_models
from ondevice.cli.learn.plot import check_plot, write_plot
from ondevice.cli.output import clock, shows_progress, size, talk
from ondevice.cli.paths import UserPath
from ondevice.cli.train.progress import (
    adapter_file,
    display,
    parse_size,
    recipe_from,
    recipe_options,
)

if TYPE_CHECKING:
    from ondevice.training.trainer import Trainer, TrainingResult


@click.command("train")
@click.option("--base", default="default", metavar="NAME|FILE", show_default=True,
              shell_complete=complete_models, help="The base model.")  # fmt: skip
@click.option("--data", multiple=True, required=True, type=UserPath(),
              help="Text, Markdown, JSONL chats or preferences; repeatable.")  # fmt: skip
@click.argument("more", nargs=-1, type=UserPath(), metavar="[FILE]...")
@click.option("--out", type=UserPath(),
              help="The adapter file to write.")  # fmt: skip
@click.option("--dry-run", is_flag=True,
              help="Only measure a few steps: how long it will take, how much memory.")  # fmt: skip
@click.option("--on", "on", multiple=True, metavar="FILE[:SCALE]",
              shell_complete=complete_files,
              help="A finished adapter that stays below the new one; repeatable.")  # fmt: skip
@click.option("--reader/--no-reader", help="Train on top of the base model's reader.")
@click.option(
    "--memory-budget", type=parse_size, metavar="SIZE", help="Use no more memory than this."
)
@click.option("--threads", type=click.IntRange(min=0), default=0, show_default=True,
              help="Threads; 0: one per processor.")  # fmt: skip
@click.option("--precision", type=click.Choice(["auto", "f32"]), default="auto", show_default=True,
              help="auto multiplies in bfloat16 where the processor can.")  # fmt: skip
@click.option("--plot", type=UserPath(), metavar="FILE",
              help="Write the losses as a picture, an SVG.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each event.")
@recipe_options
def command(
    base: str,
    data: tuple[Path, ...],
    more: tuple[Path, ...],
    out: Path | None,
    dry_run: bool,
    on: tuple[str, ...],
    reader: bool,
    memory_budget: int | None,
    threads: int,
    precision: str,
    plot: Path | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Train a low-rank adapter on text and chats, or on preferences.

    The base stays as it is; the adapter goes to --out, for `ondevice adapter add`. An interrupted
    training goes on when the same command is given again.
    """
    from ondevice.adapters.builtin_reader import needed_reader
    from ondevice.home import Home
    from ondevice.models.base_model import resolve
    from ondevice.training import prepare, train

    if out is None and not dry_run:
        raise click.UsageError("Say where the adapter goes with --out FILE, or ask for --dry-run.")
    if plot is not None:
        check_plot(plot)
    recipe = recipe_from(options)
    home = Home.default()
    model = resolve(base, home)
    below: list[tuple[Path | bytes, float]] = [*map(adapter_file, on)]
    if reader:
        below.insert(0, (needed_reader(model).read(), 1.0))
    sources = [*data, *more]
    how: dict[str, Any] = {
        "recipe": recipe,
        "on": below,
        "memory_budget": memory_budget,
        "precision": "f32" if precision == "f32" else "auto",
        "threads": threads,
        "n_ctx": load_settings().model.n_ctx,
    }
    if dry_run:
        _tell_cost(prepare(model, sources, **how), as_json)
        return 0
    assert out is not None
    with display(as_json) as callback, stop_on_interrupt() as should_stop:
        result = train(model, sources, out, callback=callback, should_stop=should_stop, **how)
    if result.content is None:
        talk(f"Stopped after step {result.steps}; the same command goes on from there.")
        return 130
    if plot is not None:
        from ondevice.training.plot import loss_picture

        write_plot(plot, loss_picture(result.losses, result.held_out_losses))
    if not as_json:
        _report(result, out)
    return 0


def _tell_cost(trainer: Trainer, as_json: bool) -> None:
    """Measure a few steps and print what the whole training costs."""
    from ondevice.training import estimate_cost

    if not as_json:
        talk("Measuring the first steps…", dim=True)
    cost = estimate_cost(trainer)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(cost)))
        return
    early = " (less if it stops early)" if trainer.recipe.patience else ""
    twice = f", {cost.recompute} blocks computed twice" if cost.recompute else ""
    click.echo(
        f"{cost.n_documents[0]} to learn and {cost.n_documents[1]} held out, {cost.n_tokens} "
        f"tokens, {cost.n_steps} steps, {cost.n_parameters:,} parameters.\n"
        f"Expected: {clock(cost.seconds)} min{early}, {size(cost.memory_bytes)} of memory{twice};"
        f" measured over {cost.measured_steps} steps. Nothing was written."
    )


def _report(result: TrainingResult, out: Path) -> None:
    """Say on stderr what came of it."""
    from ondevice.training.plot import loss_text

    if shows_progress():
        talk(loss_text(result.losses, result.held_out_losses), dim=True)
    assert result.content is not None
    what = "documents" if result.recipe.method == "sft" else "preferences"
    talk(
        f"{out}: rank {result.recipe.rank}, {size(len(result.content))}, {result.steps} steps over "
        f"{result.n_tokens} tokens in {result.n_documents[0]} {what}."
    )
    if result.held_out_losses:
        base = result.held_out_losses[0][1]
        best = min(loss for _, loss in result.held_out_losses[1:])
        verdict = "better than" if result.improved else "no better than"
        talk(
            f"Held-out loss {best:.4f} at step {result.best_step}, {verdict} the base's {base:.4f}."
        )
    else:
        talk(f"Too few {what} to keep some apart, so nothing shows whether it generalises.")


@contextlib.contextmanager
def stop_on_interrupt(
    answer: str = "Saving after this step…",
) -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C end the training after its step; the second one acts at once.

    Args:
        answer: what is said to the first one.
    """
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, before)
        talk(answer)

    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)
