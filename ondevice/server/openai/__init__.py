"""The OpenAI-compatible API, below `/v1`."""

from __future__ import annotations

from ondevice.server.openai import chat, completions, embeddings, models

GROUPS = (chat.routes, completions.routes, embeddings.routes, models.routes)
