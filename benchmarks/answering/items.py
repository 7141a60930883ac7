"""The items on disk, and a part of them that is the same every time."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "memory_items"
Item = dict[str, Any]


def items_of(name: str, split: str) -> list[Item]:
    """Return the items of a file, in its order."""
    lines = (FOLDER / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [item for item in map(json.loads, lines) if item["split"] == split]


def some_of(items: Sequence[Item], n: int | None, seed: str) -> list[Item]:
    """Return `n` of the items, the same every time, in their order; all if None."""
    if n is None or n >= len(items):
        return list(items)
    chosen = sorted(random.Random(f"some {seed}").sample(range(len(items)), n))
    return [items[place] for place in chosen]


def groups_of(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items, so many at a time."""
    for first in range(0, len(items), size):
        yield list(items[first : first + size])
