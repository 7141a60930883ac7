"""Paths that a person gives."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from ondevice.ground.files import expanded


class UserPath(click.Path):
    """A path in which `~` stands for the home folder, also where the shell has left it alone."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path; an empty one, such as of a variable that is not set, is refused."""
        if value == "":
            self.fail("An empty path names nothing; give one.", param, ctx)
        return expanded(Path(os.fsdecode(super().convert(value, param, ctx))))
