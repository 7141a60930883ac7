"""Tokens' bytes to text that can be shown: whole characters, nothing of a stop text."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class TextStream:
    """Collects bytes and hands out text as soon as it is certain."""

    def __init__(self, stop: Sequence[str] = ()) -> None:
        """Watch for the texts in `stop`."""
        self._stop = [text for text in stop if text]
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""  # decoded, but may yet become a stop text
        self.stopped = False

    def add(self, content: bytes) -> str:
        """Take more bytes; return the text that is certain now, possibly none."""
        return self._release(self._decoder.decode(content))

    def finish(self) -> str:
        """Return what is left; an incomplete character becomes U+FFFD."""
        text = self._release(self._decoder.decode(b"", final=True))
        if self.stopped:
            return text
        text += self._held
        self._held = ""
        return text

    def _release(self, text: str) -> str:
        if self.stopped or not self._stop:
            return "" if self.stopped else text
        self._held += text
        found = [at for at in map(self._held.find, self._stop) if at >= 0]
        if found:
            self.stopped = True
            certain, self._held = self._held[: min(found)], ""
            return certain
        keep = max(map(self._overlap, self._stop))
        cut = len(self._held) - keep
        certain, self._held = self._held[:cut], self._held[cut:]
        return certain

    def _overlap(self, stop: str) -> int:
        """Return the length of the longest end of the held text that begins `stop`."""
        for length in range(min(len(stop) - 1, len(self._held)), 0, -1):
            if stop.startswith(self._held[-length:]):
                return length
        return 0
