"""`ondevice config`: settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from ondevice.cli.output import json_option, print_json, print_table, talk, warn

if TYPE_CHECKING:
    from pathlib import Path


def _complete_settings(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from ondevice.settings import Settings
    from ondevice.settings_file import flat

    return [CompletionItem(name) for name in flat(Settings()) if name.startswith(incomplete)]


def _path() -> Path:
    from ondevice.home import Home
    from ondevice.settings import settings_path

    return settings_path(Home.default())


@click.group("config")
def command() -> None:
    """Show and change settings."""


@command.command("show")
@click.argument("name", required=False, shell_complete=_complete_settings)
@json_option
def show(name: str | None, as_json: bool) -> None:
    """Show all settings, or the value of one."""
    from ondevice.errors import SettingsError, did_you_mean
    from ondevice.settings import Settings, wrong_file
    from ondevice.settings_file import flat

    settings, problems = Settings.read(_path())
    values, defaults = flat(settings), flat(Settings())
    if name is not None and name not in values:
        raise SettingsError(
            f"There is no setting '{name}'; {did_you_mean(name, values)}`ondevice config show` "
            "lists them all."
        )
    shown = {key: value for key, value in values.items() if name in (None, key)}
    if as_json:
        print_json(
            [
                {"name": key, "value": value, "default": defaults[key]}
                for key, value in shown.items()
            ]
        )
    elif name is not None:
        click.echo(_text(shown[name]))
    else:
        rows = [(key, _text(value), _text(defaults[key])) for key, value in shown.items()]
        print_table(["setting", "value", "default"], rows, "")
    # What is shown is what counts: the defaults, for what is wrong.
    if any(not one.retired for one in problems):
        raise wrong_file(_path(), problems)
    if problems:
        warn(wrong_file(_path(), problems).notice)


@command.command("set", context_settings={"ignore_unknown_options": True})  # a value may be -1
@click.argument("name", shell_complete=_complete_settings)
@click.argument("value")
def set_(name: str, value: str) -> None:
    """Change a setting, in config.toml; comments in the file stay.

    Lines of the file that mean nothing become comments, too.

    Example: ondevice config set generation.temperature 0.5
    """
    from ondevice.home import Home
    from ondevice.settings_file import set_value

    saved = set_value(Home.default(), name, value)
    talk(f"{name} is {_text(saved.value)} from now on.")
    for one in saved.left_out:
        where = f"Line {one.line} of" if one.line else "Something in"
        was = "is not used" if one.retired else "was wrong"
        warn(f"{where} {_path()} {was} and is left out now: {one.message}.")


@command.command("path")
def path() -> None:
    """Print where config.toml is, or would be."""
    click.echo(_path())


def _text(value: object) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
