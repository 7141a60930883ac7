"""`ondevice config`: settings."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from ondevice.cli.output import json_option, print_json, print_table, talk


def _complete_settings(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from ondevice.settings import Settings
    from ondevice.settings_file import flat

    return [CompletionItem(name) for name in flat(Settings()) if name.startswith(incomplete)]


def _path() -> Path:
    from ondevice.home import Home

    return Home.default().config / "config.toml"


@click.group("config")
def command() -> None:
    """Show and change settings."""


@command.command("show")
@click.argument("name", required=False, shell_complete=_complete_settings)
@json_option
def show(name: str | None, as_json: bool) -> None:
    """Show all settings, or the value of one."""
    from ondevice.errors import SettingsError, did_you_mean
    from ondevice.settings import Settings
    from ondevice.settings_file import flat

    values, defaults = flat(Settings.load(_path())), flat(Settings())
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


@command.command("set", context_settings={"ignore_unknown_options": True})  # a value may be -1
@click.argument("name", shell_complete=_complete_settings)
@click.argument("value")
def set_(name: str, value: str) -> None:
    """Change a setting, in config.toml; comments in the file stay.

    Example: ondevice config set generation.temperature 0.5
    """
    from ondevice.settings_file import set_value

    talk(f"{name} is {_text(set_value(_path(), name, value))} from now on.")


@command.command("path")
def path() -> None:
    """Print where config.toml is, or would be."""
    click.echo(_path())


def _text(value: object) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
