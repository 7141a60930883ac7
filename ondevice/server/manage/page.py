"""What the page's requests share: the assistant, its turn at the model, and running jobs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from starlette.requests import Request

from ondevice.chat import Assistant
from ondevice.chat.reply import Reply
from ondevice.errors import LearningError, ProfileLockedError
from ondevice.remedies import said
from ondevice.server.errors import ApiError
from ondevice.server.manage.jobs import Jobs
from ondevice.server.manage.uploads import Uploads
from ondevice.server.remedies import WORDS
from ondevice.server.routing import Routes
from ondevice.server.state import ServerState
from ondevice.settings import Settings, settings_path, wrong_file
from ondevice.store.access import keys
from ondevice.store.profile import Profile

Count = Annotated[int, Field(ge=0, le=10**12)]


@dataclass
class ChatOfPage:
    """The conversation that the page shows; it is the assistant's own.

    Attributes:
        reply: the newest answer.
        temporary: the id of the temporary chat; it is in memory only.
    """

    reply: Reply | None = None
    temporary: str | None = None


class Page:
    """The state of the page on the side of the server."""

    def __init__(self, state: ServerState, notices: Sequence[str] = ()) -> None:
        """Show the assistant of `state`; whoever opened it closes it.

        Args:
            state: of the server.
            notices: what was not as chosen when the server started.
        """
        self._notices = notices
        self.jobs = Jobs()
        self.chat = ChatOfPage()
        self.uploads = Uploads()
        self.wiped = False
        self.loop: asyncio.AbstractEventLoop | None = None  # of the server; known at a request
        self._state = state

    @property
    def me(self) -> Assistant:
        """The assistant."""
        return self._state.assistant

    @property
    def profile(self) -> Profile:
        """The open profile.

        Raises:
            ProfileLockedError: it was locked or wiped, or the assistant has none.
        """
        if self.wiped or self.me.profile is None:
            raise ProfileLockedError("There is no open profile; start the server again.")
        if self.locked:
            raise ProfileLockedError(
                f"The profile '{self.me.profile.name}' is locked; open it with its passphrase."
            )
        return self.me.profile

    @property
    def locked(self) -> bool:
        """Whether the profile is closed and a passphrase would open it again."""
        profile = self.me.profile
        if self.wiped or profile is None:
            return False
        return not profile.is_open or keys.is_locked(profile.home, profile.name)

    def notices(self) -> list[str]:
        """Return what the person should know: what was not as chosen, or is wrong in a file."""
        if self.me.profile is None:
            return [said(one, WORDS) for one in self._notices]
        path = settings_path(self.me.profile.home)
        _, problems = Settings.read(path)
        return [
            *(said(one, WORDS) for one in self._notices),
            *([wrong_file(path, problems).said(WORDS)] if problems else []),
        ]

    @contextlib.contextmanager
    def model(self) -> Iterator[None]:
        """Hold the model for a block of a worker thread, in the line that everybody waits in.

        Raises:
            ApiError: the line or the wait was too long.
        """
        assert self.loop is not None, "only inside requests"
        turn = self._state.queue.turn()
        asyncio.run_coroutine_threadsafe(_enter(turn), self.loop).result()
        try:
            yield
        finally:
            if not self.loop.is_closed():
                asyncio.run_coroutine_threadsafe(_leave(turn), self.loop)

    def refuse_while_busy(self) -> None:
        """Refuse what needs the model while an adapter is trained or judged.

        Raises:
            LearningError: it is.
        """
        if self.jobs.running("learn"):
            raise LearningError(
                "Learning is under way and needs the memory of the model; stop it, or wait for it."
            )
        if self.jobs.running("evaluate"):
            raise LearningError("An evaluation is under way; stop it, or wait for it.")

    def refuse_if_temporary(self, *, keep: bool = False) -> None:
        """Refuse to store anything while the chat is temporary, or the server has no memory.

        Args:
            keep: whether the person said that it is to be kept all the same.

        Raises:
            ApiError: it is.
        """
        if self.me.without_memory:
            raise ApiError(
                409,
                "This server was started to keep nothing, so nothing was stored; start it again "
                "in the usual way.",
                code="no_memory",
            )
        if self.me.conversation.is_temporary and not keep:
            raise ApiError(
                409,
                "The chat is temporary and keeps nothing, so nothing was stored; begin another "
                "chat, or say 'keep' to store it all the same.",
                code="temporary_chat",
            )

    def forget_the_chat(self) -> None:
        """Leave nothing of the person in the model and in the transcript."""
        self.me.engine.set_adapters([])
        self.me.engine.reset_cache()
        self.me.new_conversation()

    def close(self) -> None:
        """Stop what is running: a training keeps its checkpoint."""
        self.jobs.stop_all()
        self.uploads.clear()


def page_of(request: Request) -> Page:
    """Return the page of the app that serves `request`."""
    page: Page = request.app.state.page
    page.loop = asyncio.get_running_loop()
    return page


def page_routes() -> Routes[Page]:
    """Return an empty group of routes below `/api`."""
    return Routes("/api", page_of)


async def _enter(turn: contextlib.AbstractAsyncContextManager[object]) -> None:
    await turn.__aenter__()


async def _leave(turn: contextlib.AbstractAsyncContextManager[object]) -> None:
    await turn.__aexit__(None, None, None)
