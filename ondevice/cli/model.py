"""`ondevice model`: base models."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from ondevice.cli.completion.complete import complete_models, complete_pullable
from ondevice.cli.output import (
    confirm,
    console_of_bars,
    is_quiet,
    json_option,
    print_json,
    print_table,
    shows_progress,
    size,
    talk,
)

if TYPE_CHECKING:
    from ondevice.models.http_answers import RemoteFile
    from ondevice.models.pull import Pulled, Request


@click.group("model")
def command() -> None:
    """List, pull, check and remove base models."""


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the catalogue and the pulled models; those on this machine have a path.

    "≈" marks a size that was never measured here. "memory" is about what a chat takes; "fits" says
    whether four fifths of this machine's memory hold that.
    """
    from ondevice.home import Home
    from ondevice.models.base_model import list_models

    models = list_models(Home.default())
    if as_json:
        print_json([dataclasses.asdict(model) for model in models])
        return
    print_table(
        ["", "name", "size", "memory", "fits", "licence", "on this machine"],
        [
            (
                "*" * m.default,
                m.name,
                ("" if m.size_known else "≈ ") + size(m.size_bytes),
                size(m.memory_bytes),
                {True: "yes", False: "no", None: "?"}[m.fits],
                m.licence,
                m.path or "–",
            )
            for m in models
        ],
        "The catalogue is empty.",
    )


@command.command("pull")
@click.argument("model", metavar="NAME|URL", shell_complete=complete_pullable)
@click.option("--revision", metavar="REV", help="Branch, tag or commit. [default: main]")
@click.option("--sha256", metavar="HEX", help="The hash that you expect; another file is refused.")
@json_option
def pull(model: str, revision: str | None, sha256: str | None, as_json: bool) -> None:
    """Download a base model: the only command that ever uses the network.

    NAME is one of `ondevice model list`; URL an https address of a GGUF file, or
    hf:OWNER/REPOSITORY/FILE.gguf. An interrupted download goes on where it stopped. No token and
    nothing about you is sent; HF_ENDPOINT names another hub. What is here already is not asked for
    again, and everything else works without a connection.

    Nobody has checked the catalogue's files in advance: the hash is the one that the server
    announces before it sends the file. It is verified, noted, and checked from then on.
    """
    from ondevice.home import Home
    from ondevice.models.pull import parse_request
    from ondevice.models.pull import pull as pull_model

    request = parse_request(model, revision)
    try:
        with _bar() as progress:
            pulled = pull_model(
                request,
                Home.default(),
                sha256=sha256.lower() if sha256 else None,
                on_remote=lambda remote: _announce(request, remote),
                progress=progress,
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


@command.command("remove")
@click.argument("model", metavar="NAME", shell_complete=complete_models)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def remove(model: str, yes: bool) -> None:
    """Delete a pulled model, or what is left of an unfinished pull.

    Adapters that were trained on it stay, but need the same file again.
    """
    from ondevice.home import Home
    from ondevice.models.pull import removable
    from ondevice.models.pull import remove as remove_model

    home = Home.default()
    n_bytes = sum(path.stat().st_size for path in removable(model, home))
    confirm(f"Delete the model '{model}' ({size(n_bytes)})?", yes=yes)
    remove_model(model, home)
    talk(f"Removed '{model}'; {size(n_bytes)} are free again.")


@command.command("path")
@click.argument("model", default="default", metavar="[NAME|FILE]", shell_complete=complete_models)
def path(model: str) -> None:
    """Print where a model's file is."""
    from ondevice.home import Home
    from ondevice.models.base_model import resolve

    click.echo(resolve(model, Home.default()).path)


@command.command("check")
@click.argument("model", default="default", metavar="[NAME|FILE]", shell_complete=complete_models)
@json_option
def check(model: str, as_json: bool) -> None:
    """Check a model's header and hash, and load it in a process of its own."""
    from ondevice.home import Home
    from ondevice.models.base_model import resolve

    base = resolve(model, Home.default(), again=True)
    header = base.header
    if as_json:
        print_json(
            {
                "name": base.name,
                "path": str(base.path),
                "sha256": base.sha256,
                "architecture": header.architecture,
                "tensors": len(header.tensors),
                "size_bytes": base.path.stat().st_size,
            }
        )
        return
    talk(
        f"{base.path} is a whole GGUF model: {header.architecture}, {len(header.tensors)} tensors, "
        f"{size(base.path.stat().st_size)}."
    )
    click.echo(base.sha256)


def _announce(request: Request, remote: RemoteFile) -> None:
    """Say what will come, before it comes."""
    from ondevice.ground.system_memory import total_memory
    from ondevice.models.base_model import chat_memory

    at = f", commit {remote.commit[:12]}" if remote.commit else ""
    talk(f"{request.name}: {size(remote.size_bytes)} from {request.url}{at}.")
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
            "catalogue": "is the one in the catalogue",
            "server": "is the one that the server announced; nobody else vouches for it",
            "nobody": "was announced by nobody; it is that of what came",
        }[origin.promised_by]
        talk(f"The SHA-256 {trust}. From now on a file with another one is refused.")
        talk(f"Use it, without a connection: ondevice chat --model {pulled.name}")
    click.echo(origin.sha256)


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[int, int], None] | None]:
    """Yield a callback that shows the progress: a bar with the time left, or some lines."""
    if is_quiet():
        yield None
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
        shown = -1

        def tell(here: int, total: int) -> None:
            nonlocal shown
            tenth = 10 * here // total
            if tenth > shown:
                shown = tenth
                talk(f"{10 * tenth} % of {size(total)}")

        yield tell
