"""Paths that a person gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ondevice._files import expanded


class UserPath(click.Path):
    """A path in which `~` stands for the home folder, also where the shell has left it alone."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path."""
        return expanded(Path(super().convert(value, param, ctx)))  # type: ignore[arg-type]
