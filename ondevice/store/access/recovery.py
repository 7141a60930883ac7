"""Recovery codes: 130 random bits, written down on paper, that open a profile.

A code has 26 letters and digits of Crockford's base 32 in groups of five and six.
It needs no slow hash: there is nothing to guess.
"""

from __future__ import annotations

import secrets

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = 26
_ALIKE = str.maketrans("OIL", "011", "- ")


def new_code() -> str:
    """Return a new code, such as `7KQ2M-…`."""
    code = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
    return "-".join((code[:5], code[5:10], code[10:15], code[15:20], code[20:]))


def is_code(text: str) -> bool:
    """Whether `text` can be a code, however it was typed."""
    plain = _plain(text)
    return len(plain) == _LENGTH and set(plain) <= set(_LETTERS)


def key_of(code: str, profile_id: str) -> bytes:
    """Return the 256-bit key of a code, by HKDF-SHA256."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    info = f"ondevice/1/recovery/{profile_id}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(_plain(code).encode())


def _plain(text: str) -> str:
    return text.strip().upper().translate(_ALIKE)
