"""Applying adapters to the engine: the base model's reader, and the person's own above it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from ondevice.adapters.builtin_reader import READER, Reader, builtin_reader
from ondevice.adapters.registry import AdapterRegistry
from ondevice.engine.adapter_use import use_of_reader, use_of_row
from ondevice.engine.protocol import AdapterUse, Engine
from ondevice.errors import AdapterError, OndeviceError, ending_with

if TYPE_CHECKING:
    from ondevice.store.profile import Profile

# (name, scale) pairs; a scale of None is the adapter's own. None instead of them: the active ones.
Wanted = Sequence[tuple[str, float | None]] | None


class AppliedAdapters:
    """Which adapters answers are given with."""

    def __init__(
        self,
        engine: Engine,
        profile: Profile | None,
        turn: AbstractContextManager[object],
        *,
        scope: str | None,
        reader: bool,
    ) -> None:
        """Apply adapters of `profile` to `engine`.

        Args:
            engine: the adapters are set on it.
            profile: whose adapters they are; None for none but the reader.
            turn: held by whoever generates: a choice waits for the end of an answer.
            scope: the context: adapters of others are not active in it.
            reader: False leaves out the reader that comes with the base model.
        """
        self._engine = engine
        self._profile = profile
        self._turn = turn
        self._scope = scope
        self._reader = reader
        self._wanted: Wanted = None
        self._applied: Wanted = None

    @property
    def in_use(self) -> list[AdapterUse]:
        """The adapters that the engine applies now, the reader first."""
        return self._engine.active_adapters

    def choose(self, wanted: Wanted) -> None:
        """Use these from now on.

        The base model's reader stays below them; it can be given another scale under its name.

        Raises:
            AdapterError: not found, stale, damaged or made for another base; those of before
                stay in use.
        """
        with self._turn:
            self._set(wanted)
            self._wanted = wanted if wanted is None else list(wanted)

    def apply(self, wanted: Wanted = None) -> None:
        """Set these on the engine for one answer; None sets those that were chosen.

        Raises:
            AdapterError: as for `choose`.
        """
        self._set(self._wanted if wanted is None else wanted)

    def _set(self, wanted: Wanted) -> None:
        self._engine.set_adapters(list(self._uses(self._active() if wanted is None else wanted)))
        self._applied = wanted

    def reapply(self) -> None:
        """Set those of the last time again, as far as the profile still allows it.

        If one of them went stale none stays on the engine; who asks for it next is told.
        """
        try:
            self._set(self._applied)
        except AdapterError:
            self._engine.set_adapters([])

    @contextlib.contextmanager
    def reader_alone(self) -> Iterator[None]:
        """Take the person's adapters away for a block; the reader stays."""
        with ending_with(self.apply):
            self.apply([])
            yield

    def use(self, name: str, scale: float | None = None) -> AdapterUse:
        """Return how the adapter `name` of the profile is applied; None is its own scale.

        Raises:
            AdapterError: not found, stale, for another base, or on top of another reader.
        """
        if self._profile is None:
            raise OndeviceError("Without a profile there are no adapters; open one.")
        below = {use.name: use.sha256 for use in self.in_use}.get(READER)
        return self._checked(AdapterRegistry(self._profile), name, scale, below)

    def _active(self) -> Sequence[tuple[str, float | None]]:
        if self._profile is None:
            return ()
        return [
            (row.name, row.scale)
            for row in self._profile.adapters.all()
            if row.state == "active" and row.scope in (None, self._scope)
        ]

    def _uses(self, wanted: Sequence[tuple[str, float | None]]) -> Iterator[AdapterUse]:
        reader, scale = self._reader_and_scale(dict(wanted).get(READER))
        if reader is not None:
            yield use_of_reader(reader, scale)
        if self._profile is None:
            return
        registry = AdapterRegistry(self._profile)
        below = reader.sha256 if reader is not None else None
        for name, own_scale in wanted:
            if name != READER:
                yield self._checked(registry, name, own_scale, below)

    def _checked(
        self, registry: AdapterRegistry, name: str, scale: float | None, below: str | None
    ) -> AdapterUse:
        registry.check_fit(name, self._engine.model, below)
        return use_of_row(registry, registry.get(name), scale)

    def _reader_and_scale(self, scale: float | None) -> tuple[Reader | None, float]:
        """Return the base model's reader, None if there is none or it is off, and its scale."""
        if not self._reader:
            return None, 0.0
        if scale is None:
            scale = self._profile.adapters.reader_scale() if self._profile is not None else 1.0
        return (builtin_reader(self._engine.model) if scale else None), scale
