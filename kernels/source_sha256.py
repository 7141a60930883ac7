"""Prints the hash of the kernels' sources, which the build puts into the module that it makes.

python kernels/source_sha256.py FOLDER
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path


def source_sha256(folder: Path) -> str:
    """Return the hash of all C++ files in `folder`; line ends of Windows do not matter."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if path.suffix in (".cpp", ".h"):
            content = path.read_bytes().replace(b"\r\n", b"\n")
            digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


if __name__ == "__main__":
    print(source_sha256(Path(sys.argv[1])))
