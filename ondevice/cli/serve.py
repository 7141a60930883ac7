"""`ondevice serve`: the OpenAI-compatible API and the web page, on this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ondevice.cli.chat.session import model_options, open_assistant
from ondevice.cli.output import talk, warn
from ondevice.cli.paths import UserPath

if TYPE_CHECKING:
    from ondevice.chat import Assistant

DEFAULT_PORT = 8484


@click.command("serve")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="0 takes a free one.",
)
@click.option(
    "--token-file",
    type=UserPath(dir_okay=False),
    help="Where the token is that clients must send; made if missing. [default: server-token in "
    "the config folder]",
)
@click.option("--no-token", is_flag=True, help="Let every program of this machine in.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--allow-network", is_flag=True, help="Needed for an address that other machines reach."
)
@click.option(
    "--allow-host",
    "names",
    metavar="NAME",
    multiple=True,
    help="Another name under which clients reach this server, or a proxy before it; repeatable.",
)
@click.option(
    "--allow-origin",
    "origins",
    metavar="ORIGIN",
    multiple=True,
    help="Let scripts of this web origin in, with the token; repeatable.",
)
@model_options
def command(
    port: int,
    token_file: Path | None,
    no_token: bool,
    host: str,
    allow_network: bool,
    names: tuple[str, ...],
    origins: tuple[str, ...],
    **options: Any,
) -> None:
    """Serve the OpenAI-compatible API and the web page on this machine.

    The address is printed on standard output when the server is ready. Programs send
    the token of the token file; a browser gets in by the link on standard error, once.
    """
    loopback = _is_loopback(host, allow_network)
    if no_token and (not loopback or token_file is not None):
        raise click.UsageError("--no-token is for loopback only, and without --token-file.")
    for origin in origins:
        if not origin.startswith(("http://", "https://")) or origin.count("/") != 2:
            raise click.UsageError(f"'{origin}' is not an origin such as http://localhost:3000.")
    try:
        from ondevice.server.access import load_token
        from ondevice.server.app import create_app
        from ondevice.server.limits import Limits
        from ondevice.server.run import listen, serve, server_for
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("starlette", "uvicorn", "pydantic", "anyio"):
            raise
        raise click.ClickException(
            f"The server needs {error.name}; install it: pip install 'ondevice[serve]'."
        ) from error
    from ondevice.home import Home

    path = token_file or Home.default().config / "server-token"
    token = None if no_token else load_token(path)
    hosts, shown = _addresses(host, loopback, names)
    limits = Limits()
    notices: list[str] = []

    def stand_in(sentence: str) -> None:  # the page has to come up, or nothing could be changed
        warn(sentence)
        notices.append(sentence)

    with (
        contextlib.closing(listen(host, port)) as listener,
        open_assistant(options, stand_in) as me,
    ):
        me.memory.reembedding.start()
        bound = listener.getsockname()[1]
        app = create_app(
            me,
            token=token,
            port=bound,
            hosts=hosts,
            names=names,
            origins=origins,
            limits=limits,
            open_profile=_opener(options),
            notices=notices,
        )
        address = f"http://{shown}:{bound}"

        def ready() -> None:
            click.echo(address)
            if token is None:
                talk("Every program of this machine may come in: there is no token.")
            else:
                key = app.state.ondevice.access.new_link_key()
                talk(f"Open it in a browser, once, within ten minutes: {address}/enter?key={key}")
                talk(f"Programs use {address}/v1 with the token in {path}.")

        serve(server_for(app, limits, ready), listener)


def _is_loopback(host: str, allow_network: bool) -> bool:
    """Whether only this machine reaches `host`.

    Raises:
        click.UsageError: others do, and that was not allowed.
    """
    from ondevice.ground.address import is_loopback_host

    loopback = is_loopback_host(host)
    if not loopback and not allow_network:
        raise click.UsageError(
            f"{host or 'An empty address'} can be reached by other machines, without encryption; "
            "add --allow-network if you mean it."
        )
    return loopback


def _addresses(host: str, loopback: bool, names: Sequence[str]) -> tuple[Sequence[str], str]:
    """Return what the server is called by itself, without port, and the address to tell people.

    Args:
        host: that it listens on.
        loopback: whether only this machine reaches it.
        names: other ones that were allowed.
    """
    from ondevice.ground.address import LOOPBACK

    if host in ("0.0.0.0", "::"):  # every address of this machine, and the name of none
        return LOOPBACK, (*names, *LOOPBACK)[0]
    own = _bracketed(host)
    return tuple(dict.fromkeys((*(LOOPBACK if loopback else ()), own))), own


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _opener(options: dict[str, Any]) -> Callable[[str, Assistant], Assistant]:
    """Return what opens an assistant for another profile, under the options of the command."""

    def open_profile(name: str, served: Assistant) -> Assistant:
        from ondevice.chat import Assistant
        from ondevice.home import Home
        from ondevice.memory.service import Memory
        from ondevice.store.profile import Profile

        profile = Profile.open(
            Home.default(), name, create=False, retention=served.settings.retention, warn=talk
        )
        memory = Memory(profile, served.memory.embedder, served.settings, scope=options["scope"])
        memory.reembedding.start()
        return Assistant(
            served.engine,
            memory,
            served.settings,
            temporary=options["temporary"],
            system=options["system"],
            reader=not options["no_reader"],
        )

    return open_profile
