"""Neutral instructions with answers: what the base expects in them is to stay, whatever is learned.

Written for this project and given to the public domain (CC0), in
`data/replay.jsonl`. They say nothing about anybody.
"""

from __future__ import annotations

import functools
import json
from importlib import resources

from ondevice.learning.examples.example import Example, answered
from ondevice.models.messages import Message


@functools.cache
def neutral() -> tuple[Example, ...]:
    """Return all neutral examples in the order of their hashes."""
    text = (resources.files("ondevice.learning.examples") / "data" / "replay.jsonl").read_text(
        "utf-8"
    )
    rows = [json.loads(line) for line in text.splitlines()]
    found = [
        answered("replay", (Message("user", row["instruction"]),), row["answer"], ())
        for row in rows
    ]
    return tuple(sorted(found, key=lambda example: example.key))
