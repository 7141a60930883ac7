"""Low-rank adapters in llama.cpp: loading without plaintext on disk, testing, switching.

llama.cpp sees an adapter only after our own checks: the promised hash, the
right base, and `read_adapter` (names, shapes, finite numbers). Several adapters
are put together in memory, because llama.cpp pays for each one by itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import math
import os
import tempfile
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ondevice.adapters.concatenation import concatenate
from ondevice.adapters.gguf_lora import LoraAdapter, read_adapter, write_adapter
from ondevice.engine.context import InferenceContext
from ondevice.engine.protocol import AdapterUse
from ondevice.errors import (
    AdapterBaseMismatchError,
    AdapterNotFoundError,
    AdapterSelfTestError,
    InvalidAdapterError,
)
from ondevice.ground.files import private_folder
from ondevice.ground.uninterrupted import uninterrupted
from ondevice.models import native
from ondevice.models.base_model import BaseModel

_IDLE_HANDLES = 2  # adapters kept loaded while not in use, for quick switching
_PROBE = "The quick brown fox jumps over"


class LoraAdapters:
    """The adapters of one loaded model and context."""

    def __init__(
        self, model: BaseModel, pointer: Any, context: InferenceContext, folder: Path
    ) -> None:
        """Manage adapters for the model `pointer`; `folder` is for systems without memory files."""
        self._lib = native.llama_cpp()
        self._model = model
        self._pointer = pointer
        self._context = context
        self._folder = folder
        # By SHA-256, or by those and the scales if put together; tested ones only.
        self._handles: OrderedDict[str, Any] = OrderedDict()
        self._in_use: set[str] = set()
        self._applied: list[tuple[Any, float]] = []
        self.uses: list[AdapterUse] = []

    def activate(self, uses: Sequence[AdapterUse]) -> None:
        """Apply exactly `uses`; if one is refused, the former ones stay applied.

        The KV cache is empty afterwards either way, because it was computed under
        other weights.

        Raises:
            AdapterBaseMismatchError: one was made for another base model.
            InvalidAdapterError: one is damaged or not the promised file.
            AdapterNotFoundError: one's file is gone.
            AdapterSelfTestError: one does not do what an adapter does.
        """
        try:
            for use in uses:
                if not math.isfinite(use.scale):
                    raise InvalidAdapterError(
                        f"The scale of adapter '{use.name}' is not finite; give a number."
                    )
                self._handle(use)  # each is tested by itself
            felt = [use for use in uses if use.scale != 0]
            if len(felt) > 1:
                key = _key(felt)
                wanted = [(self._together(key, felt), 1.0)]
            else:
                key = felt[0].sha256 if felt else ""
                wanted = [(self._handles[use.sha256], use.scale) for use in felt]
            self._apply(wanted)
        except BaseException:
            self._apply(self._applied)
            self._context.clear()
            raise
        self._context.clear()
        self._applied = wanted
        self._in_use = {key} - {""}
        self.uses = list(uses)
        self.free_idle()

    def close(self) -> None:
        """Free every adapter; must happen before the model is freed."""
        self._apply([])
        self._applied, self.uses, self._in_use = [], [], set()
        for handle in self._handles.values():
            self._lib.llama_adapter_lora_free(handle)
        self._handles.clear()

    def free_idle(self, keep: int = _IDLE_HANDLES) -> None:
        """Free adapters that are not in use, but for the `keep` last ones."""
        idle = [key for key in self._handles if key not in self._in_use]
        for key in idle[: max(len(idle) - keep, 0)]:
            self._lib.llama_adapter_lora_free(self._handles.pop(key))

    def _handle(self, use: AdapterUse) -> Any:
        if use.base_sha256 is not None and use.base_sha256 != self._model.sha256:
            raise self._mismatch(use)
        handle = self._handles.get(use.sha256)
        if handle is None:
            handle = self._load(self._checked(use), use.name)
            try:
                self._self_test(use, handle)
            except BaseException:
                self._apply([])
                self._lib.llama_adapter_lora_free(handle)
                raise
            self._handles[use.sha256] = handle
        self._handles.move_to_end(use.sha256)
        return handle

    def _together(self, key: str, uses: Sequence[AdapterUse]) -> Any:
        """Return the handle of one adapter that does what `uses` do at their scales."""
        if key not in self._handles:
            merged = concatenate([(self._read(use), use.scale) for use in uses])
            name = " + ".join(use.name for use in uses)
            self._handles[key] = self._load(write_adapter(merged, _dtype(merged)), name)
        self._handles.move_to_end(key)
        return self._handles[key]

    def _read(self, use: AdapterUse) -> LoraAdapter:
        """Return the adapter, completely checked."""
        return read_adapter(self._content(use), self._model.header)

    def _content(self, use: AdapterUse) -> bytes:
        try:
            content = use.source.read_bytes() if isinstance(use.source, Path) else use.source()
        except FileNotFoundError as error:
            raise AdapterNotFoundError(
                f"The file of adapter '{use.name}' is gone ({use.source}); add it again."
            ) from error
        if hashlib.sha256(content).hexdigest() != use.sha256:
            raise InvalidAdapterError(
                f"Adapter '{use.name}' is not the file that was registered (its SHA-256 differs); "
                "add it again."
            )
        return content

    def _checked(self, use: AdapterUse) -> bytes:
        """Return the file's content after our own checks."""
        content = self._content(use)
        adapter = read_adapter(content, self._model.header)
        made_for = adapter.provenance.get("base_sha256")
        if made_for and made_for != self._model.sha256:
            raise self._mismatch(use)
        return content

    def _load(self, content: bytes, name: str) -> Any:
        """Give `content` to llama.cpp."""
        native.last_error()
        with _as_path(content, self._folder) as path:
            handle = uninterrupted(
                self._lib.llama_adapter_lora_init, self._pointer, os.fsencode(path)
            )
        if not handle:
            raise InvalidAdapterError(
                f"llama.cpp refuses adapter '{name}' "
                f"({native.last_error() or 'no reason given'}); train it again."
            )
        return handle

    def _self_test(self, use: AdapterUse, handle: Any) -> None:
        """Check that scale 1 changes the logits, that scale 0 does not, and that all is finite."""
        tokens = self._context.vocab.encode(_PROBE)[: self._context.n_ctx]
        base = self._probe([], tokens)
        full = self._probe([(handle, 1.0)], tokens)
        none = self._probe([(handle, 0.0)], tokens)
        if not np.isfinite(full).all():
            raise AdapterSelfTestError(
                f"Adapter '{use.name}' makes the model compute NaN or infinity; train it again."
            )
        if np.array_equal(full, base):
            raise AdapterSelfTestError(
                f"Adapter '{use.name}' changes nothing (all-zero weights?); train it again."
            )
        if not np.array_equal(none, base):
            raise AdapterSelfTestError(
                f"Adapter '{use.name}' changes the model even at scale 0; do not use it."
            )

    def _probe(
        self, pairs: Sequence[tuple[Any, float]], tokens: list[int]
    ) -> npt.NDArray[np.float32]:
        self._apply(pairs)
        self._context.clear()
        self._context.evaluate(tokens)
        return self._context.logits()

    def _apply(self, pairs: Sequence[tuple[Any, float]]) -> None:
        count = len(pairs)
        handles = (self._lib.llama_adapter_lora_p_ctypes * count)(*[h for h, _ in pairs])
        scales = (ctypes.c_float * count)(*[scale for _, scale in pairs])
        code = self._lib.llama_set_adapters_lora(self._context.pointer, handles, count, scales)
        if code != 0:
            raise InvalidAdapterError(
                f"llama.cpp could not apply the adapters (code {code}); use fewer of them, or none."
            )

    def _mismatch(self, use: AdapterUse) -> AdapterBaseMismatchError:
        return AdapterBaseMismatchError(
            f"Adapter '{use.name}' was made for another base model than '{self._model.name}'; "
            "use the model it was made for, or train it again."
        )


def _key(uses: Sequence[AdapterUse]) -> str:
    return "+".join(f"{use.sha256}:{use.scale!r}" for use in uses)


def _dtype(adapter: LoraAdapter) -> Literal["F16", "F32"]:
    """Return F16, which is faster, unless a value does not fit it."""
    largest = max(float(np.abs(pair.b).max(initial=0.0)) for pair in adapter.tensors.values())
    return "F16" if largest < float(np.finfo(np.float16).max) else "F32"


@contextlib.contextmanager
def _as_path(content: bytes, folder: Path) -> Iterator[str]:
    """Give `content` a path for as long as the block runs; in memory only, where that exists."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("adapter", os.MFD_CLOEXEC)
        try:
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                file.write(content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    descriptor, name = tempfile.mkstemp(prefix=".adapter.", dir=private_folder(folder))
    try:  # owner-only, and gone as soon as llama.cpp has read it
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        yield name
    finally:
        Path(name).unlink(missing_ok=True)
