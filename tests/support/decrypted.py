"""What stands in a profile's pages."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ondevice.store.database import PAGE_BYTES

RESERVE = 16 + 32  # at the end of each page: initialisation vector and HMAC-SHA256


def decrypted(profile, key=None) -> bytes:
    """All pages of database and log, decrypted here and not by SQLCipher."""
    key = key or profile.derive_key("database")
    path = profile.folder / "profile.db"
    content = path.read_bytes()
    pages = [content[i : i + PAGE_BYTES] for i in range(0, len(content), PAGE_BYTES)]
    pages[0] = pages[0][16:]  # the salt
    log = path.with_name("profile.db-wal")
    frames = log.read_bytes()[32:] if log.exists() else b""
    for start in range(0, len(frames), PAGE_BYTES + 24):
        number = int.from_bytes(frames[start : start + 4], "big")
        page = frames[start + 24 : start + 24 + PAGE_BYTES]
        pages.append(page[16:] if number == 1 else page)
    out = []
    for page in pages:
        body, vector = page[:-RESERVE], page[-RESERVE : -RESERVE + 16]
        cipher = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()
        out.append(cipher.update(body) + cipher.finalize())
    assert b"CREATE TABLE record" in b"".join(out)  # it was decrypted
    return b"".join(out)
