"""Embedding what a profile holds with another embedder, and letting go of the vectors before it.

Each batch is a transaction of its own: what is done stays done, whatever happens. Two processes
that do it at once do the same work twice, and no harm.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ondevice.errors import ProfileError, RecallError
from ondevice.memory.embedding import embedded

if TYPE_CHECKING:
    from ondevice.memory.embedding import Embedding

BATCH = 64  # records; a fraction of a second
REST = 1.0  # in the background: so many times as long as a batch has taken


class Reembedding:
    """Gives every record a vector by the embedder that the settings name."""

    def __init__(self, embedding: Embedding) -> None:
        """Work on the profile of `embedding`; nothing is done yet."""
        self._profile = embedding.profile
        self._embedder = embedding.wanted
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def run(self, progress: Callable[[int, int], None] | None = None, *, rest: float = 0.0) -> int:
        """Embed what has no vector yet; then delete the vectors by other embedders.

        Args:
            progress: called with (records done, all that were to be done) after each batch.
            rest: how long to leave the machine to others, as a multiple of what a batch took.

        Returns:
            How many records were embedded.

        Raises:
            RecallError: the embedder is missing or damaged; what is done is kept.
        """
        vectors, done = self._profile.vectors, 0
        while True:
            to_do = vectors.count_missing(self._embedder.sha256)
            if not to_do and vectors.keep_only(self._embedder.sha256):
                return done
            # Again, if somebody has stored or reworded something meanwhile.
            total, last = done + to_do, 0
            while batch := vectors.missing(self._embedder.sha256, BATCH, after=last):
                began = time.monotonic()
                texts = [(record_id, text) for _, record_id, text in batch]
                vectors.fill(texts, embedded(self._embedder, [text for _, text in texts]))
                last, done = batch[-1][0], done + len(batch)
                if progress is not None:
                    progress(min(done, total), total)
                if self._stop.wait(rest * (time.monotonic() - began)):
                    return done

    # --- in the background --------------------------------------------------------

    def start(self) -> None:
        """Do it in a thread of its own, which leaves half of the time to others."""
        self._thread = threading.Thread(target=self._work, name="reembedding", daemon=True)
        self._thread.start()

    @property
    def is_started(self) -> bool:
        """Whether it was ever started in the background."""
        return self._thread is not None

    def stop(self) -> None:
        """Let the thread end after its batch, and wait for it; safe to call twice."""
        self._stop.set()
        self.join()

    def join(self) -> None:
        """Wait until the thread has ended, if there is one."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _work(self) -> None:
        try:
            self.run(rest=REST)
        except (ProfileError, RecallError):
            # Locked or closed meanwhile, or no such embedder any more: searches say so, and the
            # next start goes on.
            return
