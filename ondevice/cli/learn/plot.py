"""`--plot FILE`: checked before the work, written after it."""

from __future__ import annotations

from importlib.util import find_spec
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
        click.UsageError: the name, the folder or Pillow is missing.
    """
    if path.suffix.lower() not in (".svg", ".png"):
        raise click.UsageError("--plot writes SVG or PNG; give a name that ends in .svg or .png.")
    if path.suffix.lower() == ".png" and find_spec("PIL") is None:
        raise click.UsageError(
            "--plot needs Pillow for a PNG: pip install 'ondevice[plot]', or give a name that "
            "ends in .svg."
        )
    if not path.parent.is_dir():
        raise click.UsageError(
            f"There is no folder {path.parent} to write the picture into; create it."
        )


def write_plot(path: Path, picture: Picture) -> None:
    """Write the picture; if that fails, say so: the work itself is done."""
    from ondevice.ground.files import write_atomic

    content = picture.png() if path.suffix.lower() == ".png" else picture.svg().encode()
    try:
        write_atomic(path, content)
    except OSError as error:
        warn(f"The picture {path} cannot be written: {explain(error)}. Everything else is done.")
