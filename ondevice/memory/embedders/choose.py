"""Which embedder a setting names."""

from __future__ import annotations

from ondevice.errors import RecallError
from ondevice.home import Home
from ondevice.memory.embedders.minilm import MiniLM
from ondevice.memory.embedders.protocol import Embedder


def open_embedder(name: str, home: Home, *, threads: int = 0) -> Embedder:
    """Return the embedder that the setting `recall.embedder` names; nothing is loaded yet.

    Args:
        name: "minilm".
        home: where the files of embedders are.
        threads: batches embedded at once; 0 takes one per physical core.

    Raises:
        RecallError: there is no embedder of that name.
    """
    if name == "minilm":
        return MiniLM(threads=threads)
    raise RecallError(f"There is no embedder '{name}'; use minilm.")
