"""`ondevice model`: base models."""

from __future__ import annotations

import dataclasses

import click

from ondevice.cli._output import json_option, print_json, print_table, size, talk


@click.group("model")
def command() -> None:
    """List and check base models."""


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the catalogue; models on this machine have a path."""
    from ondevice.base.models import list_models
    from ondevice.home import Home

    models = list_models(Home.default())
    if as_json:
        print_json([dataclasses.asdict(model) for model in models])
        return
    print_table(
        ["", "name", "size", "licence", "on this machine"],
        [("*" * m.default, m.name, size(m.size_bytes), m.licence, m.path or "–") for m in models],
        "The catalogue is empty.",
    )


@command.command("path")
@click.argument("model", default="default", metavar="[NAME|FILE]")
def path(model: str) -> None:
    """Print where a model's file is."""
    from ondevice.base.models import resolve
    from ondevice.home import Home

    click.echo(resolve(model, Home.default()).path)


@command.command("check")
@click.argument("model", default="default", metavar="[NAME|FILE]")
@json_option
def check(model: str, as_json: bool) -> None:
    """Check a model's header and hash without loading it."""
    from ondevice.base.models import resolve
    from ondevice.home import Home

    base = resolve(model, Home.default())
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
