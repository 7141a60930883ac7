"""The adapters of a profile: encrypted files beside the database, their states inside it.

The files are the store's (`store.adapter_files`); here they are checked against the base model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ondevice.adapters.builtin_reader import READER
from ondevice.adapters.gguf_lora import check_base, content_sha256, read_adapter
from ondevice.errors import (
    AdapterBaseMismatchError,
    AdapterError,
    AdapterNotFoundError,
    AdapterStaleError,
    InvalidAdapterError,
    explain,
    or_meant,
)
from ondevice.models.base_model import BaseModel
from ondevice.remedies import Remedy
from ondevice.store.ids import new_id
from ondevice.store.profile import Profile
from ondevice.store.records import AdapterRow

_MAX_FILE_BYTES = 1 << 31  # what AES-GCM of the library takes at once; real ones are below 1 GB


class AdapterRegistry:
    """Adds, lists, reads and removes the adapters of one profile."""

    def __init__(self, profile: Profile) -> None:
        """Work on the adapters of the open `profile`."""
        self._profile = profile
        self.files = profile.adapters.files

    def add(
        self,
        source: Path | bytes,
        base: BaseModel,
        *,
        name: str,
        records: Sequence[str] = (),
        scale: float = 1.0,
        state: str = "off",
        scope: str | None = None,
        training: Mapping[str, Any] | None = None,
    ) -> AdapterRow:
        """Check the adapter in `source`, keep an encrypted copy, and return its row.

        Args:
            source: path of a GGUF LoRA file, or its content.
            base: the model that it is for.
            name: unique name within the profile.
            records: ids of the records that it was trained on.
            scale: scale for later use.
            state: "off", "active" or "candidate".
            scope: the context in which it is used; None for all.
            training: how it came about: method, recipe, steps, what it began at.

        Raises:
            AdapterError: the name is taken or unusable, the adapter is damaged, not found, or
                made for another base; nothing was added.
        """
        self._check_name(name)
        if any(row.name == name for row in self.list()):  # before the work; the store decides
            raise AdapterError(
                f"There is an adapter '{name}' already; choose another name, or remove it first."
            )
        content = source if isinstance(source, bytes) else _content_of(source)
        adapter = read_adapter(content, base.header)
        promised = adapter.provenance.get("base_sha256", base.sha256)
        if promised != base.sha256:
            raise AdapterBaseMismatchError(
                f"The adapter was trained on another base (SHA-256 {promised[:16]}…) than "
                f"{base.name} ({base.sha256[:16]}…); use it with the one that it was made for."
            )
        digest, adapter_id = content_sha256(content), new_id()
        try:
            # The file first: a row never stands for a file that is not there. Whoever tidies up
            # waits for the transaction, and does not take it for one that a crash has left.
            with self._profile.transaction():
                self.files.write(adapter_id, digest, content)
                return self._profile.adapters.add(
                    name,
                    file_sha256=digest,
                    base_sha256=base.sha256,
                    rank=adapter.rank,
                    alpha=adapter.alpha,
                    scale=scale,
                    state=state,
                    records=records,
                    scope=scope,
                    provenance=adapter.provenance,
                    adapter_id=adapter_id,
                    training=training,
                )
        except BaseException:
            self.files.path(adapter_id).unlink(missing_ok=True)
            raise

    def list(self) -> list[AdapterRow]:
        """Return all adapters, the oldest first."""
        return self._profile.adapters.all()

    def get(self, name: str) -> AdapterRow:
        """Return the row of the adapter called `name`.

        Raises:
            AdapterNotFoundError: there is none.
        """
        rows = self.list()
        for row in rows:
            if row.name == name:
                return row
        if name == READER:
            raise AdapterNotFoundError(
                f"'{READER}' comes with the base model and is not an adapter of the profile.",
                Remedy.SWITCH_READER,
            )
        raise AdapterNotFoundError(
            or_meant(
                f"There is no adapter '{name}' in this profile", name, (row.name for row in rows)
            ),
            Remedy.LIST_ADAPTERS,
        )

    def use(self, name: str, scale: float) -> None:
        """Mark the adapter, or the base model's reader, as active, at `scale`.

        Raises:
            AdapterStaleError: it was trained on something that was forgotten or changed.
            AdapterError: not found, or the scale is not a finite number.
        """
        if not abs(scale) <= 100:
            raise AdapterError(
                f"The scale {scale} of the adapter '{name}' is not usable; give a number from "
                "-100 to 100."
            )
        if name == READER:
            self._profile.adapters.set_reader_scale(scale)
            return
        row = self._fresh(name)
        self._profile.adapters.set_state(row.id, "active", scale=scale)

    def off(self, name: str | None = None) -> None:
        """Stop using the adapter `name`, or all of them; stale ones stay stale.

        The base model's reader is only turned off by its name.

        Raises:
            AdapterNotFoundError: there is none of that name.
        """
        if name == READER:
            self._profile.adapters.set_reader_scale(0.0)
            return
        for row in [self.get(name)] if name else self.list():
            if row.state == "active":
                self._profile.adapters.set_state(row.id, "off")

    def check_fit(self, name: str, base: BaseModel, reader_sha256: str | None) -> None:
        """Check that the adapter `name` was made for this base, and not on top of another reader.

        Args:
            name: of the adapter.
            base: the model in use.
            reader_sha256: hash of the reader that is in use; None for none.

        Raises:
            AdapterBaseMismatchError: it was made for another base model.
            AdapterStaleError: it was trained on something that was forgotten, on another reader, or
                no reader is in use.
        """
        row = self._fresh(name)
        if row.base_sha256 != base.sha256:
            raise AdapterBaseMismatchError(
                f"The adapter '{name}' was made for another base model than '{base.name}'.",
                Remedy.LEAVE_OUT_ADAPTER,
            )
        trained_on = row.provenance.get("reader_sha256")
        if trained_on is None or trained_on == reader_sha256:
            return
        if reader_sha256 is None:
            raise AdapterStaleError(
                f"The adapter '{name}' was trained on top of the reader, which is off.",
                Remedy.TURN_READER_ON,
            )
        raise AdapterStaleError(
            f"The adapter '{name}' was trained on top of another reader than the one that comes "
            "with this version; train it again or turn it off."
        )

    def read(self, name: str) -> bytes:
        """Return the adapter's GGUF file, decrypted in memory and checked.

        Raises:
            AdapterStaleError: it was trained on something that was forgotten or changed.
            InvalidAdapterError: the file is missing, damaged or another one.
            AdapterNotFoundError: there is no adapter of that name.
        """
        row = self._fresh(name)
        path = self.files.path(row.id)
        try:
            content = self.files.read(row.id, row.file_sha256)
        except FileNotFoundError as error:
            raise InvalidAdapterError(
                f"The file of the adapter '{name}' is missing ({path}); remove it and add it again."
            ) from error
        except ValueError as error:
            raise InvalidAdapterError(
                f"The file of the adapter '{name}' is damaged ({path}); remove it and add it again."
            ) from error
        if content_sha256(content) != row.file_sha256:
            raise InvalidAdapterError(
                f"The file of the adapter '{name}' is not the one that was added ({path}); "
                "remove it and add it again."
            )
        self._fresh(name)  # it may have gone stale while the file was read
        return content

    def verify(self, name: str, base: BaseModel) -> None:
        """Check the adapter's file completely, and that it fits `base`.

        Raises:
            AdapterError: stale, missing, damaged, or made for another base.
        """
        row = self.get(name)
        if row.base_sha256 != base.sha256:
            raise AdapterBaseMismatchError(
                f"The adapter '{name}' was made for the base with SHA-256 "
                f"{row.base_sha256[:16]}…, not for {base.name} ({base.sha256[:16]}…); use it "
                "with the one that it was made for, or train it again."
            )
        adapter = read_adapter(self.read(name), base.header)
        dims = {n: (pair.a.shape[1], pair.b.shape[0]) for n, pair in adapter.tensors.items()}
        check_base(adapter.architecture, dims, base.header, f"The adapter '{name}'")

    def remove(self, name: str) -> None:
        """Delete the adapter for good: its row, then its overwritten file.

        Raises:
            AdapterNotFoundError: there is none of that name.
        """
        row = self.get(name)
        self._profile.adapters.remove(row.id)

    def has_file(self, row: AdapterRow) -> bool:
        """Whether the adapter's file is there; that of a stale one may have been shredded."""
        return self.files.exists(row.id)

    def _fresh(self, name: str) -> AdapterRow:
        row = self.get(name)
        if row.state == "stale":
            raise AdapterStaleError(
                f"The adapter '{name}' was trained on something that was forgotten or changed, so "
                "it is not used.",
                Remedy.LEARN_AGAIN,
            )
        return row

    @staticmethod
    def _check_name(name: str) -> None:
        # ":" separates a scale, "," names; a name is shown in terminals and typed in shells.
        if not name or len(name) > 100 or not name.isprintable() or set(name) & set(":,/\\"):
            raise AdapterError(
                "An adapter's name has 1 to 100 printable characters, none of ':', ',', '/', "
                "'\\'; choose another one."
            )
        if name == READER:
            raise AdapterError(
                f"'{READER}' is the name of the adapter that comes with the base model; "
                "choose another one."
            )


def _content_of(path: Path) -> bytes:
    """Read a file that its header says is an adapter."""
    read_adapter(path, None)  # header first: a model of many gigabytes is refused unread
    if path.stat().st_size >= _MAX_FILE_BYTES:
        raise InvalidAdapterError(f"{path} is too large for an adapter; check that it is one.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidAdapterError(f"{path} cannot be read: {explain(error)}.") from error
