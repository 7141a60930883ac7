"""Certificates of forgetting: what was removed, signed, without saying what it said.

Each removed item stands as SHA-256(salt | kind | text) with a random salt of 256
bits that is not in the certificate: a short fact could be guessed from a hash
whose salt is known. The salts go into a separate file if the person wants one;
with it, and only with it, somebody can be shown that a certain text was among
what was removed. The signature is Ed25519, by a key derived from the profile's.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ondevice.errors import ProfileError
from ondevice.remedies import Remedy

_FORMAT = "ondevice-forgetting-1"


@dataclass(frozen=True)
class Certificate:
    """A signed certificate, and what opens its hashes.

    Attributes:
        content: to be kept or shown.
        openings: one for each item, in the same order: kind and salt; to be kept secret.
    """

    content: dict[str, Any]
    openings: tuple[dict[str, str], ...]

    def json(self) -> str:
        """Return the certificate as text."""
        return json.dumps(self.content, indent=2, sort_keys=True) + "\n"

    def openings_json(self) -> str:
        """Return the openings as text."""
        return json.dumps(list(self.openings), indent=2) + "\n"


def certify(
    key: bytes,
    items: Sequence[tuple[str, str]],
    *,
    adapters: Sequence[Mapping[str, Any]],
    purged: bool,
    now: float | None = None,
) -> Certificate:
    """Return a certificate.

    Args:
        key: 32 bytes, derived from the profile's for the purpose "certificates".
        items: kind and text of everything that was removed.
        adapters: hash and fate of each adapter that was trained on it.
        purged: whether the write-ahead log was truncated too.
        now: seconds since 1970; the clock if None.
    """
    salts = [secrets.token_hex(32) for _ in items]
    hashes = [
        {"kind": kind, "sha256": _commitment(salt, kind, text)}
        for salt, (kind, text) in zip(salts, items, strict=True)
    ]
    # In the order of the random hashes: the order of the records would tell something of them.
    order = sorted(range(len(items)), key=lambda i: hashes[i]["sha256"])
    private = Ed25519PrivateKey.from_private_bytes(key)
    signed = {
        "format": _FORMAT,
        "time": int(time.time() if now is None else now),
        "removed": [hashes[i] for i in order],
        "adapters": [dict(adapter) for adapter in adapters],
        "log_purged": purged,
        "public_key": _text(private.public_key().public_bytes_raw()),
    }
    signature = _text(private.sign(_canonical(signed)))
    openings = tuple({"kind": items[i][0], "salt": salts[i]} for i in order)
    return Certificate({**signed, "signature": signature}, openings)


def verify(content: Mapping[str, Any], public_key: bytes | None = None) -> None:
    """Check a certificate's signature and, if given, that it was made by `public_key`'s owner.

    Raises:
        ProfileError: it was altered, is no certificate, or was made by somebody else.
    """
    signed = {name: value for name, value in content.items() if name != "signature"}
    try:
        if signed["format"] != _FORMAT:
            raise ProfileError(
                "This is not a certificate of forgetting that this version knows; upgrade ondevice."
            )
        own = base64.b64decode(signed["public_key"], validate=True)
        signature = base64.b64decode(content["signature"], validate=True)
        Ed25519PublicKey.from_public_bytes(own).verify(signature, _canonical(signed))
    except (KeyError, TypeError, ValueError) as error:
        raise ProfileError(
            "This is not a certificate of forgetting; give a file that was written when something "
            "was forgotten."
        ) from error
    except InvalidSignature as error:
        raise ProfileError(
            "The certificate's signature does not fit: it was altered after it was made; use "
            "the file as it was written."
        ) from error
    if public_key is not None and own != public_key:
        raise ProfileError(
            "The certificate is whole, but it was not made by this profile.", Remedy.OTHER_PROFILE
        )


def holds(content: Mapping[str, Any], openings: Sequence[Mapping[str, str]], text: str) -> bool:
    """Whether `text` was among what was removed, as the openings show."""
    removed = {item["sha256"] for item in content["removed"]}
    return any(_commitment(one["salt"], one["kind"], text) in removed for one in openings)


def public_key_of(key: bytes) -> bytes:
    """Return the public half of a signing key."""
    return Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()


def _commitment(salt: str, kind: str, text: str) -> str:
    return hashlib.sha256(bytes.fromhex(salt) + f"{kind}\0{text}".encode()).hexdigest()


def _canonical(signed: Mapping[str, Any]) -> bytes:
    return json.dumps(signed, sort_keys=True, separators=(",", ":")).encode()


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
