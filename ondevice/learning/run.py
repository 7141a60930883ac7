"""`learn`: examples → training → evaluation → gate → activation, or a candidate with the reason."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ondevice.adapters.builtin_reader import builtin_reader
from ondevice.adapters.registry import AdapterRegistry
from ondevice.engine.adapter_use import use_of_reader, use_of_row
from ondevice.engine.borrowing import borrowed
from ondevice.engine.protocol import AdapterUse, Engine
from ondevice.errors import DivergedError, LearningError, explain
from ondevice.evaluation.audits import Audit, AuditSettings
from ondevice.evaluation.evaluate import (
    Evaluation,
    EvaluationSettings,
    audit,
    evaluate,
    records_in_scope,
)
from ondevice.learning.checkpoints import Workplace
from ondevice.learning.examples.build import Paraphrase
from ondevice.learning.examples.paraphrase import Paraphraser
from ondevice.learning.options import LearnEvent, LearnOptions, Stage, Tell
from ondevice.learning.plan import Plan, active_learned, learned_rows, make_plan
from ondevice.learning.report import LearnReport, metrics_of
from ondevice.learning.train import PlanTrainer, Trained
from ondevice.memory.form import form_for
from ondevice.models.tokenizer import Tokenizer
from ondevice.remedies import Notice, Remedy
from ondevice.store.records import AdapterRow, AnyRecord, Fact
from ondevice.training.data import DocumentReader

if TYPE_CHECKING:
    from ondevice.memory.search import Recall
    from ondevice.settings import Settings
    from ondevice.store.profile import Profile

MEASURE_SECONDS = 10.0  # training of neutral text that tells how fast this machine is
MAX_LENGTH = 512  # tokens of a document
_KEEPS_ITS_STATE = ("training", "preferences")  # these ask by themselves whether to stop

# Asked before an adapter is activated that an audit found something wrong with.
Confirm = Callable[[str], bool]
_Found = TypeVar("_Found")


@dataclasses.dataclass(frozen=True)
class Preview:
    """What a run would do.

    Attributes:
        plan: examples, tokens, where it begins.
        tokens_per_second: as measured now; None if nothing would be trained.
        seconds: expected for the training.
        memory_bytes: expected peak.
    """

    plan: Plan
    tokens_per_second: float | None
    seconds: float | None
    memory_bytes: int | None


class Learner:
    """Learns from one profile for one base model and scope."""

    def __init__(
        self,
        profile: Profile,
        engine: Engine,
        recall: Recall,
        settings: Settings,
        *,
        options: LearnOptions | None = None,
        scope: str | None = None,
        tell: Tell | None = None,
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            profile: what is learned from, and where the adapter goes.
            engine: with the base model; its adapters are put back in the end.
            recall: over the same profile, for the evaluation.
            settings: all settings.
            options: of this run.
            scope: the context whose records are learned from, besides those of none.
            tell: told of everything that happens.
        """
        self._profile = profile
        self._engine = engine
        self._recall = recall
        self._settings = settings
        self._options = options or LearnOptions()
        self._scope = scope
        self._told: Tell = tell or (lambda event: None)
        self._should_stop: Callable[[], bool] = lambda: False
        self._base = engine.model
        self._place = Workplace(profile)
        self._paraphrased: dict[str, str | None] = {}
        self._registry = AdapterRegistry(profile)
        # As in chats: the base model's reader lies below, unless it is turned off.
        self._reader_scale = profile.adapters.reader_scale()
        self._reader = builtin_reader(self._base) if self._reader_scale else None

    # --- the two things it does --------------------------------------------------

    def preview(self) -> Preview:
        """Return what `learn` would do, after measuring how fast this machine trains."""
        with borrowed(self._engine):
            return self._preview()

    def _preview(self) -> Preview:
        plan = self._plan(self._records())
        if plan.too_little is not None:
            return Preview(plan, None, None, None)
        trainer = self._trainer()
        speed = trainer.speed(MEASURE_SECONDS, self._tell)
        if self._options.time_budget is not None:
            budget = int(speed * self._options.time_budget)
            self._options = dataclasses.replace(self._options, token_budget=budget)
            plan = self._plan(self._records())
        return Preview(plan, speed, plan.tokens_to_train / speed, trainer.memory(plan))

    def learn(
        self,
        should_stop: Callable[[], bool] | None = None,
        confirm: Confirm | None = None,
    ) -> LearnReport:
        """Train, evaluate, and activate the adapter if it helps.

        Args:
            should_stop: asked after every step and whatever else takes long; True keeps what is
                finished and the state of the training, and returns.
            confirm: asked before an adapter that raises doubts is activated; None never does.

        Raises:
            LearningError: another run is under way, the disk is full, the training diverges, or a
                record was forgotten meanwhile; nothing but checkpoints is left.
            TrainingError: the base cannot be trained.
        """
        started = time.monotonic()
        self._should_stop = should_stop or self._should_stop
        with self._place.alone(), borrowed(self._engine):
            try:
                report = self._learn(confirm)
            except _Stopped:
                report = LearnReport("stopped", "nothing was changed")
        self._told(LearnEvent("done", 1, 1))
        return dataclasses.replace(report, seconds=time.monotonic() - started)

    # --- stages --------------------------------------------------------------------

    def _learn(self, confirm: Confirm | None) -> LearnReport:
        self._settle_budget()
        records = self._records()
        plan = self._plan(records)
        report = LearnReport(
            "nothing",
            plan.too_little or "",
            counts=plan.examples.counts,
            left_out=dict(plan.examples.left_out),
            tokens=plan.n_tokens,
            warnings=plan.warnings,
        )
        if plan.too_little is not None:
            return report
        trainer = self._trainer()
        self._place.need_room(trainer.room(plan))
        self._engine.unload()  # the training needs the memory
        trained = self._train(trainer, plan)
        if trained.content is None:
            reason = "the same command goes on from here"
            return dataclasses.replace(report, outcome="stopped", reason=reason)
        row = self._keep(trained, plan, records)
        parts = (trained.texts, trained.preferences)
        report = dataclasses.replace(
            report,
            adapter=row.name,
            steps=sum(part.steps for part in parts if part is not None),
            training=row.training,
        )
        try:
            evaluation, audits = self._judge(row)
        except _Stopped:
            reason = Notice(f"'{row.name}' was not judged", Remedy.EVALUATE)
            return dataclasses.replace(report, outcome="stopped", reason=reason)
        self._profile.adapters.note_training(row.id, {"metrics": metrics_of(evaluation, audits)})
        activate, reason = self._decide(evaluation, audits, confirm)
        if self._profile.adapters.get(row.id).state == "stale":  # judging and asking take a while
            raise self._changed_meanwhile()
        if activate:
            self._activate(row)
        self._drop_old_candidates(row)
        return dataclasses.replace(
            report,
            outcome="activated" if activate else "candidate",
            reason=reason,
            evaluation=evaluation,
            audits=tuple(audits),
            training=self._registry.get(row.name).training,
        )

    def _settle_budget(self) -> None:
        """Turn a time budget into tokens, once; an unfinished run keeps the number it had."""
        seconds = self._options.time_budget
        if seconds is None or self._options.token_budget is not None:
            return
        tokens = self._place.remembered_budget(seconds)
        if tokens is None:
            tokens = int(
                self._trainer().speed(min(MEASURE_SECONDS, seconds / 6), self._tell) * seconds
            )
            self._place.remember_budget(seconds, tokens)
        self._options = dataclasses.replace(self._options, token_budget=tokens)

    def _records(self) -> list[AnyRecord]:
        return records_in_scope(self._profile, self._scope)

    def _plan(self, records: Sequence[AnyRecord]) -> Plan:
        self._tell(LearnEvent("examples", text="choosing what to learn"))
        paraphrase = None
        if self._paraphrases:
            self._engine.set_adapters([])
            paraphrase = self._asked_once(Paraphraser(self._engine), records)
        with Tokenizer(self._base) as tokenizer:
            return make_plan(
                records,
                self._registry,
                self._base,
                DocumentReader(tokenizer, self._base.header, max_length=MAX_LENGTH),
                self._settings.learning,
                self._options,
                scope=self._scope,
                reader_sha256=self._reader.sha256 if self._reader else None,
                paraphrase=paraphrase,
            )

    def _asked_once(self, paraphrase: Paraphrase, records: Sequence[AnyRecord]) -> Paraphrase:
        """Return `paraphrase` telling how far it is, and asking nothing twice in a run."""
        facts = sum(isinstance(record, Fact) and record.state == "active" for record in records)

        def asked(question: str) -> str | None:
            if question not in self._paraphrased:
                self._paraphrased[question] = paraphrase(question)
                done = len(self._paraphrased)
                self._tell(LearnEvent("examples", done, max(done, facts), "other words for facts"))
            return self._paraphrased[question]

        return asked

    @property
    def _paraphrases(self) -> bool:
        """Whether the base model asks questions in other words; it takes time for each fact."""
        wanted = self._settings.learning.paraphrases and self._options.method != "dpo"
        return wanted and not self._options.quick

    def _trainer(self) -> PlanTrainer:
        return PlanTrainer(
            self._base,
            self._registry,
            self._reader,
            self._reader_scale,
            threads=self._options.threads or self._settings.model.n_threads,
        )

    def _train(self, trainer: PlanTrainer, plan: Plan) -> Trained:
        watched = _Watch(self._profile, plan.records)
        try:
            trained = trainer.train(plan, self._tell, lambda: watched.gone or self._should_stop())
        except DivergedError as error:
            self._place.clear()  # from there it would diverge again
            raise LearningError(
                f"{error.happened}, so nothing of this run was kept.", Remedy.START_OVER
            ) from error
        if watched.gone:
            raise self._changed_meanwhile()
        return trained

    def _keep(self, trained: Trained, plan: Plan, records: Sequence[AnyRecord]) -> AdapterRow:
        """Store the adapter as a candidate; if a record has changed meanwhile, nothing is kept."""
        assert trained.content is not None
        try:
            row = self._registry.add(
                trained.content,
                self._base,
                name=self._new_name(),
                records=plan.records,
                state="candidate",
                scope=self._scope,
                training=self._training_notes(trained, plan),
            )
        except OSError as error:
            raise LearningError(
                f"The adapter cannot be written: {explain(error)}. Learning goes on from the "
                "last checkpoint."
            ) from error
        if row.state == "stale" or not self._unchanged(plan, records):
            self._profile.adapters.set_state(row.id, "stale")
            raise self._changed_meanwhile()
        self._place.clear()
        return row

    def _unchanged(self, plan: Plan, records: Sequence[AnyRecord]) -> bool:
        """Whether the records still say what was learned; from now on the store watches them."""
        learned = set(plan.records)
        now = {record.id: record for record in self._records()}
        return all(now.get(r.id) == r for r in records if r.id in learned)

    def _changed_meanwhile(self) -> LearningError:
        self._place.clear()
        return LearningError(
            "Something that was being learned was forgotten or changed meanwhile, so nothing "
            "of the training was kept; run it again."
        )

    def _training_notes(self, trained: Trained, plan: Plan) -> dict[str, Any]:
        return {
            "method": "+".join(
                name
                for name, part in (("sft", trained.texts), ("dpo", trained.preferences))
                if part is not None
            ),
            "run": plan.run,
            "from": plan.start.name if plan.start else None,
            "why": plan.why,
            "recipe": dataclasses.asdict(
                trained.texts.recipe
                if trained.texts
                else plan.preference_recipe  # nothing but preferences
            ),
            "preference_recipe": (
                dataclasses.asdict(trained.preferences.recipe) if trained.preferences else None
            ),
            "token_budget": self._options.token_budget,
            "paraphrases": self._paraphrases,
            "examples": plan.examples.counts,
            "reader_sha256": self._reader.sha256 if self._reader else None,
            "persona_version": form_for(self._base).version,
            **trained.record,
        }

    def _new_name(self) -> str:
        stem = f"me-{self._scope}" if self._scope else "me"
        stem = re.sub(r"[:,/\\]", "-", stem)[:80]
        numbers = [
            int(found[1])
            for row in self._registry.list()
            if (found := re.fullmatch(rf"{re.escape(stem)}-(\d+)", row.name))
        ]
        return f"{stem}-{max(numbers, default=0) + 1}"

    def _tell(self, event: LearnEvent) -> None:
        """Tell of an event; end what takes long and keeps no state of its own if it should."""
        self._told(event)
        if event.stage not in _KEEPS_ITS_STATE and self._should_stop():
            raise _Stopped

    # --- judging -----------------------------------------------------------------

    def _judge(self, row: AdapterRow) -> tuple[Evaluation, list[Audit]]:
        """Measure a new adapter, and look for side effects of one that would be activated."""
        in_use = active_learned(
            self._registry,
            self._base,
            self._scope,
            self._reader.sha256 if self._reader else None,
        )
        evaluation = self._evaluate(row, in_use)
        wanted = evaluation.decision.activate and self._options.audits and not self._options.quick
        return evaluation, self._audit(row) if wanted else []

    def _evaluate(self, row: AdapterRow, in_use: AdapterRow | None) -> Evaluation:
        """Measure the new adapter, beside the one that it would replace."""
        self._tell(LearnEvent("evaluation", text="loading the model"))
        settings = EvaluationSettings.fast() if self._options.quick else EvaluationSettings()
        seen = {*row.records, *(in_use.records if in_use is not None else ())}
        return self._measured(
            evaluate,
            "evaluation",
            row,
            trained_on=seen,
            active=None if in_use is None else use_of_row(self._registry, in_use),
            settings=settings.within(self._settings.learning.neutral_growth),
        )

    def _audit(self, row: AdapterRow) -> list[Audit]:
        return self._measured(
            audit, "audits", row, trained_on=row.records, settings=AuditSettings()
        )

    def _measured(
        self, measure: Callable[..., _Found], stage: Stage, row: AdapterRow, **more: Any
    ) -> _Found:
        """Return what `measure` (`evaluate` or `audit`) finds about an adapter as chats use it."""

        def progress(done: float, total: float, what: str) -> None:
            self._tell(LearnEvent(stage, done, total, what))

        return measure(
            self._engine,
            self._profile,
            self._recall,
            self._settings.recall,
            candidate=use_of_row(self._registry, row),
            below=self._uses_below(),
            scope=self._scope,
            progress=progress,
            **more,
        )

    def _uses_below(self) -> list[AdapterUse]:
        reader = self._reader
        return [] if reader is None else [use_of_reader(reader, self._reader_scale)]

    def _decide(
        self, evaluation: Evaluation, audits: Sequence[Audit], confirm: Confirm | None
    ) -> tuple[bool, str]:
        """Return whether to activate, and why or why not."""
        decision = evaluation.decision
        doubts = [one for one in audits if one.exceeded]
        if not decision.activate or not doubts:
            return decision.activate, decision.summary.rstrip(".")
        found = "; ".join(
            f"{one.what}: {one.change.value:+.3f}, beyond {one.bound:g}" for one in doubts
        )
        if confirm is not None and confirm(f"It helps, but {found}. Activate it all the same?"):
            return True, f"{decision.summary.rstrip('.')}; activated although {found}"
        return False, Notice(f"it helps, but {found}", Remedy.ACTIVATE)

    def _activate(self, row: AdapterRow) -> None:
        """Use the new adapter in place of the learned ones of its scope; others stay."""
        others = [
            (other.id, other.scale)
            for other in self._registry.list()
            if other.state == "active"
            and not (other.training.get("method") and other.scope == self._scope)
        ]
        self._profile.adapters.set_active([*others, (row.id, row.scale)])

    def _drop_old_candidates(self, made: AdapterRow) -> None:
        """Remove all but the newest candidates of this scope, and stale ones, but not `made`."""
        learned = learned_rows(self._registry, self._scope)
        candidates = [row for row in learned if row.state == "candidate"]
        too_many = max(0, len(candidates) - max(0, self._settings.learning.keep_candidates))
        old = [row for row in candidates[:too_many] if row.id != made.id]
        for row in [*old, *(row for row in learned if row.state == "stale")]:
            self._registry.remove(row.name)


class _Stopped(Exception):
    """The run should stop, in a stage of which nothing need be kept."""


class _Watch:
    """Notices when a record that is being learned is forgotten or superseded."""

    def __init__(self, profile: Profile, records: Sequence[str]) -> None:
        self._profile = profile
        self._records = records
        self._generation = profile.generation()
        self._gone = False

    @property
    def gone(self) -> bool:
        """Whether one has gone; a look costs microseconds unless something has changed."""
        generation = self._profile.generation()
        if not self._gone and generation != self._generation:
            self._generation = generation
            self._gone = not self._profile.adapters.all_present(self._records)
        return self._gone


def learn(
    profile: Profile,
    engine: Engine,
    recall: Recall,
    settings: Settings,
    *,
    options: LearnOptions | None = None,
    scope: str | None = None,
    tell: Tell | None = None,
    should_stop: Callable[[], bool] | None = None,
    confirm: Confirm | None = None,
) -> LearnReport:
    """Learn from `profile`; see `Learner` for the arguments and what is raised."""
    learner = Learner(profile, engine, recall, settings, options=options, scope=scope, tell=tell)
    return learner.learn(should_stop, confirm)
