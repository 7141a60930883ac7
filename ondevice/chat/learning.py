"""Learning from the profile, and measuring what that brings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ondevice.adapters.builtin_reader import READER
from ondevice.adapters.registry import AdapterRegistry
from ondevice.learning.plan import active_learned

if TYPE_CHECKING:
    from ondevice.chat.runtime import Runtime
    from ondevice.engine.protocol import AdapterUse
    from ondevice.evaluation.audits import Audit
    from ondevice.evaluation.evaluate import Evaluation, Progress
    from ondevice.learning.options import LearnOptions, Stage, Tell
    from ondevice.learning.report import LearnReport
    from ondevice.learning.run import Learner, Preview
    from ondevice.store.records import AdapterRow


@dataclass(frozen=True)
class Measured:
    """What an adapter, or memory alone, was measured to do.

    Attributes:
        adapter: its name; None if there was none.
        evaluation: the table and the decision.
        audits: what else it changes; None if not asked for, or without an adapter.
    """

    adapter: str | None
    evaluation: Evaluation
    audits: list[Audit] | None


class Learning:
    """Adapters from the person's own records."""

    def __init__(self, runtime: Runtime) -> None:
        """Learn from the memory of `runtime`, for its model."""
        self._runtime = runtime

    def learn(
        self,
        options: LearnOptions | None = None,
        *,
        tell: Tell | None = None,
        should_stop: Callable[[], bool] | None = None,
        confirm: Callable[[str], bool] | None = None,
    ) -> LearnReport:
        """Train an adapter on the profile, judge it on held-out records, use it if it helps.

        Args:
            options: method, budget and so on.
            tell: told of everything that happens.
            should_stop: asked after every step; True keeps a checkpoint and returns.
            confirm: asked before an adapter that raises doubts is activated; None: it is not.

        Raises:
            LearningError: another run is under way, the disk is full, the training diverges, or
                something that was being learned was forgotten meanwhile.
            TrainingError: the base cannot be trained.
        """
        with self._runtime.turn:
            report = self._learner(options, tell).learn(should_stop, confirm)
            self._runtime.changed()
        return report

    def preview(self, options: LearnOptions | None = None, *, tell: Tell | None = None) -> Preview:
        """Return what `learn` would train, how long, and with how much memory."""
        with self._runtime.turn:
            preview = self._learner(options, tell).preview()
            self._runtime.changed()
        return preview

    def measure(
        self,
        adapter: str | None = None,
        scale: float | None = None,
        *,
        fast: bool = False,
        audits: bool = False,
        tell: Tell | None = None,
    ) -> Measured:
        """Judge an adapter, or memory alone, on what was held out; nothing is changed.

        Args:
            adapter: its name; if None the active one, else the newest candidate, else none.
            scale: None is its own.
            fast: a third of the items.
            audits: also look for what the adapter spoils.
            tell: told how far it is; it may raise, which ends the measurement.

        Raises:
            AdapterError: the adapter is stale, damaged or made for another base.
        """
        applied = self._runtime.adapters
        with self._runtime.turn:
            row = self._judged(adapter)
            with applied.reader_alone():
                use = applied.use(row.name, scale) if row is not None else None
                evaluation = self._evaluated(row, use, fast, _telling(tell, "evaluation"))
                found = None
                if audits and row is not None and use is not None:
                    found = self._audited(row, use, fast, _telling(tell, "audits"))
            self._runtime.changed()
        return Measured(row.name if row is not None else None, evaluation, found)

    def rival_of(self, row: AdapterRow | None) -> AdapterRow | None:
        """Return the learned adapter in use that `row` would replace; None if there is no other."""
        runtime = self._runtime
        reader = {use.name: use.sha256 for use in runtime.adapters.in_use}.get(READER)
        registry = AdapterRegistry(runtime.needed_memory.profile)
        found = active_learned(registry, runtime.engine.model, runtime.scope, reader)
        return None if row is None or found is None or found.id == row.id else found

    def _evaluated(
        self, row: AdapterRow | None, use: AdapterUse | None, fast: bool, progress: Progress
    ) -> Evaluation:
        from ondevice.evaluation.evaluate import EvaluationSettings, evaluate

        runtime, memory = self._runtime, self._runtime.needed_memory
        rival = self.rival_of(row)
        trained_on = {record for one in (row, rival) if one is not None for record in one.records}
        settings = EvaluationSettings.fast() if fast else EvaluationSettings()
        return evaluate(
            runtime.engine,
            memory.profile,
            memory.recall,
            runtime.settings.recall,
            candidate=use,
            active=runtime.adapters.use(rival.name) if rival is not None else None,
            below=runtime.adapters.in_use,
            scope=runtime.scope,
            trained_on=trained_on,
            settings=settings.within(runtime.settings.learning.neutral_growth),
            progress=progress,
        )

    def _audited(
        self, row: AdapterRow, use: AdapterUse, fast: bool, progress: Progress
    ) -> list[Audit]:
        from ondevice.evaluation.audits import AuditSettings
        from ondevice.evaluation.evaluate import audit

        runtime, memory = self._runtime, self._runtime.needed_memory
        return audit(
            runtime.engine,
            memory.profile,
            memory.recall,
            runtime.settings.recall,
            candidate=use,
            below=runtime.adapters.in_use,
            scope=runtime.scope,
            trained_on=row.records,
            settings=AuditSettings.fast() if fast else AuditSettings(),
            progress=progress,
        )

    def _judged(self, adapter: str | None) -> AdapterRow | None:
        """Return the adapter that is judged when `adapter` is asked for.

        If none is: the active one, else the newest candidate, of those for this base model.
        """
        runtime = self._runtime
        registry = AdapterRegistry(runtime.needed_memory.profile)
        if adapter is not None:
            return registry.get(adapter)
        rows = [
            row
            for row in registry.list()
            if row.scope in (None, runtime.scope) and row.base_sha256 == runtime.engine.model.sha256
        ]
        for state in ("active", "candidate"):
            if fitting := [row for row in rows if row.state == state]:
                return fitting[-1]
        return None

    def _learner(self, options: LearnOptions | None, tell: Tell | None) -> Learner:
        from ondevice.learning.run import Learner

        runtime, memory = self._runtime, self._runtime.needed_memory
        return Learner(
            memory.profile,
            runtime.engine,
            memory.recall,
            runtime.settings,
            options=options,
            scope=runtime.scope,
            tell=tell,
        )


def _telling(tell: Tell | None, stage: Stage) -> Progress:
    """Return what tells of the progress of a stage."""
    from ondevice.learning.options import LearnEvent

    def told(done: float, total: float, what: str) -> None:
        if tell is not None:
            tell(LearnEvent(stage, done, total, what))

    return told
