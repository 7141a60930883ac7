"""What a pull puts beside a model's file while it works, and what is left if it was stopped."""

from __future__ import annotations

import shutil
from pathlib import Path


def part_path(target: Path) -> Path:
    """Return where the file grows until it is whole and checked."""
    return _beside(target, "part")


def lock_path(target: Path) -> Path:
    """Return the lock that keeps two pulls of one file apart."""
    return _beside(target, "lock")


def wheels_path(target: Path) -> Path:
    """Return the folder into which the packages come that hold parts of the file."""
    return _beside(target, "wheels")


def _beside(target: Path, what: str) -> Path:
    return target.with_name(f".{target.name}.{what}")


def discard(path: Path) -> None:
    """Delete a file, or a folder with all that it holds; nothing if it is not there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
