"""The OpenAI-compatible API, below `/v1`."""

from __future__ import annotations

from starlette.routing import BaseRoute


def routes() -> list[BaseRoute]:
    """Return the routes, with paths relative to `/v1`."""
    return []
