"""Everything that the page needs, as routes for an application to add to its own."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from ondevice.server.page.adapters import adapter_routes
from ondevice.server.page.conversation import chat_routes
from ondevice.server.page.imports import import_routes
from ondevice.server.page.learning import learning_routes
from ondevice.server.page.memories import memory_routes
from ondevice.server.page.page import Page
from ondevice.server.page.privacy import privacy_routes

STATIC = Path(__file__).parent.parent / "static"

# The page needs nothing but its own files, and strings never become markup or code.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


def page_routes(page: Page) -> list[BaseRoute]:
    """Return the page, its files and the management API."""

    async def index(request: Request) -> Response:
        headers = {
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-cache",
        }
        return FileResponse(STATIC / "index.html", media_type="text/html", headers=headers)

    return [
        Route("/", index, methods=["GET"]),
        *chat_routes(page),
        *memory_routes(page),
        *import_routes(page),
        *learning_routes(page),
        *adapter_routes(page),
        *privacy_routes(page),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
