"""Privacy through the page: how the profile is protected, what it takes, and its end."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from starlette.routing import BaseRoute

from ondevice.profile.browse import Filter
from ondevice.profile.keys import KEYS_NAME
from ondevice.profile.store import Profile
from ondevice.server.manage.http import BadRequestError, Values, route
from ondevice.server.manage.page import Page


def privacy_routes(page: Page) -> list[BaseRoute]:
    """Return the routes about encryption, settings and wiping."""

    def state(values: Values) -> dict[str, Any]:
        profile = page.profile
        files = [path for path in profile.folder.rglob("*") if path.is_file()]
        return {
            "profile": profile.name,
            "folder": str(profile.folder),
            "bytes": sum(path.stat().st_size for path in files),
            "keys": key_kinds(profile),
            "facts": profile.count(Filter(kinds=("fact",))),
            "passages": profile.count(Filter(kinds=("passage",))),
            "turns": profile.count(Filter(kinds=("turn",))),
            "verdicts": len(profile.feedback()),
            "adapters": len(profile.adapters()),
        }

    def settings(values: Values) -> dict[str, Any]:
        return {"settings": dataclasses.asdict(page.me.settings)}

    def wipe(values: Values) -> dict[str, Any]:
        page.refuse_while_learning()
        profile = page.profile
        if values.take("confirm", str) != profile.name:
            raise BadRequestError("Type the name of the profile to confirm.")
        page.jobs.stop_all()
        with page.model():
            page.wiped = True
            page.me.engine.set_adapters([])
            page.me.engine.reset_cache()
            page.me.new_conversation()
            page.me.temporary = True
            profile.wipe()
        return {"wiped": profile.name}

    return [
        route(page, "GET", "/privacy", state),
        route(page, "GET", "/settings", settings),
        route(page, "POST", "/privacy/wipe", wipe),
    ]


def key_kinds(profile: Profile) -> list[str]:
    """Return what opens a profile: "keyring", "passphrase" or "file"."""
    stored = json.loads((profile.folder / KEYS_NAME).read_text(encoding="utf-8"))
    return [str(wrap.get("kind")) for wrap in stored.get("wraps", [])]
