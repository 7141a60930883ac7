"""The OpenAI-compatible API, below `/v1`."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from ondevice.server.openai.chat import chat_completions
from ondevice.server.openai.completions import completions
from ondevice.server.openai.embeddings import embeddings
from ondevice.server.openai.models import list_models, show_model


def routes() -> list[BaseRoute]:
    """Return the routes, with paths relative to `/v1`."""
    return [
        Route("/chat/completions", chat_completions, methods=["POST"]),
        Route("/completions", completions, methods=["POST"]),
        Route("/embeddings", embeddings, methods=["POST"]),
        Route("/models", list_models, methods=["GET"]),
        Route("/models/{model:path}", show_model, methods=["GET"]),
    ]
