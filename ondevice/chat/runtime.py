"""What all conversations of an assistant share: model, memory, adapters, and whose turn it is."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from ondevice.chat.adapters import AppliedAdapters
from ondevice.engine.protocol import Engine
from ondevice.errors import OndeviceError
from ondevice.memory.form import form_for
from ondevice.memory.service import Memory
from ondevice.settings import Settings

if TYPE_CHECKING:
    from ondevice.chat.session import Session


class Runtime:
    """The parts that answers are made with; one answer is generated at a time."""

    def __init__(
        self,
        engine: Engine,
        memory: Memory | None,
        settings: Settings,
        *,
        reader: bool,
    ) -> None:
        """Put the parts together.

        Args:
            engine: a loaded engine.
            memory: of the person; None to answer without one.
            settings: all settings.
            reader: False leaves out the reader that comes with the base model.
        """
        self.engine = engine
        self.form = form_for(engine.model)
        self.settings = settings
        self.turn = threading.RLock()
        self._reader = reader
        self._sessions: weakref.WeakSet[Session] = weakref.WeakSet()
        self._seen = 0
        self.remember_with(memory)

    def remember_with(self, memory: Memory | None) -> None:
        """Use another memory from now on."""
        self.memory = memory
        profile = memory.profile if memory is not None else None
        self.adapters = AppliedAdapters(
            self.engine, profile, self.turn, scope=self.scope, reader=self._reader
        )
        if memory is not None:
            memory.shared_with(self.turn, self.changed)
            self._seen = memory.profile.generation()

    @property
    def scope(self) -> str | None:
        """The context that conversations belong to."""
        return self.memory.scope if self.memory is not None else None

    @property
    def needed_memory(self) -> Memory:
        """The memory.

        Raises:
            OndeviceError: there is none.
        """
        if self.memory is None:
            raise OndeviceError(
                "This assistant was opened without a profile and has no memory; open it with one."
            )
        return self.memory

    def joined_by(self, session: Session) -> None:
        """Tell `session` of changes from now on, as long as somebody holds it."""
        self._sessions.add(session)

    def follow(self) -> None:
        """Take notice of what another process, or another conversation, has changed."""
        if self.memory is not None and self.memory.profile.generation() != self._seen:
            self.changed()

    def changed(self) -> None:
        """Drop everything that may hold what is no longer so: caches, transcripts, adapters."""
        with self.turn:
            memory = self.needed_memory
            self._seen = memory.profile.generation()
            memory.recall.invalidate()
            self.engine.reset_cache()
            for session in list(self._sessions):
                session.rebuild()
            self.adapters.reapply()

    def changed_by(self, session: Session, *, from_generation: int) -> None:
        """Take notice of a change that `session` has made and allowed for in its transcript.

        If nothing else has changed, its prompt need not be evaluated anew.
        """
        generation = self.needed_memory.profile.generation()
        alone = from_generation == self._seen and generation == from_generation + 1
        if alone:
            self.needed_memory.recall.invalidate()
            self._seen = generation
        else:
            self.changed()
