"""Facts as a person states them, for tests of what is found and shown."""

from __future__ import annotations

from typing import Any

from ondevice.memory.facts import candidate_for
from ondevice.memory.search import Recall
from ondevice.store.records import Fact


def add_text(recall: Recall, text: str, **options: Any) -> Fact:
    """Store a statement of the person as a fact; see `Recall.add_fact` for the options."""
    return recall.add_fact(candidate_for(text), **options)
