"""What requests share: the assistants, the line before the model, and who may come in."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from anyio import CapacityLimiter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from ondevice.chat import Assistant
from ondevice.engine.generation_thread import GenerationThread
from ondevice.errors import ProfileError
from ondevice.server.access import Access
from ondevice.server.errors import ApiError
from ondevice.server.limits import Limits
from ondevice.server.queue import GenerationQueue

MOST_PROFILES = 8  # open at a time

OpenProfile = Callable[[str, Assistant], Assistant]


class ServerState:
    """One for each app; `state_of(request)` returns it."""

    def __init__(
        self,
        assistant: Assistant,
        access: Access,
        *,
        limits: Limits,
        open_profile: OpenProfile | None = None,
    ) -> None:
        """Serve `assistant`, which its owner closes.

        Args:
            assistant: of the profile that is served when none is named.
            access: tokens and sessions.
            limits: bounds.
            open_profile: opens an assistant for another profile, on the same engine.
        """
        self.assistant = assistant
        self.access = access
        self.limits = limits
        self.queue = GenerationQueue(limits.queued, limits.wait_seconds)
        self.thread = GenerationThread()
        self.embedding = CapacityLimiter(1)  # an embedding uses every core already
        self._open_profile = open_profile
        self._others: dict[str, Assistant] = {}
        self._opening = threading.Lock()

    async def assistant_for(self, profile: str | None) -> Assistant:
        """Return the assistant of `profile`; None is the one that is served.

        Raises:
            ProfileNotFoundError: there is none of that name.
            ProfileLockedError: it needs a passphrase.
        """
        served = self.assistant.profile
        if profile is None or (served is not None and profile == served.name):
            return self.assistant
        return await run_in_threadpool(self._other, profile)

    def _other(self, name: str) -> Assistant:
        with self._opening:
            known = self._others.get(name)
            if known is not None and known.profile is not None and not known.profile.is_open:
                del self._others[name]  # it was locked or wiped meanwhile
            if name not in self._others:
                if self._open_profile is None:
                    raise ApiError(
                        404, "This server serves one profile only.", code="profile_not_found"
                    )
                if len(self._others) >= MOST_PROFILES:
                    raise ApiError(429, "Too many profiles are open.", code="too_many_profiles")
                self._others[name] = self._open_profile(name, self.assistant)
            return self._others[name]

    def purge_due(self) -> None:
        """Delete what has been kept as long as it may be, in every open profile."""
        for assistant in (self.assistant, *self._others.values()):
            profile = assistant.profile
            # Locked meanwhile, or busy: the next time, or the next opening, does it.
            with contextlib.suppress(ProfileError):
                if profile is not None and profile.is_open:
                    profile.purge_due()

    def close(self) -> None:
        """Close the profiles that requests opened, and end the thread for generations."""
        for other in self._others.values():
            if other.profile is not None:
                other.profile.close()
        self._others.clear()
        self.thread.shutdown(wait=False)


def state_of(request: Request) -> ServerState:
    """Return the state of the app that serves `request`."""
    state: ServerState = request.app.state.ondevice
    return state
