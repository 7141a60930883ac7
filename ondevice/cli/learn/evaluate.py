"""`ondevice evaluate`: does memory, or an adapter, help with what this person says and writes?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ondevice.cli.chat.session import (
    load_settings,
    parse_adapter,
    profile_option,
    scope_option,
)
from ondevice.cli.completion.complete import complete_adapters, complete_models
from ondevice.cli.learn.plot import check_plot, write_plot
from ondevice.cli.output import (
    console_of_bars,
    json_option,
    print_json,
    print_table,
    shows_progress,
    talk,
    warn,
)
from ondevice.cli.paths import UserPath

if TYPE_CHECKING:
    from ondevice.chat import Assistant
    from ondevice.chat.learning import Measured
    from ondevice.learning.options import LearnEvent, Tell


@click.command("evaluate")
@profile_option
@click.option(
    "-m", "--model", metavar="NAME|FILE", shell_complete=complete_models, help="The base model."
)
@scope_option
@click.option(
    "--adapter",
    metavar="NAME[:SCALE]",
    shell_complete=complete_adapters,
    help="The adapter to judge [default: the active one, else the newest candidate].",
)
@click.option("--fast", is_flag=True, help="A third of the items: quicker, and less certain.")
@click.option("--audits", "with_audits", is_flag=True,
              help="Also measure agreement, variety, bias and memorization.")  # fmt: skip
@click.option("--plot", type=UserPath(dir_okay=False), metavar="FILE",
              help="Write the table as a picture, an SVG.")  # fmt: skip
@json_option
def command(
    profile: str | None,
    model: str | None,
    scope: str | None,
    adapter: str | None,
    fast: bool,
    with_audits: bool,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Measure whether memory and adapter help, on what was held out.

    Four arms are compared: the base model alone, with your memories in the prompt, with the
    adapter, and with both. An adapter that is not in use is also compared with the one that is.
    Nothing is changed.
    """
    from ondevice.chat import Assistant
    from ondevice.cli.secret import asker

    if plot is not None:
        check_plot(plot)
    name, scale = parse_adapter(adapter) if adapter is not None else (None, None)
    with asker() as ask:
        opened = Assistant.open(
            profile=profile,
            model=model,
            settings=load_settings(),
            scope=scope,
            adapters=[],
            temporary=True,
            ask_passphrase=ask,
            warn=warn,
        )
    with opened as assistant:
        with _display() as show:
            measured = assistant.learning.measure(
                name, scale, fast=fast, audits=with_audits, tell=show
            )
        if measured.adapter is None:
            talk("There is no adapter in use and no candidate: only base and prompt are compared.")
            if with_audits:
                talk("The audits compare answers with and without an adapter; there is none.")
        if plot is not None:
            _plot(assistant, measured, plot)
        if as_json:
            print_json(_as_json(assistant, measured, fast=fast, with_audits=with_audits))
        else:
            _print(measured, fast=fast)


def _plot(assistant: Assistant, measured: Measured, path: Path) -> None:
    from ondevice.evaluation.plot import evaluation_picture

    assert assistant.profile is not None
    judged = measured.adapter or "no adapter"
    title = f"{assistant.profile.name}: {judged} on {assistant.engine.model.name}"
    evaluation = measured.evaluation
    write_plot(path, evaluation_picture(evaluation.table, title, evaluation.decision.summary))


def _as_json(
    assistant: Assistant, measured: Measured, *, fast: bool, with_audits: bool
) -> dict[str, Any]:
    from ondevice.evaluation import report

    assert assistant.profile is not None
    model = assistant.engine.model
    return report.as_json(
        measured.evaluation,
        profile=assistant.profile.name,
        base=(model.name, model.sha256),
        adapter=measured.adapter,
        below=[use.name for use in assistant.engine.active_adapters],
        fast=fast,
        audits=(measured.audits or []) if with_audits else None,
    )


def _print(measured: Measured, *, fast: bool) -> None:
    from ondevice.evaluation import report

    evaluation = measured.evaluation
    print_table(report.HEADINGS, report.rows(evaluation.table), "There is nothing to measure.")
    if measured.audits:
        click.echo()
        print_table(report.AUDIT_HEADINGS, report.audit_rows(measured.audits), "")
    click.echo()
    if measured.adapter is not None:
        click.echo(f"{measured.adapter}: {report.headline(evaluation.table)}")
    click.echo(f"Decision: {evaluation.decision.summary}")
    for note in evaluation.notes:
        talk(note)
    if fast:
        talk("A quick look at a third of the items; without --fast the intervals are narrower.")
    talk(f"Took {evaluation.seconds:.0f} s.", dim=True)


@contextlib.contextmanager
def _display() -> Iterator[Tell]:
    """Yield a callback that shows how far it is: bars on a terminal, else a line now and then."""
    if not shows_progress():
        yield _Lines()
        return
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    with Bar(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[label]}"),
        console=console_of_bars(),
        transient=True,
    ) as bar:
        tasks: dict[str, Any] = {}

        def update(event: LearnEvent) -> None:
            if event.stage not in tasks:
                tasks[event.stage] = bar.add_task(_DOING[event.stage], total=None, label="")
            bar.update(
                tasks[event.stage], completed=event.done, total=event.total, label=event.text
            )

        yield update


_DOING = {"evaluation": "evaluating", "audits": "auditing"}


class _Lines:
    """Says every tenth that is done."""

    def __init__(self) -> None:
        self._told: dict[str, int] = {}

    def __call__(self, event: LearnEvent) -> None:
        tenth = int(10 * event.done / event.total) if event.total else 10
        if tenth > self._told.get(event.stage, 0):
            self._told[event.stage] = tenth
            talk(f"{_DOING[event.stage]}: {10 * tenth} % ({event.text})", dim=True)
