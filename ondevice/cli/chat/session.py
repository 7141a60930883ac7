"""Options that commands share, and how they open a profile or an assistant."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ondevice.cli.completion.complete import complete_adapters, complete_models, complete_profiles
from ondevice.cli.output import warn
from ondevice.settings import GenerationSettings, ModelSettings, Settings, settings_path

if TYPE_CHECKING:
    from ondevice.chat import Assistant
    from ondevice.memory.service import Memory
    from ondevice.store.profile import Profile

Command = Callable[..., Any]

GENERATION = GenerationSettings()

profile_option = click.option(
    "-p",
    "--profile",
    metavar="NAME",
    shell_complete=complete_profiles,
    help="The profile [default: the one in use].",
)
scope_option = click.option(
    "--context",
    "scope",
    metavar="NAME",
    help="Use only memories and adapters of this context, and those of none.",
)


keep_scope_option = click.option(
    "--context",
    "scope",
    metavar="NAME",
    help="Keep it in this context, apart from others; without one it is for all.",
)
continue_option = click.option(
    "-c", "--continue", "continue_last", is_flag=True, help="Go on with the last chat."
)


def model_options(command: Command) -> Command:
    """Add the options of every command that generates text."""
    for option in reversed(
        [
            profile_option,
            click.option(
                "-m",
                "--model",
                metavar="NAME|FILE",
                shell_complete=complete_models,
                help="The base model.",
            ),
            click.option("--system", metavar="TEXT", help="A system prompt of your own."),
            scope_option,
            click.option("--temporary", is_flag=True, help="Read and write no memory."),
            click.option(
                "--adapter",
                "adapters",
                shell_complete=complete_adapters,
                metavar="NAME[:SCALE]",
                multiple=True,
                help="Use this adapter instead of the active ones; repeatable.",
            ),
            click.option("--no-adapter", is_flag=True, help="Use no adapter."),
            click.option(
                "--no-reader",
                is_flag=True,
                help="Leave out the reader, which makes the model use its notes.",
            ),
            click.option(
                "--temperature",
                type=click.FloatRange(0, 5),
                default=None,
                help=f"0 always takes the likeliest word. [default: {GENERATION.temperature}]",
            ),
            click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Repeatable answers."),
            click.option(
                "--max-tokens",
                type=click.IntRange(1),
                default=None,
                help=f"Longest answer, in tokens. [default: {GENERATION.max_tokens}]",
            ),
            click.option(
                "--gpu-layers",
                type=click.IntRange(-1),
                default=None,
                help=f"Layers on the GPU, -1 for all. [default: {ModelSettings().n_gpu_layers}]",
            ),
        ]
    ):
        command = option(command)
    return command


def parse_adapters(
    adapters: tuple[str, ...], no_adapter: bool
) -> list[tuple[str, float | None]] | None:
    """Turn `NAME[:SCALE]` options into pairs; None means the active adapters.

    Raises:
        click.UsageError: both kinds of options, or a scale that is no number.
    """
    if no_adapter and adapters:
        raise click.UsageError("--adapter and --no-adapter exclude each other.")
    if no_adapter:
        return []
    return [parse_adapter(adapter) for adapter in adapters] or None


def parse_adapter(text: str) -> tuple[str, float | None]:
    """Turn `NAME[:SCALE]` into a pair.

    Raises:
        click.UsageError: the scale is not a finite number.
    """
    name, colon, scale = text.rpartition(":")
    if not colon:
        return text, None
    try:
        value = float(scale)
    except ValueError:
        value = float("nan")
    if not name or not abs(value) < float("inf"):
        raise click.UsageError(f"'{text}' is not NAME or NAME:SCALE with a number as the scale.")
    return name, value


def open_assistant(
    options: dict[str, Any], stand_in: Callable[[str], None] | None = None
) -> Assistant:
    """Open an assistant from the values of `model_options`; see `Assistant.open` for `stand_in`."""
    import dataclasses

    if options["temporary"] and options.get("continue_last"):
        raise click.UsageError("--temporary reads no earlier chat; leave out --continue.")
    from ondevice.chat import Assistant
    from ondevice.cli.secret import asker
    from ondevice.home import Home

    settings = load_settings()
    generation = {
        name: options[name]
        for name in ("temperature", "seed", "max_tokens")
        if options[name] is not None
    }
    model = {"n_gpu_layers": options["gpu_layers"]} if options.get("gpu_layers") is not None else {}
    if options.get("threads"):  # 0: what the settings say
        model["n_threads"] = options["threads"]
    settings = dataclasses.replace(
        settings,
        generation=dataclasses.replace(settings.generation, **generation),
        model=dataclasses.replace(settings.model, **model),
    )
    with asker() as ask:
        return Assistant.open(
            profile=options["profile"],
            model=options["model"],
            home=Home.default(),
            settings=settings,
            adapters=parse_adapters(options["adapters"], options["no_adapter"]),
            temporary=options["temporary"],
            scope=options["scope"],
            system=options["system"],
            reader=not options["no_reader"],
            ask_passphrase=ask,
            warn=warn,
            stand_in=stand_in,
        )


def open_profile(name: str | None) -> Profile:
    """Open the profile called `name`, or the one in use, which is made at its first use."""
    from ondevice.cli.secret import asker
    from ondevice.home import Home
    from ondevice.store.profile import Profile

    home = Home.default()
    with asker() as ask:
        return Profile.open(
            home,
            name,
            ask_passphrase=ask,
            create=name is None,
            retention=load_settings().retention,
            warn=warn,
        )


def open_memory(name: str | None, scope: str | None = None) -> Memory:
    """Open the memory of the profile called `name`, or of the one in use."""
    from ondevice.home import Home
    from ondevice.memory.embedders.choose import open_embedder
    from ondevice.memory.service import Memory

    settings = load_settings()
    embedder = open_embedder(settings.recall.embedder, Home.default(), warn=warn)
    return Memory(open_profile(name), embedder, settings, scope=scope)


_SETTINGS = "ondevice.settings"  # key of click's `Context.meta`, which nested commands share


def load_settings() -> Settings:
    """Return the settings; what is wrong with their file is said once a command."""
    from ondevice.home import Home

    known = click.get_current_context().meta
    if _SETTINGS not in known:
        known[_SETTINGS] = Settings.load(settings_path(Home.default()), warn)
    settings: Settings = known[_SETTINGS]
    return settings
