"""How `learn` shows what it is doing, what it would do, and what came of it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import click

from ondevice.cli.output import (
    clock,
    console_of_bars,
    counted,
    shows_progress,
    size,
    talk,
)
from ondevice.cli.remedies import told

if TYPE_CHECKING:
    from rich.progress import Progress

    from ondevice.learning.options import LearnEvent
    from ondevice.learning.report import LearnReport
    from ondevice.learning.run import Preview

STAGES = {
    "examples": "choosing examples",
    "measuring": "measuring the speed",
    "training": "learning your texts",
    "preferences": "learning your verdicts",
    "evaluation": "judging on held-out records",
    "audits": "looking for side effects",
    "done": "done",
}

KINDS = {
    "style": "of your texts as they are",
    "write": "of your texts as answers",
    "fact": "of facts",
    "answer": "of answers that you judged",
    "replay": "neutral",
    "preference": "preferences",
}


class Show(Protocol):
    """Shows events; a callback for `learn`."""

    def __call__(self, event: LearnEvent) -> None:
        """Show that `event` happened."""

    def end(self) -> None:
        """Draw no more: a question comes next, and what is below it."""


@contextlib.contextmanager
def display(as_json: bool) -> Iterator[Show]:
    """Yield what shows events: JSON lines, a live bar, or a line a stage."""
    if as_json:
        yield _Json()
    elif shows_progress():
        with _progress() as progress:
            yield _Bars(progress)
    else:
        yield _Lines()


class _Json:
    """A line of JSON for each event."""

    def __call__(self, event: LearnEvent) -> None:
        values = dataclasses.asdict(event)
        training = values.pop("training") or {}
        values |= {f"training_{key}": value for key, value in training.items()}
        click.echo(json.dumps({k: v for k, v in values.items() if v not in (None, "")}))

    def end(self) -> None:
        pass


class _Lines:
    """One line when a stage begins, for logs."""

    def __init__(self) -> None:
        self.stage = ""

    def end(self) -> None:
        pass

    def __call__(self, event: LearnEvent) -> None:
        if event.stage != self.stage and event.stage != "done":
            talk(f"{STAGES[event.stage]}…")
        self.stage = event.stage


def _progress() -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[shown]}"),
        TimeElapsedColumn(),
        console=console_of_bars(),
    )


class _Bars:
    """One bar a stage; the bar of a training tells losses, speed and the time left."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.tasks: dict[str, Any] = {}
        self.loss: float | None = None
        self.held_out: float | None = None

    def __call__(self, event: LearnEvent) -> None:
        if event.stage not in self.tasks:
            self._finish(stopped=event.stage == "done")
            if event.stage == "done":
                return
            self.loss = self.held_out = None
            self.tasks[event.stage] = self.progress.add_task(
                STAGES[event.stage], total=None, shown=""
            )
        shown = event.text if event.training is None else self._numbers(event)
        self.progress.update(
            self.tasks[event.stage],
            completed=event.done,
            total=event.total or None,
            shown=shown,
        )

    def end(self) -> None:
        self.progress.stop()

    def _finish(self, *, stopped: bool) -> None:
        """End all bars; one that was stopped half-way stays there."""
        for task in self.tasks.values():
            done = self.progress.tasks[task]
            if not stopped or not done.total:
                self.progress.update(task, total=done.total or 1, completed=done.total or 1)
            self.progress.stop_task(task)

    def _numbers(self, event: LearnEvent) -> str:
        training = event.training
        assert training is not None
        if training.loss is not None:
            self.loss = (
                training.loss if self.loss is None else 0.9 * self.loss + 0.1 * training.loss
            )
        if training.held_out_loss is not None:
            self.held_out = training.held_out_loss
        parts = [f"loss {self.loss:.3f}"] if self.loss is not None else []
        if self.held_out is not None:
            parts.append(f"held-out {self.held_out:.3f}")
        if training.tokens_per_second is not None:
            parts.append(f"{training.tokens_per_second:.0f} tokens/s")
        if training.seconds_left is not None:
            parts.append(f"{clock(training.seconds_left)} left")
        if training.memory_bytes is not None:
            parts.append(size(training.memory_bytes))
        return "  ".join(parts)


