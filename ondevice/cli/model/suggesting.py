"""`ondevice model suggest`: which models suit this machine."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from ondevice.cli.model.words import purpose
from ondevice.cli.output import counted, json_option, print_json, print_table, size, talk

if TYPE_CHECKING:
    from ondevice.home import Home
    from ondevice.models.base_model import ListedModel
    from ondevice.models.suggestion import Machine, Suggestion


@click.command("suggest")
@json_option
def suggest(as_json: bool) -> None:
    """Say which models of the catalogue suit this machine; nothing is downloaded.

    A model that is here answers for some seconds, and the speed of the others is estimated from
    that and from their size. "*" marks the recommended one: the largest that fits into memory and
    onto the disk, can be trained, and answers about as fast as one reads.
    """
    from ondevice.cli.output import shows_progress
    from ondevice.ground import processor
    from ondevice.home import Home
    from ondevice.models.base_model import list_models
    from ondevice.models.catalogue import CATALOGUE
    from ondevice.models.suggestion import look_at_machine
    from ondevice.models.suggestion import suggest as suggest_models
    from ondevice.training.trainable import is_trainable

    home = Home.default()
    listed = [model for model in list_models(home) if model.name in CATALOGUE]
    if shows_progress() and not as_json:
        talk("Measuring …", dim=True)
    measured = _measure(listed, home)
    machine = look_at_machine(
        home.models, processor.name(), processor.physical_cores(), measured and measured[1]
    )
    suggestions = suggest_models(listed, machine, is_trainable)
    if as_json:
        print_json({**dataclasses.asdict(machine), "models": suggestions})
        return
    _print(machine, suggestions, measured[0] if measured else None)


def _measure(listed: list[ListedModel], home: Home) -> tuple[str, float] | None:
    """Return the model that was measured and the bytes of weights a second, if one is here.

    The default model if that is here: its speed is known best.
    """
    from ondevice.engine.speed import decoding_speed
    from ondevice.models.base_model import resolve
    from ondevice.models.suggestion import weights_read

    here = sorted((m for m in listed if m.path is not None), key=lambda m: not m.default)
    if not here:
        return None
    base = resolve(here[0].name, home)
    return base.name, decoding_speed(base, home) * weights_read(base.header)


def _print(machine: Machine, suggestions: list[Suggestion], measured: str | None) -> None:
    memory = f", {size(machine.memory_bytes)} of memory" if machine.memory_bytes else ""
    talk(
        f"{machine.processor or 'Unknown processor'}, {counted(machine.cores, 'core')}{memory}, "
        f"{size(machine.free_bytes)} free on the disk."
    )
    if measured is None:
        talk("No model is here to measure with, so no speed can be told.")
    else:
        talk(f"Speeds are estimates, from that of {measured} here and the size of each.")
    print_table(
        ["", "name", "tokens/s", "size", "memory", "fits", "for", "licence"],
        [
            (
                "*" * one.recommended,
                one.name,
                "?" if one.tokens_per_second is None else f"≈ {one.tokens_per_second:.0f}",
                size(one.size_bytes),
                size(one.memory_bytes),
                _fits(one),
                purpose(one.trainable, one.note),
                one.licence,
            )
            for one in suggestions
        ],
        "The catalogue is empty.",
    )
    best = next((one for one in suggestions if one.recommended), None)
    if best is not None and best.here:
        talk(f"Recommended, and here already: ondevice chat --model {best.name}")
    elif best is not None:
        talk(f"Recommended: ondevice model pull {best.name}")


def _fits(one: Suggestion) -> str:
    """Say whether a model fits into memory and onto the disk."""
    if not one.fits_disk:
        return "not on the disk"
    return {True: "yes", False: "not in memory", None: "?"}[one.fits_memory]
