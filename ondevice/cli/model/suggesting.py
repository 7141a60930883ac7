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
    that and from their size. "memory" is about what a chat takes; "fits" says whether four fifths
    of this machine's memory hold that, and the disk the file. "*" marks the recommended one: the
    largest that fits, can be trained, and answers about as fast as one reads.
    """
    from ondevice.cli.output import shows_progress
    from ondevice.ground import processor
    from ondevice.home import Home
    from ondevice.models.base_model import list_models
    from ondevice.models.catalogue import CATALOGUE
    from ondevice.models.suggestion import is_busy, look_at_machine
    from ondevice.models.suggestion import suggest as suggest_models
    from ondevice.training.trainable import is_trainable

    home = Home.default()
    listed = [model for model in list_models(home) if model.name in CATALOGUE]
    if shows_progress() and not as_json:
        talk("Measuring …", dim=True)
    cores = processor.physical_cores()
    busy = is_busy(cores)
    measured, pace = _measure(listed, home)
    machine = look_at_machine(home.models, processor.name(), cores, pace, busy=busy)
    suggestions = suggest_models(listed, machine, is_trainable)
    if as_json:
        print_json({**dataclasses.asdict(machine), "models": suggestions})
        return
    _print(machine, suggestions, measured)


def _measure(listed: list[ListedModel], home: Home) -> tuple[str, float | None]:
    """Return the model that was measured, "" if none is here, and the pace that this tells."""
    from ondevice.engine.speed import decoding_speed
    from ondevice.models.base_model import resolve
    from ondevice.models.suggestion import bytes_per_second, to_measure

    model = to_measure(listed)
    if model is None:
        return "", None
    speed = decoding_speed(resolve(model.name, home), home)
    return model.name, bytes_per_second(model.size_bytes, speed)


def _print(machine: Machine, suggestions: list[Suggestion], measured: str) -> None:
    memory = f", {size(machine.memory_bytes)} of memory" if machine.memory_bytes else ""
    talk(
        f"{machine.processor or 'Unknown processor'}, {counted(machine.cores, 'core')}{memory}, "
        f"{size(machine.free_bytes)} free on the disk."
    )
    if not measured:
        talk("No model is here to measure with, so no speed can be told.")
    else:
        talk(f"Speeds are estimates, from that of {measured} here and the size of each.")
        if machine.busy:
            talk("Other programs keep this machine busy: measure again when they have ended.")
    print_table(
        ["", "name", "tokens/s", "size", "memory", "fits", "for"],
        [
            (
                "*" * one.recommended,
                one.name,
                _speed(one.tokens_per_second),
                size(one.size_bytes),
                size(one.memory_bytes),
                _fits(one),
                purpose(one.trainable, one.note),
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


def _speed(tokens_per_second: float | None) -> str:
    if tokens_per_second is None:
        return "?"
    return f"≈ {tokens_per_second:.{0 if tokens_per_second >= 10 else 1}f}"


def _fits(one: Suggestion) -> str:
    """Say whether a model fits into memory and onto the disk."""
    if not one.fits_disk:
        return "no: disk"
    return {True: "yes", False: "no", None: "?"}[one.fits_memory]
