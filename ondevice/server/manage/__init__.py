"""The management API of the web page, below `/api`."""

from __future__ import annotations

from starlette.routing import BaseRoute

from ondevice.server.manage.adapters import adapter_routes
from ondevice.server.manage.conversation import chat_routes
from ondevice.server.manage.imports import import_routes
from ondevice.server.manage.learning import learning_routes
from ondevice.server.manage.memories import memory_routes
from ondevice.server.manage.page import Page
from ondevice.server.manage.privacy import privacy_routes
from ondevice.server.manage.protection import protection_routes
from ondevice.server.manage.settings import setting_routes


def routes(page: Page) -> list[BaseRoute]:
    """Return the routes, with paths relative to `/api`."""
    return [
        *chat_routes(page),
        *memory_routes(page),
        *import_routes(page),
        *learning_routes(page),
        *adapter_routes(page),
        *privacy_routes(page),
        *protection_routes(page),
        *setting_routes(page),
    ]
