"""What commands print: data on stdout, talk on stderr."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import sys
from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING, Any

import click

from ondevice.cli import QUIET
from ondevice.cli.remedies import WORDS, told
from ondevice.ground.dates import to_the_minute
from ondevice.ground.text import visible
from ondevice.remedies import all_said

if TYPE_CHECKING:
    from rich.console import Console

    from ondevice.chat.reply import Reply
    from ondevice.memory.embedding import EmbeddingState
    from ondevice.store.records import Fact

NARROW = 70  # columns of a terminal below which a wide table is written in another way

json_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON."
)


def print_json(value: object) -> None:
    """Print `value` as indented JSON; dataclasses become objects."""
    click.echo(json_text(value))


def json_text(value: object) -> str:
    """Return what `print_json` prints."""
    value = all_said(value, WORDS)
    text = json.dumps(value, default=_plain, ensure_ascii=False, indent=2)
    # JSON lets these stand, and a terminal may obey them.
    return re.sub(r"[\x7f-\x9f]", lambda control: f"\\u{ord(control[0]):04x}", text)


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return all_said(fields, WORDS)
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    return str(value)


def replaced_line(fact: Fact) -> str:
    """Return which fact is not used any more since a newer one was saved, and the way back."""
    text = " ".join(fact.text.split())
    return f'instead of "{text}"; `ondevice memory restore {fact.id}` brings it back'


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Print a table on stdout, or the sentence `empty` on stderr when there are no rows."""
    if not rows:
        talk(empty)
        return
    if not sys.stdout.isatty():
        for row in rows:  # one line a row, so that grep, cut and awk work
            click.echo("\t".join(_one_line(cell) for cell in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if console.width < min(NARROW, _room_for(headings, rows)):
        for row in rows:  # columns of a few letters each could not be read
            *first, last = [_one_line(cell) for cell in row]
            say("  ".join(filter(None, first)))
            say(f"    {last}")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(_one_line(cell))) for cell in row))
    console.print(table)


def _room_for(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> int:
    """Return how wide a table is in which no cell is broken but those of the last column."""
    columns = list(zip(headings, *rows, strict=True))
    return sum(max(len(_one_line(cell)) for cell in column) + 2 for column in columns[:-1]) + 12


def _one_line(cell: object) -> str:
    return "" if cell is None else " ".join(str(cell).split())


def talk(text: str, *, dim: bool = False) -> None:
    """Print a sentence for the person on stderr, unless `--quiet` was given."""
    if not is_quiet():
        click.secho(visible(told(text)), file=_above_bars(), err=True, dim=dim)


def warn(text: str) -> None:
    """Print a sentence on stderr that nobody should miss, `--quiet` or not."""
    click.secho(visible(told(text)), file=_above_bars(), err=True)


def say(text: str, *, end: str = "\n") -> None:
    """Print text on stdout, as it is, but for what a terminal would obey."""
    click.echo((visible(text) if sys.stdout.isatty() else text) + end, nl=False)


def _above_bars() -> IO[str] | None:
    """Return what prints above the bars while they are drawn; None if they are not.

    click would look through it and write to the terminal, where the next drawing of the bars
    takes the line away, and leaves some of their own behind.
    """
    return sys.stderr if hasattr(sys.stderr, "rich_proxied_file") else None


def console_of_bars() -> Console:
    """Return the console that bars are drawn on.

    It leaves room at the right for the "^C" that a terminal shows: in a new line it would move
    the bars.
    """
    from rich.console import Console, ConsoleOptions

    class Narrow(Console):
        @property
        def options(self) -> ConsoleOptions:
            return super().options.update(width=max(self.width - 2, 1))

    return Narrow(stderr=True, highlight=False)


def is_quiet() -> bool:
    """Whether `--quiet` was given to the command that runs."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(QUIET))


def shows_progress() -> bool:
    """Whether somebody looks at stderr and wants to see bars."""
    return sys.stderr.isatty() and not is_quiet()


def stream(reply: Reply) -> bool:
    """Print an answer as it comes; Ctrl-C stops it. Returns whether it was heard to its end."""
    pieces: Any = iter(reply)  # a generator: closed in time, it keeps what was said so far
    try:
        with contextlib.closing(pieces):
            for piece in pieces:
                say(piece, end="")
                sys.stdout.flush()
    except KeyboardInterrupt:
        return False
    finally:
        click.echo()
    return True


def size(n_bytes: float) -> str:
    """Return a size in the unit people read: `98.4 MB`."""
    for unit in ("B", "kB", "MB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.2f} GB"


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: `1 passage`, `2 passages`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def embedding_line(state: EmbeddingState) -> str:
    """Return which embedder is used and how far it has come, as the end of a sentence."""
    total = counted(state.embedded + state.missing, "memory", "memories")
    if not state.missing:
        return f"{state.embedder}; {total} embedded, none to do"
    to_do = f"{state.embedder}; {state.missing} of {total} still to be embedded"
    if state.searched_by == state.embedder:
        return f"{to_do}, found by their words alone until then; see: ondevice memory reindex"
    return f"{to_do}, {state.searched_by} searches until then; see: ondevice memory reindex"


def clock(seconds: float) -> str:
    """Return a duration as people read it: `2:05`."""
    minutes, left = divmod(round(seconds), 60)
    return f"{minutes}:{left:02d}"


def day(seconds: float | None) -> str:
    """Return a Unix time as a local date and time, to the minute."""
    return "" if seconds is None else to_the_minute(seconds)


def confirm(question: str, *, yes: bool, option: str = "--yes") -> None:
    """Ask before something that cannot be undone; without a terminal `option` is needed.

    Raises:
        click.UsageError: there is nobody to ask.
        click.Abort: the answer was no.
    """
    if yes:
        return
    if is_quiet():
        raise click.UsageError(f"With --quiet nobody is asked; add {option} to go ahead.")
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Nobody is there to answer; add {option} to go ahead.")
    click.confirm(question, abort=True, err=True)
