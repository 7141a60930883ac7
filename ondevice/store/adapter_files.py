"""The encrypted files of adapters and of unfinished trainings, beside the database.

A file `<profile>/adapters/<id>.gguf.enc` is

    magic (8 bytes) | nonce (12 bytes) | AES-256-GCM ciphertext and tag

The key comes from the profile's; the magic, the row's id and the SHA-256 of the
plain file are authenticated with it, so a file can neither be altered nor be
exchanged for another adapter's. Plaintext exists in memory only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from ondevice.ground.files import write_atomic
from ondevice.store.sealing import Sealer, shred

if TYPE_CHECKING:
    from filelock import FileLock

_MAGIC = b"ODADAPT1"
_CHECKPOINT_MAGIC = b"ODCHECK1"
_SUFFIX = ".gguf.enc"
_CHECKPOINT = ".checkpoint.enc"
_HALF_WRITTEN = ".*.part"  # what `write_atomic` adds to a name


class AdapterFiles:
    """Sealed files in the folder of one profile."""

    def __init__(self, profile_folder: Path, derive_key: Callable[[str], bytes]) -> None:
        """Keep files below `profile_folder`, sealed with keys derived for a purpose."""
        self._profile_folder = profile_folder
        self._folder = profile_folder / "adapters"
        self._derive_key = derive_key

    def path(self, adapter_id: str) -> Path:
        """Return where the file of the adapter with this id lies."""
        return self._folder / f"{adapter_id}{_SUFFIX}"

    def exists(self, adapter_id: str) -> bool:
        """Whether the adapter's file is there; that of a stale one may have been shredded."""
        return self.path(adapter_id).exists()

    def write(self, adapter_id: str, sha256: str, content: bytes) -> None:
        """Seal `content`, whose hash is `sha256`, as the file of an adapter."""
        write_atomic(self.path(adapter_id), self._sealer(adapter_id, sha256).seal(content))

    def read(self, adapter_id: str, sha256: str) -> bytes:
        """Return the content of an adapter's file.

        Raises:
            FileNotFoundError: it is not there.
            ValueError: it is damaged, or another adapter's.
        """
        return self._sealer(adapter_id, sha256).unseal(self.path(adapter_id).read_bytes())

    def shred(self, adapter_id: str) -> None:
        """Overwrite and delete the file of an adapter; one that is not there is no error."""
        shred(self.path(adapter_id))

    def shred_others(self, kept: Collection[str]) -> None:
        """Shred every file, whole or half written, that belongs to none of the adapters `kept`."""
        names = {f"{adapter_id}{_SUFFIX}" for adapter_id in kept}
        files = sorted(self._folder.glob(f"*{_SUFFIX}"))
        files += self._folder.glob(f".*{_SUFFIX}{_HALF_WRITTEN}")
        for path in files:
            if path.name not in names:
                shred(path)

    # --- unfinished trainings ---------------------------------------------------

    def checkpoint(self, stage: str) -> Path:
        """Return where an unfinished training of this profile keeps its state, encrypted."""
        return self._folder / f"{stage}{_CHECKPOINT}"

    @property
    def cipher(self) -> Sealer:
        """What encrypts checkpoints."""
        return Sealer(self._derive_key("checkpoints"), _CHECKPOINT_MAGIC)

    def clear_checkpoints(self) -> None:
        """Shred the states of unfinished trainings: they hold traces of what was learned.

        What a process that died has left half written goes too, unless somebody is training.
        """
        from filelock import Timeout

        for path in self._folder.glob(f"*{_CHECKPOINT}"):
            shred(path)
        if any(self._folder.glob(f".*{_CHECKPOINT}{_HALF_WRITTEN}")):
            with contextlib.suppress(Timeout), self.training_lock():
                self.clear_half_written()

    def clear_half_written(self) -> None:
        """Shred what is left of states that were being written; hold the `training_lock`."""
        for path in self._folder.glob(f".*{_CHECKPOINT}{_HALF_WRITTEN}"):
            shred(path)

    def training_lock(self) -> FileLock:
        """Return the lock that who trains for this profile holds; taken, it raises `Timeout`."""
        from filelock import FileLock

        return FileLock(self._profile_folder / ".learn.lock", timeout=0, mode=0o600)

    def _sealer(self, adapter_id: str, sha256: str) -> Sealer:
        about = adapter_id.encode() + bytes.fromhex(sha256)
        return Sealer(self._derive_key("adapters"), _MAGIC, about)
