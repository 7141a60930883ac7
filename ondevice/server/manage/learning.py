"""Learning and judging through the page: an estimate, the run and its events, the outcome."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from starlette.routing import BaseRoute

from ondevice.errors import LearningError
from ondevice.evaluation.report import as_json as evaluation_json
from ondevice.learning.options import METHODS, LearnEvent, LearnOptions
from ondevice.learning.report import LearnReport
from ondevice.learning.run import Preview
from ondevice.server.manage.http import BadRequestError, Values, job_routes, route
from ondevice.server.manage.jobs import Event, Job
from ondevice.server.manage.page import Page


def learning_routes(page: Page) -> list[BaseRoute]:
    """Return the routes that estimate, start, follow and stop a run."""

    def estimate(values: Values) -> dict[str, Any]:
        page.refuse_while_busy()
        _ = page.profile
        with page.model():
            return _preview_json(page.me.preview_learning(_options(values)))

    def start(values: Values) -> dict[str, Any]:
        page.refuse_while_busy()
        _ = page.profile
        page.refuse_if_temporary(keep=True)  # learning belongs to no chat
        options = _options(values)
        page.jobs.start("learn", lambda job: _learn(page, options, job))
        return {"started": True}

    def evaluate(values: Values) -> dict[str, Any]:
        page.refuse_while_busy()
        _ = page.profile
        adapter = values.text_or_none("adapter")
        fast, audits = values.take("fast", bool, False), values.take("audits", bool, False)
        page.jobs.start(
            "evaluate", lambda job: _evaluate(page, adapter, fast=fast, audits=audits, job=job)
        )
        return {"started": True}

    return [
        route(page, "POST", "/learn/estimate", estimate),
        route(page, "POST", "/learn", start),
        *job_routes(page, "learn", "/learn"),
        route(page, "POST", "/evaluate", evaluate),
        *job_routes(page, "evaluate", "/evaluate"),
    ]


def _options(values: Values) -> LearnOptions:
    method: Any = values.take("method", str, "both")
    if method not in METHODS:
        raise BadRequestError(f"'{method}' is no method; they are: {', '.join(METHODS)}.")
    minutes = values.take("minutes", float, None)
    if minutes is not None and not 0 < minutes <= 24 * 60:
        raise BadRequestError("The minutes must be more than 0 and at most a day.")
    return LearnOptions(
        method=method,
        time_budget=None if minutes is None else minutes * 60,
        from_scratch=values.take("from_scratch", bool, False),
        quick=values.take("quick", bool, False),
    )


def _learn(page: Page, options: LearnOptions, job: Job) -> Event:
    def tell(event: LearnEvent) -> None:
        if event.stage == "done":
            return
        job.tell(finite(dataclasses.asdict(event)))
        if event.stage not in CHECKPOINTED and job.should_stop():
            raise _StoppedError(event.stage)

    with page.model():
        try:
            report = page.me.learn(options, tell=tell, should_stop=job.should_stop)
        except _StoppedError as stopped:
            judging = stopped.stage in JUDGING
            return {"stage": "stopped", "text": UNJUDGED if judging else None}
    return {"stage": "done", "report": _report_json(page, report)}


CHECKPOINTED = ("training", "preferences")  # these stages ask by themselves whether to stop
JUDGING = ("evaluation", "audits")
UNJUDGED = "Stopped before it was judged; the new adapter is kept as a candidate, not in use."


class _StoppedError(LearningError):
    """The person stopped a stage of which nothing need be kept."""

    def __init__(self, stage: str) -> None:
        super().__init__("Stopped.")
        self.stage = stage


def _evaluate(page: Page, adapter: str | None, *, fast: bool, audits: bool, job: Job) -> Event:
    def tell(event: LearnEvent) -> None:
        job.tell(finite(dataclasses.asdict(event)))
        if job.should_stop():
            raise _StoppedError(event.stage)

    with page.model():
        try:
            measured = page.me.measure(adapter, fast=fast, audits=audits, tell=tell)
        except _StoppedError:
            return {"stage": "stopped"}
    base = page.me.engine.model
    evaluation = evaluation_json(
        measured.evaluation,
        profile=page.profile.name,
        base=(base.name, base.sha256),
        adapter=measured.adapter,
        fast=fast,
        audits=measured.audits,
    )
    return {"stage": "done", "evaluation": finite(evaluation)}


def _report_json(page: Page, report: LearnReport) -> dict[str, Any]:
    evaluation = None
    if report.evaluation is not None:
        base = page.me.engine.model
        evaluation = evaluation_json(
            report.evaluation,
            profile=page.profile.name,
            base=(base.name, base.sha256),
            adapter=report.adapter,
            audits=report.audits,
        )
    plain = {
        "outcome": report.outcome,
        "reason": report.reason,
        "summary": report.summary,
        "adapter": report.adapter,
        "counts": report.counts,
        "left_out": report.left_out,
        "tokens": report.tokens,
        "steps": report.steps,
        "seconds": report.seconds,
        "warnings": list(report.warnings),
        "evaluation": evaluation,
    }
    made: dict[str, Any] = finite(plain)
    return made


def _preview_json(preview: Preview) -> dict[str, Any]:
    plan = preview.plan
    return {
        "examples": dict(plan.examples.counts),
        "records": len(plan.examples.records),
        "left_out": dict(plan.examples.left_out),
        "too_little": plan.too_little,
        "begins": plan.why,
        "tokens": plan.n_tokens,
        "seconds": preview.seconds,
        "tokens_per_second": preview.tokens_per_second,
        "memory_bytes": preview.memory_bytes,
        "warnings": list(plan.warnings),
    }


def finite(value: Any) -> Any:
    """Return `value` with None for numbers that JSON does not have."""
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
