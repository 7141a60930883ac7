"""`ondevice adapter`: the low-rank adapters of a profile."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ondevice.cli._output import confirm, day, json_option, print_json, print_table, talk
from ondevice.cli._session import open_profile, parse_adapter, profile_option

if TYPE_CHECKING:
    from ondevice.profile.records import AdapterRow
    from ondevice.profile.store import Profile

model_option = click.option("-m", "--model", metavar="NAME|FILE", help="The base model.")


@click.group("adapter")
def command() -> None:
    """Manage the adapters of a profile."""


@command.command("list")
@profile_option
@json_option
def list_(profile: str | None, as_json: bool) -> None:
    """List the adapters and their states."""
    from ondevice.adapters.registry import AdapterRegistry

    with open_profile(profile) as store:
        rows = [*_reader_row(store), *AdapterRegistry(store).list()]
        if as_json:
            print_json([dataclasses.asdict(row) for row in rows])
            return
        print_table(
            ["name", "state", "scale", "rank", "base", "records", "added"],
            [
                (
                    row.name,
                    row.state,
                    f"{row.scale:g}",
                    row.rank,
                    row.base_sha256[:12],
                    len(row.records),
                    day(row.created) if row.created else "built in",
                )
                for row in rows
            ],
            "There is no adapter yet; add one with: ondevice adapter add FILE",
        )


def _reader_row(store: Profile) -> list[AdapterRow]:
    """Return a row for the reader of the base model in use, if there is one."""
    from ondevice.adapters.gguf_lora import read_adapter
    from ondevice.adapters.reader import READER, builtin_reader
    from ondevice.base.models import resolve
    from ondevice.errors import BaseModelError
    from ondevice.home import Home
    from ondevice.profile.records import AdapterRow
    from ondevice.settings import Settings

    home = Home.default()
    try:
        name = Settings.load(home.config / "config.toml").model.name
        reader = builtin_reader(resolve(name, home))
    except BaseModelError:  # the adapters of a profile can be listed without a model
        return []
    if reader is None:
        return []
    adapter, scale = read_adapter(reader.read(), None), store.reader_scale()
    return [
        AdapterRow(
            id=READER,
            name=READER,
            file_sha256=reader.sha256,
            base_sha256=reader.base_sha256,
            rank=adapter.rank,
            alpha=adapter.alpha,
            scale=scale,
            state="active" if scale else "off",
            records=(),
            created=0.0,
            scope=None,
            provenance=dict(adapter.provenance),
        )
    ]


@command.command("add")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="[default: the file's name]")
@click.option("--use", "use_it", is_flag=True, help="Use it from now on.")
@click.option("--context", "scope", metavar="NAME", help="Use it only in this context.")
@profile_option
@model_option
def add(
    file: Path,
    name: str | None,
    use_it: bool,
    scope: str | None,
    profile: str | None,
    model: str | None,
) -> None:
    """Add a GGUF LoRA adapter; a checked and encrypted copy is kept."""
    from ondevice.adapters.registry import AdapterRegistry
    from ondevice.base.models import resolve
    from ondevice.home import Home

    base = resolve(model or "default", Home.default())
    with open_profile(profile) as store:
        registry = AdapterRegistry(store)
        row = registry.add(file.expanduser(), base, name=name or file.stem, scope=scope)
        if use_it:
            registry.use(row.name, row.scale)
        talk(
            f"Added '{row.name}' (rank {row.rank}) for {base.name}"
            + (", in use." if use_it else f"; use it with: ondevice adapter use {row.name}")
        )


@command.command("use")
@click.argument("adapter", metavar="NAME[:SCALE]")
@profile_option
def use(adapter: str, profile: str | None) -> None:
    """Use an adapter from now on, in every chat; "reader" is the base model's own."""
    from ondevice.adapters.reader import READER
    from ondevice.adapters.registry import AdapterRegistry

    name, scale = parse_adapter(adapter)
    with open_profile(profile) as store:
        registry = AdapterRegistry(store)
        if scale is None:
            scale = 1.0 if name == READER else registry.get(name).scale
        registry.use(name, scale)
        talk(f"Using '{name}'.")


@command.command("off")
@click.argument("name", required=False)
@profile_option
def off(name: str | None, profile: str | None) -> None:
    """Stop using an adapter, or all of the profile; "reader" only by its name."""
    from ondevice.adapters.registry import AdapterRegistry

    with open_profile(profile) as store:
        AdapterRegistry(store).off(name)
        talk(f"'{name}' is off." if name else "All adapters of the profile are off.")


@command.command("show")
@click.argument("name")
@profile_option
@json_option
def show(name: str, profile: str | None, as_json: bool) -> None:
    """Show an adapter's base, rank, state, provenance and the records it was trained on."""
    from ondevice.adapters.registry import AdapterRegistry

    with open_profile(profile) as store:
        builtin = {row.name: row for row in _reader_row(store)}
        row = builtin[name] if name in builtin else AdapterRegistry(store).get(name)
        values = dataclasses.asdict(row)
        if as_json:
            print_json(values)
            return
        for key, value in values.items():
            shown = (day(value) if value else "built in") if key == "created" else value
            click.echo(f"{key:>12}  {', '.join(shown) if isinstance(shown, tuple) else shown}")


@command.command("verify")
@click.argument("name")
@profile_option
@model_option
def verify(name: str, profile: str | None, model: str | None) -> None:
    """Check an adapter's file, its base, and that the model really changes with it."""
    from ondevice.adapters.registry import AdapterRegistry
    from ondevice.base.models import resolve
    from ondevice.engine.llama import LlamaEngine
    from ondevice.engine.protocol import AdapterUse
    from ondevice.home import Home
    from ondevice.settings import ModelSettings

    home = Home.default()
    base = resolve(model or "default", home)
    with open_profile(profile) as store:
        registry = AdapterRegistry(store)
        registry.verify(name, base)
        row = registry.get(name)
        with LlamaEngine(base, ModelSettings(n_ctx=256), home) as engine:
            use = AdapterUse(
                name, row.file_sha256, lambda: registry.read(name), row.base_sha256, 1.0
            )
            engine.set_adapters([use])  # runs the self-test
        talk(f"'{name}' is whole, made for {base.name}, and active when used.")


@command.command("remove")
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@profile_option
def remove(name: str, yes: bool, profile: str | None) -> None:
    """Delete an adapter for good."""
    from ondevice.adapters.registry import AdapterRegistry

    with open_profile(profile) as store:
        registry = AdapterRegistry(store)
        registry.get(name)
        confirm(f"Delete the adapter '{name}' for good?", yes=yes)
        registry.remove(name)
        talk(f"'{name}' is gone.")
