"""What the page's requests share: the assistant, one lock for its model, and running jobs."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager

from ondevice.assistant import Assistant
from ondevice.errors import LearningError, ProfileLockedError
from ondevice.home import Home
from ondevice.profile.store import Profile
from ondevice.recall.search import Recall
from ondevice.server.page.jobs import Jobs


class Page:
    """The state of the page on the side of the server."""

    def __init__(
        self,
        assistant: Assistant,
        home: Home,
        *,
        engine_lock: AbstractContextManager[object] | None = None,
    ) -> None:
        """Serve one person's assistant.

        Args:
            assistant: open; whoever opened it closes it.
            home: where profiles and settings live.
            engine_lock: held while the model works; a lock of its own if None.
        """
        self.me = assistant
        self.home = home
        self.engine_lock = engine_lock or threading.Lock()
        self.jobs = Jobs()
        self.wiped = False

    @property
    def profile(self) -> Profile:
        """The open profile.

        Raises:
            ProfileLockedError: it was wiped, or the assistant has none.
        """
        if self.wiped or self.me.profile is None:
            raise ProfileLockedError("There is no open profile; start ondevice serve again.")
        return self.me.profile

    @property
    def recall(self) -> Recall:
        """Search over the open profile, which also stores facts with their vectors."""
        if self.profile is None or self.me.recaller is None:
            raise ProfileLockedError("There is no open profile; start ondevice serve again.")
        return self.me.recaller

    def refuse_while_learning(self) -> None:
        """Refuse what needs the model while an adapter is trained.

        Raises:
            LearningError: it is.
        """
        if self.jobs.running("learn"):
            raise LearningError(
                "Learning is under way and needs the memory of the model; stop it, or wait for it."
            )
