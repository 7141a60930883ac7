"""The part of the assistant that learns: verdicts on answers, and adapters from the profile."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ondevice.chat.review import Reviews
from ondevice.engine.protocol import Engine
from ondevice.errors import OndeviceError, ending_with
from ondevice.memory.persona import PERSONA_VERSION
from ondevice.settings import Settings

if TYPE_CHECKING:
    from ondevice.engine.protocol import AdapterUse
    from ondevice.evaluation.audits import Audit
    from ondevice.evaluation.evaluate import Evaluation, Progress
    from ondevice.learning.options import LearnOptions, Stage, Tell
    from ondevice.learning.report import LearnReport
    from ondevice.learning.run import Learner, Preview
    from ondevice.store.records import AdapterRow, Feedback, Verdict


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


class LearnsFromProfile(Reviews):
    """Judging answers and learning; `Assistant` has the rest."""

    engine: Engine
    settings: Settings
    scope: str | None
    temporary: bool
    _adapters_wanted: list[tuple[str, float | None]] | None
    _conversation_id: str | None
    _turn_lock: threading.RLock

    def feedback(
        self, verdict: Verdict, text: str | None = None, *, turn_id: str | None = None
    ) -> Feedback:
        """Judge an answer: it is learned from, and compared with, at the next `learn`.

        Kept with it are the model, the adapters and the form of the notes; the memories that were
        in the prompt are those that the answer's turn lists.

        Args:
            verdict: "accept", "reject", or "edit".
            text: what was wanted instead, of an edit.
            turn_id: of the answer; the last one of this conversation if None.

        Raises:
            OndeviceError: there is no such answer, or it was not kept.
            ProfileError: an edit has no text, or something else has one.
        """
        profile, _ = self._needs_profile()
        if turn_id is None:
            own = self._conversation_id
            answers = [t for t in profile.turns.all(own) if t.role == "assistant"] if own else []
            if not answers or self.temporary:
                raise OndeviceError(
                    "There is no answer to judge in this conversation yet; ask something first."
                )
            turn_id = answers[-1].id
        answered_by = {
            "model": self.engine.model.sha256,
            "adapters": [[use.sha256, use.scale] for use in self.engine.active_adapters],
            "persona_version": PERSONA_VERSION,
        }
        given = profile.feedback.add(turn_id, verdict, text, answered_by=answered_by)
        self._can_take_back("the verdict", given.id)
        return given

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
        with self._turn_lock:
            report = self._learner(options, tell).learn(should_stop, confirm)
            self._rebuild()
        return report

    def preview_learning(
        self, options: LearnOptions | None = None, *, tell: Tell | None = None
    ) -> Preview:
        """Return what `learn` would train, how long, and with how much memory."""
        with self._turn_lock:
            preview = self._learner(options, tell).preview()
            self._rebuild()
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
        with self._turn_lock:
            row = self._judged(adapter)
            with self._with_the_reader_alone():
                use = self.adapter_use(row.name, scale) if row is not None else None
                evaluation = self._evaluated(row, use, fast, _telling(tell, "evaluation"))
                found = None
                if audits and row is not None and use is not None:
                    found = self._audited(row, use, fast, _telling(tell, "audits"))
        return Measured(row.name if row is not None else None, evaluation, found)

    @contextlib.contextmanager
    def _with_the_reader_alone(self) -> Iterator[None]:
        """Take the person's adapters away for a while; the reader stays, below what is measured."""
        wanted = self._adapters_wanted

        def put_back() -> None:
            self._adapters_wanted = wanted
            self._rebuild()

        with ending_with(put_back):
            self.use_adapters([])
            yield

    def _evaluated(
        self, row: AdapterRow | None, use: AdapterUse | None, fast: bool, progress: Progress
    ) -> Evaluation:
        from ondevice.evaluation.evaluate import EvaluationSettings, evaluate

        profile, recaller = self._needs_profile()
        rival = self.rival_of(row)
        trained_on = {record for one in (row, rival) if one is not None for record in one.records}
        settings = EvaluationSettings.fast() if fast else EvaluationSettings()
        return evaluate(
            self.engine,
            profile,
            recaller,
            self.settings.recall,
            candidate=use,
            active=self.adapter_use(rival.name) if rival is not None else None,
            below=self.engine.active_adapters,
            scope=self.scope,
            trained_on=trained_on,
            settings=settings.within(self.settings.learning.neutral_growth),
            progress=progress,
        )

    def _audited(
        self, row: AdapterRow, use: AdapterUse, fast: bool, progress: Progress
    ) -> list[Audit]:
        from ondevice.evaluation.audits import AuditSettings
        from ondevice.evaluation.evaluate import audit

        profile, recaller = self._needs_profile()
        return audit(
            self.engine,
            profile,
            recaller,
            self.settings.recall,
            candidate=use,
            below=self.engine.active_adapters,
            scope=self.scope,
            trained_on=row.records,
            settings=AuditSettings.fast() if fast else AuditSettings(),
            progress=progress,
        )

    def rival_of(self, row: AdapterRow | None) -> AdapterRow | None:
        """Return the learned adapter in use that `row` would replace; None if there is no other."""
        from ondevice.adapters.builtin_reader import READER
        from ondevice.adapters.registry import AdapterRegistry
        from ondevice.learning.plan import active_learned

        profile, _ = self._needs_profile()
        reader = {use.name: use.sha256 for use in self.engine.active_adapters}.get(READER)
        found = active_learned(AdapterRegistry(profile), self.engine.model, self.scope, reader)
        return None if row is None or found is None or found.id == row.id else found

    def _judged(self, adapter: str | None) -> AdapterRow | None:
        """Return the adapter that is judged when `adapter` is asked for.

        If none is: the active one, else the newest candidate, of those for this base model.
        """
        from ondevice.adapters.registry import AdapterRegistry

        registry = AdapterRegistry(self._needs_profile()[0])
        if adapter is not None:
            return registry.get(adapter)
        rows = [
            row
            for row in registry.list()
            if row.scope in (None, self.scope) and row.base_sha256 == self.engine.model.sha256
        ]
        for state in ("active", "candidate"):
            if fitting := [row for row in rows if row.state == state]:
                return fitting[-1]
        return None

    def _learner(self, options: LearnOptions | None, tell: Tell | None) -> Learner:
        from ondevice.learning.run import Learner

        profile, recaller = self._needs_profile()
        return Learner(
            profile,
            self.engine,
            recaller,
            self.settings,
            options=options,
            scope=self.scope,
            tell=tell,
        )


def _telling(tell: Tell | None, stage: Stage) -> Progress:
    """Return what tells of the progress of a stage."""
    from ondevice.learning.options import LearnEvent

    def told(done: float, total: float, what: str) -> None:
        if tell is not None:
            tell(LearnEvent(stage, done, total, what))

    return told
