"""The management API of the web page, below `/api`."""

from __future__ import annotations

from starlette.routing import BaseRoute


def routes() -> list[BaseRoute]:
    """Return the routes, with paths relative to `/api`."""
    return []
