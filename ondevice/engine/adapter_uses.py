"""How adapters of a profile, and the reader of a base model, are applied to an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ondevice.adapters.builtin_reader import READER
from ondevice.engine.protocol import AdapterUse

if TYPE_CHECKING:
    from ondevice.adapters.builtin_reader import Reader
    from ondevice.adapters.registry import AdapterRegistry


def reader_use(reader: Reader, scale: float) -> AdapterUse:
    """Return how the reader of a base model is applied at `scale`."""
    return AdapterUse(READER, reader.sha256, reader.read, reader.base_sha256, scale)


def own_adapter_use(registry: AdapterRegistry, name: str, scale: float | None = None) -> AdapterUse:
    """Return how the adapter `name` of a profile is applied; None is its own scale.

    Its file is read when the engine loads it, and checked then.

    Raises:
        AdapterNotFoundError: there is none of that name.
    """
    row = registry.get(name)
    return AdapterUse(
        name=name,
        sha256=row.file_sha256,
        source=lambda: registry.read(name),
        base_sha256=row.base_sha256,
        scale=row.scale if scale is None else scale,
    )
