"""Settings through the page: the same file that `ondevice config` changes."""

from __future__ import annotations

import dataclasses
from typing import Any

from starlette.routing import BaseRoute

from ondevice.server.manage.http import BadRequestError, Values, route
from ondevice.server.manage.page import Page
from ondevice.settings import Settings, settings_path, wrong_file
from ondevice.settings_file import Value, flat, set_value

AT_START = "model"  # settings of this table count from the next start on
ELSEWHERE = "retention"  # the profile has its own


def setting_routes(page: Page) -> list[BaseRoute]:
    """Return the routes that show and change settings."""

    def show(values: Values) -> dict[str, Any]:
        path = settings_path(page.profile.home)
        settings, problems = Settings.read(path)
        now, defaults = flat(settings), flat(Settings())
        return {
            "path": str(path),
            "problem": str(wrong_file(path, problems)) if problems else None,
            "settings": [
                {
                    "name": name,
                    "value": value,
                    "default": defaults[name],
                    "kind": _kind(defaults[name]),
                    "at_start": name.startswith(f"{AT_START}."),
                }
                for name, value in now.items()
                if not name.startswith(f"{ELSEWHERE}.")
            ],
        }

    def change(values: Values) -> dict[str, Any]:
        name, text = values.take("name", str), values.take("value", str)
        if name.startswith(f"{ELSEWHERE}."):
            raise BadRequestError("How long records are kept is set under Privacy.")
        value = set_value(page.profile.home, name, text).value
        if not name.startswith(f"{AT_START}."):
            page.me.settings = _with(page.me.settings, name, value)
        return {"name": name, "value": value}

    return [
        route(page, "GET", "/settings", show),
        route(page, "POST", "/settings", change),
    ]


def _kind(default: Value) -> str:
    """Return what a value of this setting is: "bool", "int", "float" or "str"."""
    return "int" if default is None else type(default).__name__


def _with(settings: Settings, name: str, value: Value) -> Settings:
    """Return `settings`, which options of the command may have changed, with one value changed."""
    table, _, key = name.partition(".")
    changes: dict[str, Any] = {key: value}
    return dataclasses.replace(
        settings, **{table: dataclasses.replace(getattr(settings, table), **changes)}
    )
