"""`ondevice model`: base models."""

from __future__ import annotations

import dataclasses

import click

from ondevice.cli.completion.complete import complete_models
from ondevice.cli.model.pulling import pull
from ondevice.cli.model.suggesting import suggest
from ondevice.cli.model.words import purpose
from ondevice.cli.output import confirm, json_option, print_json, print_table, size, talk


@click.group("model")
def command() -> None:
    """List, suggest, pull, check and remove base models."""


command.add_command(suggest)
command.add_command(pull)


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the catalogue and the pulled models; those on this machine have a path.

    "≈" marks a size that is not known exactly. "memory" is about what a chat takes; "fits" says
    whether four fifths of this machine's memory hold that. "for" says whether adapters can be
    trained on it too, or it is for chat and memory only.
    """
    from ondevice.home import Home
    from ondevice.models.base_model import list_models
    from ondevice.training.trainable import is_trainable

    models = [(model, is_trainable(model)) for model in list_models(Home.default())]
    if as_json:
        print_json([{**dataclasses.asdict(m), "trainable": trains} for m, trains in models])
        return
    print_table(
        ["", "name", "size", "memory", "fits", "for", "licence", "on this machine"],
        [
            (
                "*" * m.default,
                m.name,
                ("" if m.size_known else "≈ ") + size(m.size_bytes),
                size(m.memory_bytes),
                {True: "yes", False: "no", None: "?"}[m.fits],
                purpose(trains, m.note),
                m.licence,
                m.path or "–",
            )
            for m, trains in models
        ],
        "The catalogue is empty.",
    )


@command.command("remove")
@click.argument("model", metavar="NAME", shell_complete=complete_models)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def remove(model: str, yes: bool) -> None:
    """Delete a pulled model, or what is left of an unfinished pull.

    Adapters that were trained on it stay, but need the same file again.
    """
    from ondevice.home import Home
    from ondevice.models.removal import removable
    from ondevice.models.removal import remove as remove_model

    home = Home.default()
    found = [inside for path in removable(model, home) for inside in (path, *path.rglob("*"))]
    n_bytes = sum(path.stat().st_size for path in found if path.is_file())
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
