"""Holds every JSON output of every command test against the command's schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import click
import pytest
from quick import command_schemas

from ondevice.cli import output as _output
from ondevice.cli import run
from ondevice.home import Home


@pytest.fixture(autouse=True)
def checked_json(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Validate what `print_json` prints; gives the names of the commands that printed."""
    known, printed = command_schemas(), set[str]()
    original = _output.json_text

    def checked(value: object) -> str:
        text = original(value)
        command = click.get_current_context().command_path.removeprefix("ondevice ")
        assert command in known, f"{command} --json has no schema in tools/json_schemas.py"
        known[command].validate(json.loads(text))
        printed.add(command)
        return text

    monkeypatch.setattr(_output, "json_text", checked)
    yield printed


@pytest.fixture
def ondevice(home: Home, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command; return (exit code, stdout, stderr)."""

    def call(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = run(list(arguments))
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return call
