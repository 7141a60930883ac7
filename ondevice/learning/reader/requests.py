"""Requests that need no memory, and texts that try to give orders; in two halves."""

from __future__ import annotations

from ondevice.learning.reader.tables import read_table
from ondevice.learning.reader.words import SPLITS, Split


def _pool(name: str) -> dict[Split, tuple[str, ...]]:
    return {split: _FILE.table(split).texts(name) for split in SPLITS}


_FILE = read_table("requests")

NEUTRAL = _pool("neutral")
ORDERS = _pool("orders")  # `{w}` is what shows that they were followed
ORDER_WORDS = _pool("order_words")
PASSAGES = _pool("passages")  # notes of no use to any question here, as people keep them

UNKNOWN = "You have not told me that yet."
