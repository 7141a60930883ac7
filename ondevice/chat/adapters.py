"""The part of the assistant that applies adapters: the reader, and the person's own above it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ondevice.adapters.builtin_reader import READER, Reader, builtin_reader
from ondevice.adapters.registry import AdapterRegistry
from ondevice.engine.adapter_use import use_of_reader, use_of_row
from ondevice.engine.protocol import AdapterUse, Engine
from ondevice.errors import OndeviceError

if TYPE_CHECKING:
    from ondevice.memory.search import Recall
    from ondevice.store.profile import Profile


class UsesAdapters:
    """Choosing adapters and applying them; `Assistant` has the rest."""

    engine: Engine
    profile: Profile | None
    recaller: Recall | None
    scope: str | None
    _turn_lock: threading.RLock
    _reader_wanted: bool
    _adapters_wanted: list[tuple[str, float | None]] | None  # None: as activated

    def use_adapters(self, adapters: Sequence[tuple[str, float | None]] | None) -> None:
        """Use these (name, scale) pairs from now on; None uses the active ones of the profile.

        A scale of None is the one the adapter was activated with. The base model's reader stays
        below them; it can be given another scale under the name "reader".

        Raises:
            AdapterError: not found, stale, damaged or made for another base; those of before
                stay in use.
        """
        with self._turn_lock:
            former = self._adapters_wanted
            self._adapters_wanted = None if adapters is None else list(adapters)
            try:
                self._apply_adapters()
            except BaseException:
                self._adapters_wanted = former  # or every later answer would fail, too
                raise

    def adapter_use(self, name: str, scale: float | None = None) -> AdapterUse:
        """Return how the adapter `name` of the profile is applied; None is its own scale.

        Raises:
            AdapterError: not found, stale, for another base, or on top of another reader.
        """
        profile, _ = self._needs_profile()
        registry = AdapterRegistry(profile)
        active = {use.name: use.sha256 for use in self.engine.active_adapters}
        registry.check_fit(name, self.engine.model, active.get(READER))
        return use_of_row(registry, registry.get(name), scale)

    def _apply_adapters(self) -> None:
        wanted = self._adapters_wanted
        registry = AdapterRegistry(self.profile) if self.profile is not None else None
        if wanted is None and registry is not None:
            wanted = [
                (row.name, row.scale)
                for row in registry.list()
                if row.state == "active" and row.scope in (None, self.scope)
            ]
        reader, scale = self._reader_and_scale(dict(wanted or []).get(READER))
        uses = [use_of_reader(reader, scale)] if reader is not None else []
        for name, own_scale in wanted or []:
            if name != READER and registry is not None:
                below = reader.sha256 if reader is not None else None
                registry.check_fit(name, self.engine.model, below)
                uses.append(use_of_row(registry, registry.get(name), own_scale))
        self.engine.set_adapters(uses)

    def _reader_and_scale(self, scale: float | None) -> tuple[Reader | None, float]:
        """Return the base model's reader, None if there is none or it is off, and its scale."""
        if not self._reader_wanted:
            return None, 0.0
        if scale is None:
            scale = self.profile.reader_scale() if self.profile is not None else 1.0
        return (builtin_reader(self.engine.model) if scale else None), scale

    def _needs_profile(self) -> tuple[Profile, Recall]:
        if self.profile is None or self.recaller is None:
            raise OndeviceError(
                "This assistant was opened without a profile and has no memory; open it with one."
            )
        return self.profile, self.recaller
