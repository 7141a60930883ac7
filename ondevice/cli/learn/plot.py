"""`--plot FILE`: checked before the work, written after it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ondevice.cli.output import warn
from ondevice.errors import explain

if TYPE_CHECKING:
    from ondevice.ground.svg import Picture


def check_plot(path: Path) -> None:
    """Refuse a picture that could not be written, before any work is done.

    Raises:
        click.UsageError: it is no SVG by its name, or there is no such folder.
    """
    if path.suffix.lower() != ".svg":
        raise click.UsageError("--plot writes SVG; give a name that ends in .svg.")
    if not path.parent.is_dir():
        raise click.UsageError(
            f"There is no folder {path.parent} to write the picture into; create it."
        )


def write_plot(path: Path, picture: Picture) -> None:
    """Write the picture; if that fails, say so: the work itself is done."""
    from ondevice.ground.files import write_atomic

    try:
        write_atomic(path, picture.svg().encode())
    except OSError as error:
        warn(f"The picture {path} cannot be written: {explain(error)}. Everything else is done.")
