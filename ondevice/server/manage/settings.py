"""Settings through the page: the same file that `ondevice config` changes."""

from __future__ import annotations

import dataclasses
from typing import Any

from pydantic import Field

from ondevice.server.errors import BadRequestError
from ondevice.server.manage.page import Page, page_routes
from ondevice.server.remedies import WORDS
from ondevice.server.routing import Answer, Fields
from ondevice.settings import Settings, settings_path, wrong_file
from ondevice.settings_file import Value, flat, set_value

AT_START = "model"  # settings of this table count from the next start on
ELSEWHERE = "retention"  # the profile has its own

routes = page_routes()


class SettingShown(Answer):
    """A setting."""

    name: str
    value: bool | int | float | str | None
    default: bool | int | float | str | None
    kind: str = Field(description="What its value is: bool, int, float or str.")
    at_start: bool = Field(description="It counts from the next start on.")


class AllSettings(Answer):
    """Every setting."""

    path: str
    problem: str | None = Field(description="What is wrong with the file, which has no effect.")
    settings: list[SettingShown]


@routes.get("/settings")
def show(page: Page) -> AllSettings:
    """List settings."""
    path = settings_path(page.profile.home)
    settings, problems = Settings.read(path)
    now, defaults = flat(settings), flat(Settings())
    return AllSettings(
        path=str(path),
        problem=wrong_file(path, problems).said(WORDS) if problems else None,
        settings=[
            SettingShown(
                name=name,
                value=value,
                default=defaults[name],
                kind=_kind(defaults[name]),
                at_start=name.startswith(f"{AT_START}."),
            )
            for name, value in now.items()
            if not name.startswith(f"{ELSEWHERE}.")
        ],
    )


class Setting(Fields):
    """A setting and its value as text."""

    name: str
    value: str


class SettingChanged(Answer):
    """A setting and its value of now."""

    name: str
    value: bool | int | float | str | None


@routes.post("/settings")
def change(page: Page, body: Setting) -> SettingChanged:
    """Change a setting."""
    if body.name.startswith(f"{ELSEWHERE}."):
        raise BadRequestError("How long records are kept is set under Privacy.")
    value = set_value(page.profile.home, body.name, body.value).value
    if not body.name.startswith(f"{AT_START}."):
        page.me.settings = _with(page.me.settings, body.name, value)
    return SettingChanged(name=body.name, value=value)


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
