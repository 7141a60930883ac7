"""Record ids: sortable by the time of creation, unique without asking the database.

Sixteen characters of Crockford's base 32 in lower case: ten for milliseconds
since 1970 and six random ones.  Ids made in one process always increase.
"""

from __future__ import annotations

import secrets
import threading
import time

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
LENGTH = 16
_RANDOM_BITS = 30  # six characters
_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """Return an id greater than every id that this process made before."""
    global _last
    number = (int(time.time() * 1000) << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
    with _lock:
        _last = number = max(number, _last + 1)
    return _encode(number)


def first_id_at(moment: float) -> str:
    """Return the smallest id that can be made at `moment` (seconds since 1970)."""
    return _encode(max(0, int(moment * 1000)) << _RANDOM_BITS)


def _encode(number: int) -> str:
    return "".join(ALPHABET[number >> shift & 31] for shift in range(5 * (LENGTH - 1), -1, -5))
