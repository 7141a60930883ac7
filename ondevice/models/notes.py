"""Small caches on disk: texts by key, which can be found out again if they are lost."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

from ondevice.ground.files import write_atomic


def read_notes(cache: Path) -> dict[str, str]:
    """Return what is noted in `cache`: nothing if it is missing, damaged or cannot be read."""
    try:
        content = json.loads(cache.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {k: v for k, v in content.items() if isinstance(k, str) and isinstance(v, str)}


def note(cache: Path, key: str, value: str, *, outdated: Callable[[str], bool]) -> None:
    """Note `value` under `key`, and drop the keys that are `outdated` by it."""
    kept = {k: v for k, v in read_notes(cache).items() if not outdated(k)}
    with contextlib.suppress(OSError):  # full or write-protected: it is found out again next time
        write_atomic(cache, json.dumps({**kept, key: value}, indent=1).encode())
