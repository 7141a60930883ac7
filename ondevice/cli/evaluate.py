"""`ondevice evaluate`: does memory, or an adapter, help with what this person says and writes?"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ondevice.cli._complete import complete_models
from ondevice.cli._output import json_option, print_json, print_table, shows_progress, talk, warn
from ondevice.cli._plot import check_plot, write_plot
from ondevice.cli._session import (
    parse_adapter,
    passphrase_asker,
    profile_option,
    scope_option,
)

if TYPE_CHECKING:
    from ondevice.adapters.registry import AdapterRegistry
    from ondevice.assistant import Assistant
    from ondevice.evaluation.audits import Audit
    from ondevice.evaluation.evaluate import Evaluation
    from ondevice.profile.records import AdapterRow

Progress = Callable[[float, float, str], None]


@click.command("evaluate")
@profile_option
@click.option(
    "-m", "--model", metavar="NAME|FILE", shell_complete=complete_models, help="The base model."
)
@scope_option
@click.option(
    "--adapter",
    metavar="NAME[:SCALE]",
    help="The adapter to judge [default: the active one, else the newest candidate].",
)
@click.option("--fast", is_flag=True, help="A third of the items: quicker, and less certain.")
@click.option("--audits", "with_audits", is_flag=True,
              help="Also measure agreement, variety, bias and memorization.")  # fmt: skip
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write the table as a picture, .svg or .png.")  # fmt: skip
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
    from ondevice.assistant import Assistant
    from ondevice.evaluation.evaluate import EvaluationSettings, evaluate

    if plot is not None:
        check_plot(plot.expanduser())
    settings = EvaluationSettings.fast() if fast else EvaluationSettings()
    with Assistant.open(
        profile=profile,
        model=model,
        scope=scope,
        adapters=[],
        temporary=True,
        ask_passphrase=passphrase_asker(),
        warn=warn,
    ) as assistant:
        assert assistant.profile is not None
        assert assistant.recaller is not None
        row, scale = _judged(assistant, adapter, scope)
        below = assistant.engine.active_adapters
        candidate = assistant.adapter_use(row.name, scale) if row is not None else None
        in_use = assistant.rival_of(row)
        with _display("evaluating") as progress:
            evaluation = evaluate(
                assistant.engine,
                assistant.profile,
                assistant.recaller,
                assistant.settings.recall,
                candidate=candidate,
                active=assistant.adapter_use(in_use.name, None) if in_use is not None else None,
                below=below,
                scope=scope,
                trained_on={i for one in (row, in_use) if one is not None for i in one.records},
                settings=settings.within(assistant.settings.learning.neutral_growth),
                progress=progress,
            )
        audits = _audits(assistant, row, scale, scope, fast) if with_audits else None
        _show(assistant, evaluation, audits, row, fast=fast, as_json=as_json, plot=plot)


def _judged(
    assistant: Assistant, adapter: str | None, scope: str | None
) -> tuple[AdapterRow | None, float | None]:
    """Return the adapter to judge and its scale."""
    from ondevice.adapters.registry import AdapterRegistry

    assert assistant.profile is not None
    registry = AdapterRegistry(assistant.profile)
    if adapter is not None:
        name, scale = parse_adapter(adapter)
        return registry.get(name), scale
    row = _default_row(registry, scope)
    if row is None:
        talk("There is no adapter in use and no candidate: only base and prompt are compared.")
    return row, None


def _default_row(registry: AdapterRegistry, scope: str | None) -> AdapterRow | None:
    for state in ("active", "candidate"):
        rows = [r for r in registry.list() if r.state == state and r.scope in (None, scope)]
        if rows:
            return rows[-1]
    return None


def _audits(
    assistant: Assistant,
    row: AdapterRow | None,
    scale: float | None,
    scope: str | None,
    fast: bool,
) -> list[Audit]:
    from ondevice.evaluation.audits import AuditSettings
    from ondevice.evaluation.evaluate import audit

    if row is None:
        talk("The audits compare answers with and without an adapter; there is none.")
        return []
    assert assistant.profile is not None
    assert assistant.recaller is not None
    with _display("auditing") as progress:
        return audit(
            assistant.engine,
            assistant.profile,
            assistant.recaller,
            assistant.settings.recall,
            candidate=assistant.adapter_use(row.name, scale),
            below=assistant.engine.active_adapters,
            scope=scope,
            trained_on=row.records,
            settings=AuditSettings.fast() if fast else AuditSettings(),
            progress=progress,
        )


def _show(
    assistant: Assistant,
    evaluation: Evaluation,
    audits: list[Audit] | None,
    row: AdapterRow | None,
    *,
    fast: bool,
    as_json: bool,
    plot: Path | None,
) -> None:
    from ondevice.evaluation import report

    assert assistant.profile is not None
    model = assistant.engine.model
    name = row.name if row is not None else None
    if plot is not None:
        from ondevice.evaluation.plot import evaluation_picture

        title = f"{assistant.profile.name}: {name or 'no adapter'} on {model.name}"
        picture = evaluation_picture(evaluation.table, title, evaluation.decision.summary)
        write_plot(plot.expanduser(), picture)
    if as_json:
        print_json(
            report.as_json(
                evaluation,
                profile=assistant.profile.name,
                base=(model.name, model.sha256),
                adapter=name,
                below=[use.name for use in assistant.engine.active_adapters],
                fast=fast,
                audits=audits,
            )
        )
        return
    print_table(report.HEADINGS, report.rows(evaluation.table), "There is nothing to measure.")
    if audits:
        click.echo()
        print_table(report.AUDIT_HEADINGS, report.audit_rows(audits), "")
    click.echo()
    if row is not None:
        click.echo(f"{name}: {report.headline(evaluation.table)}")
    click.echo(f"Decision: {evaluation.decision.summary}")
    for note in evaluation.notes:
        talk(note)
    if fast:
        talk("A quick look at a third of the items; without --fast the intervals are narrower.")
    talk(f"Took {evaluation.seconds:.0f} s.", dim=True)


@contextlib.contextmanager
def _display(what: str) -> Iterator[Progress]:
    """Yield a callback that shows how far it is: a bar on a terminal, else a line now and then."""
    if not shows_progress():
        yield _Lines(what)
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    with Bar(
        TextColumn(what),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[label]}"),
        console=Console(stderr=True, highlight=False),
        transient=True,
    ) as bar:
        task: Any = bar.add_task(what, total=None, label="preparing")

        def update(done: float, total: float, label: str) -> None:
            bar.update(task, completed=done, total=total, label=label)

        yield update


class _Lines:
    """Says every tenth that is done."""

    def __init__(self, what: str) -> None:
        self._what, self._told = what, 0

    def __call__(self, done: float, total: float, label: str) -> None:
        tenth = int(10 * done / total) if total else 10
        if tenth > self._told:
            self._told = tenth
            talk(f"{self._what}: {10 * tenth} % ({label})", dim=True)
