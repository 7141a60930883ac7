"""The management API of the web page, below `/api`."""

from __future__ import annotations

from ondevice.server.manage import (
    adapters,
    conversation,
    imports,
    learning,
    memories,
    privacy,
    protection,
    settings,
)

GROUPS = (
    conversation.routes,
    memories.routes,
    imports.routes,
    learning.routes,
    adapters.routes,
    privacy.routes,
    protection.routes,
    settings.routes,
)
