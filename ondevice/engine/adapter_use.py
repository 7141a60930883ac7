"""How an adapter of a profile, a reader or a file is handed to an engine."""

from __future__ import annotations

from ondevice.adapters.builtin_reader import READER, Reader
from ondevice.adapters.gguf_lora import content_sha256
from ondevice.adapters.registry import AdapterRegistry
from ondevice.engine.protocol import AdapterUse
from ondevice.store.records import AdapterRow


def use_of_row(
    registry: AdapterRegistry, row: AdapterRow, scale: float | None = None
) -> AdapterUse:
    """Return the use of a profile's adapter, at its own scale if none is given."""
    return AdapterUse(
        name=row.name,
        sha256=row.file_sha256,
        source=lambda: registry.read(row.name),
        base_sha256=row.base_sha256,
        scale=row.scale if scale is None else scale,
    )


def use_of_reader(reader: Reader, scale: float = 1.0) -> AdapterUse:
    """Return the use of a reader of the package."""
    return AdapterUse(READER, reader.sha256, reader.read, reader.base_sha256, scale)


def use_of_content(
    name: str, content: bytes, base_sha256: str | None, scale: float = 1.0
) -> AdapterUse:
    """Return the use of an adapter whose plain GGUF bytes are at hand."""
    return AdapterUse(name, content_sha256(content), lambda: content, base_sha256, scale)
