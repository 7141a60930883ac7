"""A home in a temporary folder, whose profiles are opened by a passphrase of its own."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ondevice.home import Home
from ondevice.store.access.passphrase import PASSPHRASE_FILE


@contextlib.contextmanager
def throwaway_home() -> Iterator[Home]:
    """Yield a home that is gone when the block ends; its profiles ask nobody for a passphrase."""
    with tempfile.TemporaryDirectory() as folder:
        passphrase = Path(folder) / "passphrase"
        passphrase.write_text("a benchmark's own")
        os.environ[PASSPHRASE_FILE] = str(passphrase)
        try:
            yield Home.below(Path(folder))
        finally:
            del os.environ[PASSPHRASE_FILE]
