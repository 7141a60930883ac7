"""The command line starts without the heavy libraries, and its help is true."""

import subprocess
import sys

import click
import pytest

from ondevice.cli import COMMANDS, cli

HEAVY = ("numpy", "llama_cpp", "onnxruntime", "sqlcipher3", "jinja2", "rich", "tokenizers", "gguf")


def test_help_imports_nothing_heavy():
    program = (
        "import sys; from ondevice.cli import run; code = run(['--help']);"
        f"print('loaded:', [m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr);"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0
    assert "loaded: []" in done.stderr
    assert "chat" in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_listed_help_is_the_commands_own(name):
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert (command.help or "").split("\n\n")[0].replace("\n", " ").strip() == COMMANDS[name][1]


def _all_commands(command, path=()):
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from _all_commands(command.get_command(context, name), (*path, name))


def test_every_command_and_option_has_help():
    for path, command in _all_commands(cli):
        assert command.help, f"{path} has no help"
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{path} {parameter.opts} has no help"
