"""The command line: `ondevice COMMAND`.

Every command lives in a module of its own that is imported only when it runs,
so that `ondevice --help` starts at once.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import click

import ondevice
from ondevice.cli.remedies import told
from ondevice.errors import OndeviceError, did_you_mean, explain
from ondevice.ground.text import visible

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# command: (module, one-line help). The help is here so that listing the
# commands imports none of them; a test compares it with the command's own.
COMMANDS = {
    "demo": (
        "demo.commands",
        "See the whole loop: remember, chat, learn, judge, chat again, forget.",
    ),
    "chat": ("chat.commands", "Chat with the model that knows you."),
    "ask": ("chat.ask", "Ask one question and print the answer."),
    "memory": ("memory.commands", "See, add, correct and forget what is remembered."),
    "import": ("imports.importing", "Import notes, chats, mail and what other assistants know."),
    "source": ("imports.source", "See and forget imports and conversations."),
    "profile": ("profile.commands", "Create, choose, export, back up, lock and wipe profiles."),
    "adapter": ("adapter.commands", "Manage the adapters of a profile."),
    "model": ("model.commands", "List, suggest, pull, check and remove base models."),
    "learn": (
        "learn.commands",
        "Learn from the profile: train an adapter, and use it only if it helps.",
    ),
    "train": ("train.commands", "Train a low-rank adapter on text and chats, or on preferences."),
    "teach": ("train.teach", "Teach a base model to read the notes about its user."),
    "score": ("train.score", "Measure how well a model predicts text and chats."),
    "evaluate": (
        "learn.evaluate",
        "Measure whether memory and adapter help, on what was held out.",
    ),
    "mcp": ("mcp", "Serve the memory to other assistants (Model Context Protocol, stdio)."),
    "config": ("config", "Show and change settings."),
    "completion": ("completion.commands", "Print the script that lets a shell complete commands."),
    "serve": ("serve", "Serve the OpenAI-compatible API and the web page on this machine."),
    "doctor": ("doctor", "Check this machine and this installation."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command called `cmd_name`."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"ondevice.cli.{COMMANDS[cmd_name][0]}")
        command = module.command
        assert isinstance(command, click.Command)
        _add_quiet(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that `args` begin with; a name much like it is proposed."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            close = did_you_mean(name, COMMANDS)
            raise click.UsageError(
                f"There is no command '{name}'; {close}`ondevice -h` lists them all.", ctx
            )
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that begin with `incomplete`, importing no command."""
        from click.shell_completion import CompletionItem

        fitting = [item for item in COMMANDS.items() if item[0].startswith(incomplete)]
        names = [CompletionItem(name, help=text) for name, (_, text) in fitting]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _set_quiet(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta[QUIET] = True


quiet_option = click.option(
    "-q",
    "--quiet",
    is_flag=True,
    expose_value=False,
    callback=_set_quiet,
    help="Print answers, listings, warnings and errors only.",
)


def _add_quiet(command: click.Command) -> None:
    """Let every command take `--quiet`, as every one takes `--help`."""
    if isinstance(command, click.Group):
        for part in command.commands.values():
            _add_quiet(part)
    elif not any("--quiet" in parameter.opts for parameter in command.params):
        quiet_option(command)


QUIET = "ondevice.quiet"  # key of click's `Context.meta`, which nested commands share
CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=LazyGroup, context_settings=CONTEXT_SETTINGS)
@click.version_option(ondevice.__version__, "-V", "--version", message="ondevice %(version)s")
@quiet_option
def cli() -> None:
    """A language model that becomes yours and never leaves your machine."""


def main() -> None:
    """Run the command line and exit: 0 done, 1 it failed, 2 wrong use, 130 interrupted."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the caller (`>&-`), or none in a window
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdin, sys.stdout):  # what is no character must not end a chat
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; errors become one sentence on stderr."""
    if "_ONDEVICE_COMPLETE" in os.environ:  # a shell asks; click itself knows three of them
        importlib.import_module("ondevice.cli.completion.powershell")
    color = False if os.environ.get("NO_COLOR") else None  # None: if it is a terminal
    try:
        for argument in arguments:
            _check_text(argument)
        code = cli.main(arguments, prog_name="ondevice", standalone_mode=False, color=color)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        return 130
    except OndeviceError as error:
        click.echo(f"Error: {visible(told(error.notice))}", err=True)
        return 1
    except BrokenPipeError:
        # The reader has gone (`ondevice … | head`); keep Python from saying so again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        what = where + explain(error)
        click.echo(f"Error: {visible(what[0].upper() + what[1:])}.", err=True)
        return 1
    except Exception as error:  # noqa: BLE001 - the last resort: no traceback reaches a user
        return _internal_error(error)


def _check_text(argument: str) -> None:
    """Refuse an argument that the terminal sent in another encoding, unless it is a file's name.

    Raises:
        click.UsageError: it holds bytes that are no characters.
    """
    broken = any("\ud800" <= character <= "\udfff" for character in argument)
    if broken and not os.path.lexists(argument):
        shown = argument.encode("utf-8", "replace").decode()
        raise click.UsageError(f"'{shown}' is not UTF-8 text; check the terminal's encoding.")


def _internal_error(error: Exception) -> int:
    """Say where an unforeseen error happened, without its message: that may hold personal text."""
    if os.environ.get("ONDEVICE_DEBUG"):
        traceback.print_exception(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    click.echo(
        f"Error: an unforeseen {type(error).__name__} in {os.path.basename(frame.filename)}, "  # noqa: PTH119
        f"line {frame.lineno}; nothing acknowledged was lost. Set ONDEVICE_DEBUG=1 to see more.",
        err=True,
    )
    return 1
