"""Other adapters for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from ondevice.engine.protocol import AdapterUse, Engine
from ondevice.errors import AdapterError, ending_with


@contextlib.contextmanager
def borrowed(engine: Engine) -> Iterator[None]:
    """Let the block apply other adapters; those that were in use before are put back at its end.

    One that nobody can read any more, because something that it learned was forgotten meanwhile,
    is left out. What goes wrong at the end hides no error of the block.
    """
    before = engine.active_adapters
    with ending_with(lambda: _put_back(engine, before)):
        yield


def _put_back(engine: Engine, before: Sequence[AdapterUse]) -> None:
    if engine.active_adapters == before:
        return
    try:
        engine.set_adapters(before)
    except AdapterError:
        usable: list[AdapterUse] = []
        engine.set_adapters(usable)
        for use in before:
            with contextlib.suppress(AdapterError):
                engine.set_adapters([*usable, use])
                usable.append(use)
