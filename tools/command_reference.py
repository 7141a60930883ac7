"""The documentation of every command, written from the commands themselves.

python tools/command_reference.py        writes docs/commands.md and docs/schemas/*.json
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path

import click
from json_schemas import schemas

from ondevice.cli import cli
from ondevice.settings import Settings
from ondevice.settings_file import flat

HEAD = """# Commands

Written by `python tools/command_reference.py` from the program; a test checks that it is current.

Every command takes `-h`, `--help` and `-q`, `--quiet`: print answers, listings, warnings and errors
only. Answers and listings go to standard output, everything else to standard error. Listings take
`--json`; what it holds is described in [schemas](schemas). `NO_COLOR` switches colours off.

| exit code | |
|---|---|
| 0 | done |
| 1 | it failed, and one sentence says why and what to do |
| 2 | wrong use: an unknown option, a missing argument, or nobody there to answer a question |
| 130 | stopped by Ctrl-C, or by the answer no |
"""

_EVERYWHERE = {"--help", "--quiet"}


def render() -> str:
    """Return the whole text, in Markdown."""
    context = click.Context(cli, info_name="ondevice", **cli.context_settings)
    sections = [HEAD]
    for names, command, inner in _leaves(cli, context):
        sections.append(_section(names, command, inner))
    sections.append(_settings())
    return "\n".join(sections)


def leaves() -> list[tuple[str, click.Command]]:
    """Return every command that does something, with its full name, such as `memory add`."""
    context = click.Context(cli, info_name="ondevice", **cli.context_settings)
    return [(" ".join(names), command) for names, command, _ in _leaves(cli, context)]


def _leaves(
    command: click.Command, context: click.Context, names: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command, click.Context]]:
    if not isinstance(command, click.Group):
        yield names, command, context
        return
    for name in command.list_commands(context):
        part = command.get_command(context, name)
        if part is not None and not part.hidden:
            inner = click.Context(part, parent=context, info_name=name)
            yield from _leaves(part, inner, (*names, name))


def _section(names: tuple[str, ...], command: click.Command, context: click.Context) -> str:
    usage = " ".join(["ondevice", *names, *command.collect_usage_pieces(context)])
    lines = [f"## ondevice {' '.join(names)}", "", f"    {usage}", ""]
    lines += [inspect.cleandoc(command.help or "").replace("\b\n", ""), ""]
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and not _EVERYWHERE & set(parameter.opts):
            text = f": {record[1]}" if record[1] else ""
            lines.append(f"- `{record[0]}`{text}")
    return "\n".join(lines).rstrip() + "\n"


def _settings() -> str:
    lines = [
        "## Settings",
        "",
        "In `config.toml`; `ondevice config set NAME VALUE` changes them.",
        "",
        "| name | default |",
        "|---|---|",
    ]
    for name, value in flat(Settings()).items():
        shown = "none" if value is None else str(value).lower()
        lines.append(f"| `{name}` | {shown} |")
    return "\n".join(lines) + "\n"


def files() -> dict[str, str]:
    """Return every generated file: its path below docs, and its text."""
    written = {"commands.md": render()}
    for name, schema in schemas().items():
        whole = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": f"ondevice {name} --json",
            **schema,
        }
        path = f"schemas/{name.replace(' ', '-')}.json"
        written[path] = json.dumps(whole, indent=1, ensure_ascii=False) + "\n"
    return written


if __name__ == "__main__":
    for name, text in files().items():
        target = Path("docs") / name
        target.parent.mkdir(exist_ok=True, parents=True)
        target.write_text(text, encoding="utf-8")
