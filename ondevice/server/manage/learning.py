"""Learning and judging through the page: an estimate, the run and its events, the outcome."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ondevice.errors import LearningError
from ondevice.learning.options import LearnEvent, LearnOptions, Method
from ondevice.remedies import said
from ondevice.server.events import Events
from ondevice.server.manage.jobs import Failed, Job, Stopped
from ondevice.server.manage.outcomes import EvaluationShown, Report, evaluation_of, report_of
from ondevice.server.manage.page import Page, page_routes
from ondevice.server.manage.records import mirrored
from ondevice.server.remedies import WORDS
from ondevice.server.routing import Answer, Empty, Fields

CHECKPOINTED = ("training", "preferences")  # these stages ask by themselves whether to stop
JUDGING = ("evaluation", "audits")
UNJUDGED = "Stopped before it was judged; the new adapter is kept as a candidate, not in use."

routes = page_routes()


# --- what both tell meanwhile -------------------------------------------------------------


class Training(Answer):
    """How far the training is."""

    kind: str
    step: int
    n_steps: int
    loss: float | None
    held_out_loss: float | None
    margin: float | None
    accuracy: float | None
    learning_rate: float | None
    gradient_norm: float | None
    tokens_per_second: float | None
    seconds_left: float | None
    memory_bytes: int | None


class Progress(Answer):
    """What is being done, and how far it is; `total` is 0 where that cannot be told."""

    stage: Literal["examples", "measuring", "training", "preferences", "evaluation", "audits"]
    done: float
    total: float
    text: str
    training: Training | None


class Started(Answer):
    """It was started; follow its events."""

    started: Literal[True]


class _StoppedError(LearningError):
    """The person stopped a stage of which nothing need be kept."""

    def __init__(self, stage: str) -> None:
        super().__init__("Stopped.")
        self.stage = stage


def _progress(event: LearnEvent) -> Progress:
    training = mirrored(Training, event.training) if event.training is not None else None
    return mirrored(Progress, event, training=training)


# --- learning -----------------------------------------------------------------------------


class Learn(Fields):
    """How to learn."""

    method: Method = "both"
    minutes: float | None = Field(None, gt=0, le=24 * 60)
    from_scratch: bool = False
    quick: bool = False

    def options(self) -> LearnOptions:
        """Return the options of the run."""
        return LearnOptions(
            method=self.method,
            time_budget=None if self.minutes is None else self.minutes * 60,
            from_scratch=self.from_scratch,
            quick=self.quick,
        )


class Estimate(Answer):
    """What learning would do."""

    examples: dict[str, int]
    records: int
    left_out: dict[str, int]
    too_little: str | None
    begins: str
    tokens: int
    seconds: float | None
    tokens_per_second: float | None
    memory_bytes: int | None
    warnings: list[str]


@routes.post("/learn/estimate")
def estimate(page: Page, body: Learn) -> Estimate:
    """What learning would do."""
    page.refuse_while_busy()
    _ = page.profile
    with page.model():
        preview = page.me.learning.preview(body.options())
    plan = preview.plan
    return Estimate(
        examples=dict(plan.examples.counts),
        records=len(plan.examples.records),
        left_out=dict(plan.examples.left_out),
        too_little=plan.too_little and said(plan.too_little, WORDS),
        begins=plan.why,
        tokens=plan.n_tokens,
        seconds=preview.seconds,
        tokens_per_second=preview.tokens_per_second,
        memory_bytes=preview.memory_bytes,
        warnings=[said(one, WORDS) for one in plan.warnings],
    )


class Learned(Answer):
    """The last event of learning."""

    stage: Literal["done"]
    report: Report


Learning = Progress | Learned | Stopped


@routes.post("/learn")
def start(page: Page, body: Learn) -> Started:
    """Learn."""
    page.refuse_while_busy()
    _ = page.profile
    page.refuse_if_temporary(keep=True)  # learning belongs to no chat
    options = body.options()

    def work(job: Job[Learning]) -> Learning:
        return _learn(page, options, job)

    page.jobs.start("learn", work)
    return Started(started=True)


def _learn(page: Page, options: LearnOptions, job: Job[Learning]) -> Learned | Stopped:
    def tell(event: LearnEvent) -> None:
        if event.stage == "done":
            return
        job.tell(_progress(event))
        if event.stage not in CHECKPOINTED and job.should_stop():
            raise _StoppedError(event.stage)

    with page.model():
        try:
            report = page.me.learning.learn(options, tell=tell, should_stop=job.should_stop)
        except _StoppedError as stopped:
            judging = stopped.stage in JUDGING
            return Stopped(stage="stopped", text=UNJUDGED if judging else None)
    return Learned(stage="done", report=report_of(page, report))


@routes.get("/learn/events")
def follow(page: Page) -> Events[Progress | Learned | Stopped | Failed]:
    """Follow the learning."""
    return Events(page.jobs.follow("learn"))


@routes.post("/learn/stop")
def stop(page: Page) -> Empty:
    """Stop learning; a checkpoint is kept."""
    page.jobs.stop("learn")
    return Empty()


# --- judging ------------------------------------------------------------------------------


class Evaluate(Fields):
    """What is judged."""

    adapter: str | None = Field(None, description="The active one if absent.")
    fast: bool = False
    audits: bool = False


class Evaluated(Answer):
    """The last event of judging."""

    stage: Literal["done"]
    evaluation: EvaluationShown


Judging = Progress | Evaluated | Stopped


@routes.post("/evaluate")
def evaluate(page: Page, body: Evaluate) -> Started:
    """Judge memory and adapter."""
    page.refuse_while_busy()
    _ = page.profile

    def work(job: Job[Judging]) -> Judging:
        return _evaluate(page, body, job)

    page.jobs.start("evaluate", work)
    return Started(started=True)


def _evaluate(page: Page, asked: Evaluate, job: Job[Judging]) -> Evaluated | Stopped:
    def tell(event: LearnEvent) -> None:
        job.tell(_progress(event))
        if job.should_stop():
            raise _StoppedError(event.stage)

    with page.model():
        try:
            measured = page.me.learning.measure(
                asked.adapter, fast=asked.fast, audits=asked.audits, tell=tell
            )
        except _StoppedError:
            return Stopped(stage="stopped")
    evaluation = evaluation_of(
        page,
        measured.evaluation,
        adapter=measured.adapter,
        audits=measured.audits,
        fast=asked.fast,
    )
    return Evaluated(stage="done", evaluation=evaluation)


@routes.get("/evaluate/events")
def follow_judging(page: Page) -> Events[Progress | Evaluated | Stopped | Failed]:
    """Follow the judging."""
    return Events(page.jobs.follow("evaluate"))


@routes.post("/evaluate/stop")
def stop_judging(page: Page) -> Empty:
    """Stop judging."""
    page.jobs.stop("evaluate")
    return Empty()
