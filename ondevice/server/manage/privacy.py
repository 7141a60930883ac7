"""Privacy through the page: how the profile is protected, its log, copies, locking, its end."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from ondevice.adapters import forgetting
from ondevice.server.manage.http import BadRequestError, Values, route
from ondevice.server.manage.page import Page
from ondevice.store import key_changes, transfer
from ondevice.store.leftovers import held
from ondevice.store.listing import Filter
from ondevice.store.profile import Profile

MOST_EVENTS = 500  # of the log


class Privacy:
    """How the profile is protected, what happened to it, its copies, its lock and its end."""

    def __init__(self, page: Page) -> None:
        """Answer for the profile of `page`."""
        self._page = page

    def state(self, values: Values) -> dict[str, Any]:
        """Return what is kept of the person, where, and what opens it."""
        profile = self._page.profile
        files = [path for path in profile.folder.rglob("*") if path.is_file()]
        return {
            "profile": profile.name,
            "folder": str(profile.folder),
            "bytes": sum(path.stat().st_size for path in files),
            "keys": key_changes.ways_in(profile.home, profile.name),
            "facts": profile.count(Filter(kinds=("fact",))),
            "passages": profile.count(Filter(kinds=("passage",))),
            "turns": profile.count(Filter(kinds=("turn",))),
            "verdicts": len(profile.feedback()),
            "adapters": len(profile.adapters()),
            "copies": [dataclasses.asdict(copy) for copy in profile.copies()],
        }

    def log(self, values: Values) -> dict[str, Any]:
        """Return what happened, the newest first."""
        limit = min(values.take("limit", int, MOST_EVENTS), MOST_EVENTS)
        found = self._page.profile.events(limit=limit)
        return {
            "events": [
                {"time": one.time, "kind": one.kind, "about": _numbers(one.about)}
                for one in reversed(found)
            ]
        }

    def export(self, values: Values) -> FileResponse:
        """Return the profile as a file that its own passphrase opens."""
        passphrase = values.take("passphrase", str)
        if not passphrase:
            raise BadRequestError("An export needs a passphrase; without one nobody opens it.")
        profile = self._page.profile
        return _archive(
            profile,
            "export",
            lambda path: transfer.export_profile(
                profile, path, passphrase, listed_as=_downloaded(path)
            ),
        )

    def backup(self, values: Values) -> FileResponse:
        """Return the profile as a file that opens with what opens the profile."""
        profile = self._page.profile
        return _archive(
            profile,
            "backup",
            lambda path: transfer.backup_profile(profile, path, listed_as=_downloaded(path)),
        )

    def lock(self, values: Values) -> dict[str, Any]:
        """Close the profile to everybody."""
        self._page.refuse_while_busy()
        profile = self._page.profile
        key_changes.lock(profile.home, profile.name)
        with self._page.model():
            self._page.forget_the_chat()
            profile.lock()
        return {"locked": profile.name}

    def unlock(self, values: Values) -> dict[str, Any]:
        """Open the locked profile."""
        passphrase = values.take("passphrase", str)
        closed = self._page.me.profile
        if closed is None or not self._page.locked:
            raise BadRequestError("There is no locked profile.")
        self._page.refuse_while_busy()
        home, name = closed.home, closed.name
        with self._page.model():  # so there is also one guess at a time
            key_changes.unlock(home, name, lambda: passphrase)
            opened = Profile.open(home, name, ask_passphrase=lambda: passphrase)
            forgetting.expire(opened, self._page.me.settings.retention)
            self._page.me.reopen(opened)
        return {"unlocked": name}

    def wipe(self, values: Values) -> dict[str, Any]:
        """Destroy the profile."""
        self._page.refuse_while_busy()
        profile = self._page.profile
        if values.take("confirm", str) != profile.name:
            raise BadRequestError("Type the name of the profile to confirm.")
        self._page.close()
        with self._page.model():
            self._page.wiped = True
            self._page.forget_the_chat()
            profile.wipe()
        return {"wiped": profile.name}


def privacy_routes(page: Page) -> list[BaseRoute]:
    """Return the routes about encryption, the log, copies, locking and wiping."""
    privacy = Privacy(page)
    return [
        route(page, "GET", "/privacy", privacy.state),
        route(page, "GET", "/privacy/log", privacy.log),
        route(page, "POST", "/privacy/export", privacy.export),
        route(page, "POST", "/privacy/backup", privacy.backup),
        route(page, "POST", "/privacy/lock", privacy.lock),
        route(page, "POST", "/privacy/unlock", privacy.unlock),
        route(page, "POST", "/privacy/wipe", privacy.wipe),
    ]


def _numbers(about: dict[str, Any]) -> dict[str, Any]:
    """Return what an event is about with lists of ids as their lengths."""
    return {name: len(value) if isinstance(value, list) else value for name, value in about.items()}


def _downloaded(path: Path) -> str:
    """Return how a copy is listed of which only the browser knows where it lies."""
    return f"{path.name}, downloaded by the browser"


def _archive(profile: Profile, kind: str, write: Callable[[Path], object]) -> FileResponse:
    """Return an encrypted copy as a download; the file here is deleted afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="ondevice-"))
    holding = contextlib.ExitStack()
    holding.enter_context(held(folder))
    path = folder / f"{profile.name}-{time.strftime('%Y-%m-%d')}.ondevice-{kind}"
    try:
        profile.note_unfinished("readable", folder)  # goes as a whole if this process dies
        write(path)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        holding.close()
        raise
    return _Download(path, holding)


class _Download(FileResponse):
    """A file in a folder of its own, which goes also if the browser breaks off."""

    def __init__(self, path: Path, holding: contextlib.ExitStack) -> None:
        super().__init__(
            path,
            filename=path.name,
            media_type="application/octet-stream",
            headers={"Cache-Control": "no-store"},
        )
        self._holding = holding

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            shutil.rmtree(Path(self.path).parent, ignore_errors=True)
            self._holding.close()
