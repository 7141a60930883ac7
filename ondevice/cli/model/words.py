"""What listings of models say of each."""

from __future__ import annotations


def purpose(trainable: bool, note: str) -> str:
    """Return what a model can be used for, and what should be known of it."""
    uses = "training too" if trainable else "chat and memory only"
    return f"{uses}; {note}" if note else uses
