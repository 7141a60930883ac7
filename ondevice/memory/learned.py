"""Small classifiers over embeddings: what they learned, for which embedder, and where it is kept.

Weights fit one embedder. Those for the known ones are shipped; those for another are learned once
from the sentences that the project ships, in some seconds, and kept in the cache folder.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ondevice.ground.files import atomic_writer

if TYPE_CHECKING:
    import numpy as np

DATA: Final = Path(__file__).parent / "data"
_MOST_BYTES = 4_000_000  # of a file of weights

Arrays = Mapping[str, "np.ndarray"]


def learned(
    name: str,
    version: int,
    embedder_sha256: str,
    cache: Path,
    learn: Callable[[], Arrays],
) -> Arrays:
    """Return what the classifier `name` learned for an embedder: shipped, kept, or learned now.

    Args:
        name: of the classifier.
        version: of what it looks at and tells; weights of another one are learned anew.
        embedder_sha256: whose vectors the weights fit.
        cache: the cache folder. One that cannot be written costs some seconds at the next start.
        learn: returns the weights.
    """
    kept = cache / "learned" / f"{name}-{version}-{embedder_sha256[:32]}.npz"
    stamp = stamp_of(name, version, embedder_sha256)
    for path in (shipped_file(name, embedder_sha256), kept):
        found = _read(path, stamp)
        if found is not None:
            return found
    content = file_of(learn(), stamp)
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with atomic_writer(kept) as file:
            file.write(content)
    except OSError:
        pass
    read_back = _parse(content, stamp)  # the same now as when it is read again
    assert read_back is not None
    return read_back


def shipped_file(name: str, embedder_sha256: str) -> Path:
    """Return where the weights for an embedder are, if they come with the package."""
    return DATA / "learned" / f"{name}-{embedder_sha256[:16]}.npz"


def stamp_of(name: str, version: int, embedder_sha256: str) -> str:
    """Return what a file of weights says of itself."""
    return f"{name} {version} {embedder_sha256}"


def file_of(arrays: Arrays, stamp: str) -> bytes:
    """Return a file with these arrays, in half precision; the same bytes for the same arrays."""
    import numpy as np

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in [("stamp", np.array(stamp)), *sorted(arrays.items())]:
            part = io.BytesIO()
            np.save(part, array if name == "stamp" else array.astype(np.float16))
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), part.getvalue())
    return file.getvalue()


def _read(path: Path, stamp: str) -> Arrays | None:
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        return _parse(path.read_bytes(), stamp)
    except OSError:
        return None


def _parse(content: bytes, stamp: str) -> Arrays | None:
    """Return the arrays of a file; None if it is damaged, or not the one that the stamp names."""
    import numpy as np

    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            if str(file["stamp"]) != stamp:
                return None
            return {name: file[name].astype(np.float32) for name in file.files if name != "stamp"}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None
