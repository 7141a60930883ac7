"""The profile that ondevice 0.1.0 made, byte for byte: its pages lie decrypted and compressed.

Encrypted pages cannot be compressed, and most of a small database is empty. `pack` keeps of each
page what stands in it and its initialisation vector; `unpack` encrypts it again as the file was.
"""

from __future__ import annotations

import hashlib
import hmac
import lzma
import os
import shutil
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ondevice.home import Home
from ondevice.store.access import keys
from ondevice.store.database import PAGE_BYTES

FOLDER = Path(__file__).parents[1] / "store" / "golden"
IV, HMAC, SALT = 16, 32, 16


def pack(home: Home) -> None:
    """Keep the closed default profile of `home` as the golden one."""
    content = (home.profile("default") / "profile.db").read_bytes()
    key = keys.derive(keys.unlock(home, "default", ask_passphrase=None), "database")
    parts = [content[:SALT]]
    for number, page in enumerate(_pages(content)):
        sealed, vector = page[: -IV - HMAC], page[-IV - HMAC : -HMAC]
        body = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor().update(sealed)
        if number == 0:
            assert b"SQLite" not in body[:16]
        parts += [vector, body]
    shutil.copy(home.profile("default") / "keys.json", FOLDER / "keys.json")
    shutil.copy(keys.key_file(home, "default"), FOLDER / "default.key")
    (FOLDER / "pages.xz").write_bytes(lzma.compress(b"".join(parts), preset=9))
    (FOLDER / "profile.sha256").write_text(hashlib.sha256(content).hexdigest() + "\n")


def unpack(home: Home) -> Path:
    """Put the golden profile into `home` as its default one; return the database."""
    folder = home.profile("default")
    for path in (folder, keys.key_file(home, "default").parent):
        path.mkdir(parents=True, mode=0o700)
    for source, target in (
        ("keys.json", folder / "keys.json"),
        ("default.key", keys.key_file(home, "default")),
    ):
        shutil.copy(FOLDER / source, target)
        target.chmod(0o600)
    key = keys.derive(keys.unlock(home, "default", ask_passphrase=None), "database")
    parts = lzma.decompress((FOLDER / "pages.xz").read_bytes())
    salt, parts = parts[:SALT], parts[SALT:]
    mac_key = hashlib.pbkdf2_hmac("sha512", key, bytes(b ^ 0x3A for b in salt), 2, 32)
    file, number = bytearray(salt), 0
    while parts:
        number += 1
        size = PAGE_BYTES - IV - HMAC - (SALT if number == 1 else 0)
        vector, body, parts = parts[:IV], parts[IV : IV + size], parts[IV + size :]
        sealed = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor().update(body) + vector
        mac = hmac.new(mac_key, sealed + number.to_bytes(4, "little"), "sha256")
        file += sealed + mac.digest()
    written = (FOLDER / "profile.sha256").read_text().strip()
    assert hashlib.sha256(file).hexdigest() == written, "that is not the file that 0.1.0 wrote"
    database = folder / "profile.db"
    descriptor = os.open(database, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(file)
    return database


def _pages(content: bytes) -> list[bytes]:
    pages = [content[at : at + PAGE_BYTES] for at in range(0, len(content), PAGE_BYTES)]
    pages[0] = pages[0][SALT:]
    return pages
