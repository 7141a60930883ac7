"""`ondevice memory reindex`: embed what is remembered with the embedder that was chosen."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import click

from ondevice.cli.chat.session import open_memory, profile_option
from ondevice.cli.output import (
    console_of_bars,
    counted,
    embedding_line,
    json_option,
    print_json,
    shows_progress,
    talk,
)


@click.command("reindex")
@profile_option
@json_option
def reindex_command(profile: str | None, as_json: bool) -> None:
    """Embed what was embedded with another embedder, now and not in the background.

    After `ondevice config set recall.embedder NAME` everything that is remembered is embedded
    anew while you chat; until that is done, searches use the embedder before. This
    command does it at once. Ctrl-C stops it; the same command, or the next chat, goes on.
    """
    with open_memory(profile) as memory:
        try:
            with _bar() as progress:
                done = memory.reembedding.run(progress)
        except KeyboardInterrupt:
            talk(f"Stopped: {embedding_line(memory.recall.embedding.state())}.")
            talk("What is done is kept; the same command goes on from there.")
            raise
        state = memory.recall.embedding.state()
        if as_json:
            print_json({"embedded_now": done, **vars(state)})
        else:
            talk(f"Embedded now: {counted(done, 'memory', 'memories')}.")
            talk(f"The embedder is {embedding_line(state)}.")


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[int, int], None] | None]:
    """Yield what moves a progress bar on stderr; None where nobody would see it."""
    if not shows_progress():
        yield None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console_of_bars(), transient=True) as bar:
        task = bar.add_task("Embedding", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
