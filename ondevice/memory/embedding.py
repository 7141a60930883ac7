"""Which embedder a profile is searched by, and its records are embedded with.

That is the one that the settings name, unless records of the profile were embedded with another one
before: then it is that one until all of them have a vector by the new one too, if it can be opened
still. What is stored meanwhile is embedded with the one that is searched by, so that a search is
never worse than it was; `Reembedding` does the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ondevice.errors import RecallError
from ondevice.memory.embedders.choose import open_embedder
from ondevice.store.vectors import Embedded

if TYPE_CHECKING:
    from ondevice.memory.embedders.protocol import Embedder
    from ondevice.store.profile import Profile
    from ondevice.store.vectors import KnownEmbedder

# Former embedders by SHA-256: one is loaded once, however many profiles are searched by it.
_former: dict[str, Embedder | None] = {}
_opening = threading.Lock()


@dataclass(frozen=True)
class EmbeddingState:
    """How far a profile is with the embedder that the settings name.

    Attributes:
        embedder: its name.
        searched_by: the name of the one that is used now: the same, or the one before it.
        embedded: records with a vector by `embedder`.
        missing: records that are still to get one.
    """

    embedder: str
    searched_by: str
    embedded: int
    missing: int


class Embedding:
    """The embedder of one profile; safe to share between threads."""

    def __init__(self, profile: Profile, wanted: Embedder) -> None:
        """Choose for `profile`; nothing is read or loaded yet.

        Args:
            profile: an open one.
            wanted: the embedder that the settings name.
        """
        self.profile = profile
        self.wanted = wanted
        self._lock = threading.Lock()
        self._generation: int | None = None
        self._current = wanted

    def current(self) -> Embedder:
        """Return the embedder that is searched by and stored with now."""
        with self._lock:
            generation = self.profile.generation()
            if generation != self._generation:
                self._current = self._chosen()
                self._generation = generation
            return self._current

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Return the vectors that are stored of `texts`.

        Raises:
            RecallError: the embedder is missing or damaged.
        """
        return embedded(self.current(), texts)

    def state(self) -> EmbeddingState:
        """Return how many records are embedded, and which embedder is used meanwhile."""
        stamp = self.wanted.sha256
        known = [one.vectors for one in self.profile.vectors.embedders() if one.sha256 == stamp]
        return EmbeddingState(
            embedder=self.wanted.name,
            searched_by=self.current().name,
            embedded=sum(known),
            missing=self.profile.vectors.count_missing(stamp),
        )

    def _chosen(self) -> Embedder:
        for known in self.profile.vectors.embedders():  # the most complete first
            if known.sha256 == self.wanted.sha256:
                break
            if (former := _open_former(known, self.profile)) is not None:
                return former
        return self.wanted


def embedded(embedder: Embedder, texts: Sequence[str]) -> Embedded:
    """Return the vectors that are stored of `texts`, with the stamp of what made them.

    Raises:
        RecallError: the embedder is missing or damaged.
    """
    return Embedded(embedder.sha256, embedder.name, embedder.embed(texts))


def _open_former(known: KnownEmbedder, profile: Profile) -> Embedder | None:
    """Open the embedder that has made vectors of a profile; None if it is not there any more."""
    with _opening:
        if known.sha256 not in _former:
            _former[known.sha256] = _opened(known, profile)
        return _former[known.sha256]


def _opened(known: KnownEmbedder, profile: Profile) -> Embedder | None:
    try:
        found = open_embedder(known.name, profile.home)
        if found.sha256 != known.sha256:
            return None
        found.embed_queries(["."])  # only now is it loaded
    except RecallError:
        return None
    return found
