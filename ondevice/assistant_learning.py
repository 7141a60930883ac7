"""The part of the assistant that learns: verdicts on answers, and adapters from the profile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from ondevice.assistant_review import Reviews
from ondevice.engine.protocol import Engine
from ondevice.errors import OndeviceError
from ondevice.recall.persona import PERSONA_VERSION
from ondevice.settings import Settings

if TYPE_CHECKING:
    from ondevice.learning.options import LearnOptions, Tell
    from ondevice.learning.report import LearnReport
    from ondevice.learning.run import Learner, Preview
    from ondevice.profile.records import Feedback, Verdict
    from ondevice.profile.store import Profile
    from ondevice.recall.search import Recall


class LearnsFromProfile(Reviews):
    """Judging answers and learning; `Assistant` has the rest."""

    engine: Engine
    settings: Settings
    scope: str | None
    temporary: bool
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
            answers = [t for t in profile.turns(own) if t.role == "assistant"] if own else []
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
        given = profile.add_feedback(turn_id, verdict, text, answered_by=answered_by)
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
            LearningError: another run is under way, the disk is full, or something that was
                being learned was forgotten meanwhile.
            TrainingError: the base cannot be trained, or the training diverges.
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

    def _needs_profile(self) -> tuple[Profile, Recall]:
        raise NotImplementedError

    def _rebuild(self) -> None:
        raise NotImplementedError
