"""Which embedder a setting names, and which stands in for one that cannot be had."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ondevice.ground.files import expanded
from ondevice.home import Home
from ondevice.memory.embedders import e5_files
from ondevice.memory.embedders.e5 import E5
from ondevice.memory.embedders.folder import FolderEmbedder
from ondevice.memory.embedders.minilm import MiniLM
from ondevice.memory.embedders.protocol import Embedder
from ondevice.models.notes import note, read_notes
from ondevice.remedies import Notice, Remedy

MULTILINGUAL, ENGLISH = "multilingual", "minilm"
_TOLD = "told.json"  # in the cache folder: what was said once and need not be said again
_STAND_IN = "embedder stands in"


def open_embedder(
    name: str, home: Home, *, threads: int = 0, warn: Callable[[str], None] | None = None
) -> Embedder:
    """Return the embedder that the setting `recall.embedder` names; nothing is loaded yet.

    Args:
        name: "multilingual", "minilm", or the path of a folder.
        home: where the files of embedders are.
        threads: batches embedded at once; 0 takes one per physical core.
        warn: told once, ever, that the English embedder stands in for the multilingual one.

    Raises:
        RecallError: there is no such embedder, or its folder cannot be used.
    """
    if name == ENGLISH:
        return MiniLM(threads=threads)
    if name != MULTILINGUAL:
        return FolderEmbedder(expanded(Path(name)).absolute(), home, threads=threads)
    missing = stand_in_notice(name, home)
    if missing is None:
        return E5(home, threads=threads)
    cache = home.cache / _TOLD
    if warn is not None and _STAND_IN not in read_notes(cache):
        warn(missing)
        note(cache, _STAND_IN, ENGLISH, outdated=lambda key: False)
    return MiniLM(threads=threads)


def stand_in_notice(name: str, home: Home) -> Notice | None:
    """Return the sentence that says that another embedder than `name` is used, if one is."""
    if name != MULTILINGUAL or e5_files.are_there(home):
        return None
    return Notice(
        "The multilingual embedder is not on this machine, so the English one finds memories.",
        Remedy.PULL_EMBEDDER(name=e5_files.WEIGHTS_NAME),
    )
