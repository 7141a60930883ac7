"""Privacy through the page: how the profile is protected, its log, copies, locking, its end."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.background import BackgroundTask
from starlette.responses import FileResponse
from starlette.routing import BaseRoute

from ondevice.adapters import forgetting
from ondevice.profile import key_changes, transfer
from ondevice.profile.browse import Filter
from ondevice.profile.store import Profile
from ondevice.server.manage.http import BadRequestError, Values, route
from ondevice.server.manage.page import Page

MOST_EVENTS = 500  # of the log


def privacy_routes(page: Page) -> list[BaseRoute]:
    """Return the routes about encryption, the log, copies, locking and wiping."""
    return [*_looking(page), *_copying(page), *_locking(page)]


def _looking(page: Page) -> list[BaseRoute]:
    """Return the routes that say how the profile is protected, and what happened to it."""

    def state(values: Values) -> dict[str, Any]:
        profile = page.profile
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

    def log(values: Values) -> dict[str, Any]:
        limit = min(values.take("limit", int, MOST_EVENTS), MOST_EVENTS)
        found = page.profile.events(limit=limit)
        return {
            "events": [
                {"time": one.time, "kind": one.kind, "about": _numbers(one.about)}
                for one in reversed(found)
            ]
        }

    return [
        route(page, "GET", "/privacy", state),
        route(page, "GET", "/privacy/log", log),
    ]


def _copying(page: Page) -> list[BaseRoute]:
    """Return the routes that download encrypted copies."""

    def export(values: Values) -> FileResponse:
        passphrase = values.take("passphrase", str)
        if not passphrase:
            raise BadRequestError("An export needs a passphrase; without one nobody opens it.")
        profile = page.profile
        return _archive(
            profile.name,
            "export",
            lambda path: transfer.export_profile(
                profile, path, passphrase, listed_as=_downloaded(path)
            ),
        )

    def backup(values: Values) -> FileResponse:
        profile = page.profile
        return _archive(
            profile.name,
            "backup",
            lambda path: transfer.backup_profile(profile, path, listed_as=_downloaded(path)),
        )

    return [
        route(page, "POST", "/privacy/export", export),
        route(page, "POST", "/privacy/backup", backup),
    ]


def _locking(page: Page) -> list[BaseRoute]:
    """Return the routes that close the profile, open it again, and destroy it."""

    def lock(values: Values) -> dict[str, Any]:
        page.refuse_while_busy()
        profile = page.profile
        key_changes.lock(profile.home, profile.name)
        with page.model():
            page.forget_the_chat()
            profile.lock()
        return {"locked": profile.name}

    def unlock(values: Values) -> dict[str, Any]:
        passphrase = values.take("passphrase", str)
        closed = page.me.profile
        if closed is None or not page.locked:
            raise BadRequestError("There is no locked profile.")
        page.refuse_while_busy()
        home, name = closed.home, closed.name
        with page.model():  # so there is also one guess at a time
            key_changes.unlock(home, name, lambda: passphrase)
            opened = Profile.open(home, name, ask_passphrase=lambda: passphrase)
            forgetting.expire(opened, page.me.settings.retention)
            page.me.reopen(opened)
        return {"unlocked": name}

    def wipe(values: Values) -> dict[str, Any]:
        page.refuse_while_busy()
        profile = page.profile
        if values.take("confirm", str) != profile.name:
            raise BadRequestError("Type the name of the profile to confirm.")
        page.close()
        with page.model():
            page.wiped = True
            page.forget_the_chat()
            profile.wipe()
        return {"wiped": profile.name}

    return [
        route(page, "POST", "/privacy/lock", lock),
        route(page, "POST", "/privacy/unlock", unlock),
        route(page, "POST", "/privacy/wipe", wipe),
    ]


def _numbers(about: dict[str, Any]) -> dict[str, Any]:
    """Return what an event is about with lists of ids as their lengths."""
    return {name: len(value) if isinstance(value, list) else value for name, value in about.items()}


def _downloaded(path: Path) -> str:
    """Return how a copy is listed of which only the browser knows where it lies."""
    return f"{path.name}, downloaded by the browser"


def _archive(profile: str, kind: str, write: Callable[[Path], object]) -> FileResponse:
    """Return an encrypted copy as a download; the file here is deleted afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="ondevice-"))
    day = time.strftime("%Y-%m-%d")
    path = folder / f"{profile}-{day}.ondevice-{kind}"

    def clear() -> None:
        shutil.rmtree(folder, ignore_errors=True)

    try:
        write(path)
    except BaseException:
        clear()
        raise
    return FileResponse(
        path,
        filename=path.name,
        media_type="application/octet-stream",
        headers={"Cache-Control": "no-store"},
        background=BackgroundTask(clear),
    )
