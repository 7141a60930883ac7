"""Privacy through the page: how the profile is protected, its log, copies, locking, its end."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import Field
from starlette.types import Receive, Scope, Send

from ondevice.server.errors import BadRequestError
from ondevice.server.manage.page import Count, Page, page_routes
from ondevice.server.routing import Answer, Download, Fields
from ondevice.store.access import key_changes
from ondevice.store.exchange import transfer
from ondevice.store.leftovers import held
from ondevice.store.listing import Filter
from ondevice.store.profile import Profile
from ondevice.store.records import Copy, Event

MOST_EVENTS = 500  # of the log

routes = page_routes()


class PrivacyState(Answer):
    """How the profile is kept."""

    profile: str
    folder: str
    bytes: int
    keys: list[str]
    facts: int
    passages: int
    turns: int
    verdicts: int
    adapters: int
    copies: list[Copy]


@routes.get("/privacy")
def state(page: Page) -> PrivacyState:
    """How the profile is kept."""
    profile = page.profile
    files = [path for path in profile.folder.rglob("*") if path.is_file()]
    return PrivacyState(
        profile=profile.name,
        folder=str(profile.folder),
        bytes=sum(path.stat().st_size for path in files),
        keys=key_changes.ways_in(profile.home, profile.name),
        facts=profile.listing.count(Filter(kinds=("fact",))),
        passages=profile.listing.count(Filter(kinds=("passage",))),
        turns=profile.listing.count(Filter(kinds=("turn",))),
        verdicts=len(profile.feedback.all()),
        adapters=len(profile.adapters.all()),
        copies=list(profile.copies.all()),
    )


# --- the log ------------------------------------------------------------------------------


class LogLimit(Fields):
    """How much of the log."""

    limit: Count = Field(MOST_EVENTS, description=f"At most {MOST_EVENTS}.")


class Log(Answer):
    """What was done, the newest first."""

    events: list[Event]


@routes.get("/privacy/log")
def log(page: Page, query: LogLimit) -> Log:
    """What was done, without texts."""
    found = page.profile.journal.events(limit=min(query.limit, MOST_EVENTS))
    return Log(events=[Event(one.time, one.kind, _numbers(one.about)) for one in reversed(found)])


# --- copies -------------------------------------------------------------------------------


class Passphrase(Fields):
    """A passphrase."""

    passphrase: str


@routes.post("/privacy/export")
def export(page: Page, body: Passphrase) -> Download:
    """Download the profile under a passphrase."""
    if not body.passphrase:
        raise BadRequestError("An export needs a passphrase; without one nobody opens it.")
    profile = page.profile
    return _archive(
        profile,
        "export",
        lambda path: transfer.export_profile(
            profile, path, body.passphrase, listed_as=_downloaded(path)
        ),
    )


@routes.post("/privacy/backup")
def backup(page: Page) -> Download:
    """Download an encrypted backup."""
    profile = page.profile
    return _archive(
        profile,
        "backup",
        lambda path: transfer.backup_profile(profile, path, listed_as=_downloaded(path)),
    )


# --- lock and end -------------------------------------------------------------------------


class Locked(Answer):
    """The profile that is locked now."""

    locked: str


@routes.post("/privacy/lock")
def lock(page: Page) -> Locked:
    """Lock the profile."""
    page.refuse_while_busy()
    profile = page.profile
    key_changes.lock(profile.home, profile.name)
    with page.model():
        profile.lock()
        page.forget_the_chat()
    return Locked(locked=profile.name)


class Unlocked(Answer):
    """The profile that is open again."""

    unlocked: str


@routes.post("/privacy/unlock")
def unlock(page: Page, body: Passphrase) -> Unlocked:
    """Open the locked profile with its passphrase or recovery code."""
    closed = page.me.profile
    if closed is None or not page.locked:
        raise BadRequestError("There is no locked profile.")
    page.refuse_while_busy()
    home, name = closed.home, closed.name
    with page.model():  # so there is also one guess at a time
        key_changes.unlock(home, name, lambda: body.passphrase, typed=True)
        opened = Profile.open(
            home,
            name,
            ask_passphrase=lambda: body.passphrase,
            retention=page.me.settings.retention,
            typed=True,
        )
        page.me.reopen(opened)
    return Unlocked(unlocked=name)


class Confirm(Fields):
    """The profile's name, typed to confirm."""

    confirm: str


class Wiped(Answer):
    """The profile that is no more."""

    wiped: str


@routes.post("/privacy/wipe")
def wipe(page: Page, body: Confirm) -> Wiped:
    """Destroy the profile."""
    page.refuse_while_busy()
    profile = page.profile
    if body.confirm != profile.name:
        raise BadRequestError("Type the name of the profile to confirm.")
    page.close()
    with page.model():
        page.wiped = True
        page.forget_the_chat()
        profile.wipe()
    return Wiped(wiped=profile.name)


def _numbers(about: dict[str, Any]) -> dict[str, Any]:
    """Return what an event is about with lists of ids as their lengths."""
    return {name: len(value) if isinstance(value, list) else value for name, value in about.items()}


def _downloaded(path: Path) -> str:
    """Return how a copy is listed of which only the browser knows where it lies."""
    return f"{path.name}, downloaded by the browser"


def _archive(profile: Profile, kind: str, write: Callable[[Path], object]) -> Download:
    """Return an encrypted copy as a download; the file here is deleted afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="ondevice-"))
    holding = contextlib.ExitStack()
    holding.enter_context(held(folder))
    path = folder / f"{profile.name}-{time.strftime('%Y-%m-%d')}.ondevice-{kind}"
    try:
        profile.copies.begin("readable", folder)  # goes as a whole if this process dies
        write(path)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        holding.close()
        raise
    return _OnceOnly(path, holding)


class _OnceOnly(Download):
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
