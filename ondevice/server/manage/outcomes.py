"""What came of learning and judging, as the page is shown it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from ondevice.evaluation.audits import Audit
from ondevice.evaluation.decision import Decision
from ondevice.evaluation.evaluate import Evaluation
from ondevice.evaluation.report import as_json
from ondevice.learning.report import LearnReport
from ondevice.remedies import all_said
from ondevice.server.manage.page import Page
from ondevice.server.manage.records import mirrored
from ondevice.server.remedies import WORDS
from ondevice.server.routing import Answer


class Base(Answer):
    """A base model."""

    name: str
    sha256: str


class Numbers(Answer):
    """A value with the ends of its 95 % interval, from so many items."""

    value: float | None
    low: float | None
    high: float | None
    n: int


class Figure(Numbers):
    """What was measured of an arm."""

    arm: str
    metric: str


class Gain(Figure):
    """What an arm gains over another; positive is better."""

    against: str


class AuditShown(Answer):
    """What else an adapter changes, and how much it should at the most."""

    name: str
    what: str
    before: Numbers | None
    after: Numbers
    change: Numbers
    bound: float
    exceeded: bool


class Items(Answer):
    """How many items of each kind were measured."""

    text: int
    choices: int
    questions: int
    neutral: int


class EvaluationShown(Answer):
    """An evaluation: figures, decision, and what was noticed."""

    format: int
    profile: str
    base: Base
    adapter: str | None
    below: list[str]
    seconds: float
    fast: bool
    items: Items
    notes: list[str]
    figures: list[Figure]
    gains: list[Gain]
    decision: Decision
    audits: list[AuditShown] | None


class Report(Answer):
    """What came of learning."""

    outcome: Literal["activated", "candidate", "nothing", "stopped"]
    reason: str
    summary: str
    adapter: str | None
    counts: dict[str, int]
    left_out: dict[str, int]
    tokens: int
    steps: int
    seconds: float
    warnings: list[str]
    evaluation: EvaluationShown | None


def evaluation_of(
    page: Page,
    evaluation: Evaluation,
    *,
    adapter: str | None,
    audits: Sequence[Audit] | None,
    fast: bool = False,
) -> EvaluationShown:
    """Return an evaluation as it is shown."""
    base = page.me.engine.model
    shown: dict[str, Any] = as_json(
        evaluation,
        profile=page.profile.name,
        base=(base.name, base.sha256),
        adapter=adapter,
        fast=fast,
        audits=audits,
    )
    return EvaluationShown(**all_said(shown, WORDS))


def report_of(page: Page, report: LearnReport) -> Report:
    """Return the report of learning as it is shown."""
    evaluation = None
    if report.evaluation is not None:
        evaluation = evaluation_of(
            page, report.evaluation, adapter=report.adapter, audits=report.audits
        )
    return mirrored(Report, report, warnings=list(report.warnings), evaluation=evaluation)
