"""What tests ask the line before the model."""

from __future__ import annotations

from starlette.applications import Starlette


def is_free(app: Starlette) -> bool:
    """Whether nobody holds the model of a served app."""
    return not app.state.ondevice.queue._busy  # nobody else has to know: they wait for their turn