def talk_of_preview(preview: Preview) -> None:
    """Say what a run would do."""
    plan = preview.plan
    counts = ", ".join(f"{n} {KINDS[kind]}" for kind, n in plan.examples.counts.items() if n)
    talk(f"Examples: {counts or 'none'}; made of {counted(len(plan.examples.records), 'record')}.")
    if plan.examples.left_out:
        reasons = ", ".join(f"{n} {why}" for why, n in plan.examples.left_out.items())
        talk(f"Left out: {reasons}.")
    for warning in plan.warnings:
        talk(f"Note: {told(warning)}")
    if plan.too_little is not None:
        talk(f"Nothing would be trained: {told(plan.too_little)}.")
        return
    assert preview.seconds is not None
    assert preview.memory_bytes is not None
    talk(
        f"{plan.why.capitalize()}: {plan.n_tokens} tokens, {plan.tokens_to_train} in all passes; "
        f"about {clock(preview.seconds)} at {preview.tokens_per_second:.0f} tokens/s and "
        f"{size(preview.memory_bytes)} of memory. Judging comes on top. Nothing was changed."
    )


def talk_of_report(report: LearnReport) -> None:
    """Say what came of a run."""
    for warning in report.warnings:
        talk(f"Note: {told(warning)}")
    if report.left_out:
        reasons = ", ".join(f"{n} {why}" for why, n in report.left_out.items())
        talk(f"Left out: {reasons}.", dim=True)
    if report.outcome == "nothing":
        talk(f"Nothing was trained: {told(report.reason)}.")
        return
    if report.outcome == "stopped":
        talk(f"Stopped; {told(report.reason)}.")
        return
    talk(report.summary[:1].upper() + report.summary[1:] + ".")
    for audit in report.audits:
        beyond = ", which is too much" if audit.exceeded else ""
        change, bound = audit.change, audit.bound
        sign = "" if audit.before is None else "+"  # the figure itself, or a change
        ends = f"[{change.low:{sign}.3f}, {change.high:{sign}.3f}]"
        talk(
            f"{audit.what[:1].upper()}{audit.what[1:]}: {change.value:{sign}.3f} {ends}, bound "
            f"{bound:{sign}g}{beyond}.",
            dim=True,
        )
    if report.outcome == "activated":
        talk(f"'{report.adapter}' is active; `ondevice adapter rollback` undoes that. {_s(report)}")
    else:
        talk(f"'{report.adapter}' is kept as a candidate: {told(report.reason)}. {_s(report)}")


def _s(report: LearnReport) -> str:
    return f"({counted(report.steps, 'step')}, {clock(report.seconds)})"


def report_json(report: LearnReport) -> dict[str, Any]:
    """Return a report for `--json`."""
    values = {
        f.name: getattr(report, f.name)
        for f in dataclasses.fields(report)
        if f.name not in ("evaluation", "audits")
    }
    metrics = report.training.get("metrics")
    return {**values, "metrics": metrics, "summary": report.summary}


def preview_json(preview: Preview) -> dict[str, Any]:
    """Return a preview for `--json`."""
    plan = preview.plan
    return {
        "examples": plan.examples.counts,
        "records": len(plan.examples.records),
        "left_out": dict(plan.examples.left_out),
        "too_little": plan.too_little,
        "begins": plan.why,
        "tokens": plan.n_tokens,
        "tokens_in_all_passes": plan.tokens_to_train if plan.too_little is None else 0,
        "tokens_per_second": preview.tokens_per_second,
        "seconds": preview.seconds,
        "memory_bytes": preview.memory_bytes,
        "warnings": list(plan.warnings),
    }
