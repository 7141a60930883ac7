"""`/v1/embeddings`."""

from __future__ import annotations

import base64

import numpy as np
from anyio import to_thread

from ondevice.server.errors import ApiError
from ondevice.server.openai.answers import Embedding, Embeddings, EmbeddingUsage
from ondevice.server.openai.requests import EmbeddingRequest, openai_routes
from ondevice.server.state import ServerState

routes = openai_routes()


@routes.post("/embeddings")
async def embeddings(state: ServerState, body: EmbeddingRequest) -> Embeddings:
    """Return vectors of texts."""
    embedder = state.assistant.memory.embedder
    if body.model != embedder.name:
        told = f"The embedding model here is '{embedder.name}'."
        raise ApiError(404, told, code="model_not_found", param="model")
    if body.dimensions not in (None, embedder.dimensions):
        told = f"The vectors have {embedder.dimensions} values."
        raise ApiError(400, told, code="invalid_value", param="dimensions")
    texts = [body.input] if isinstance(body.input, str) else body.input
    vectors = await to_thread.run_sync(embedder.embed, texts, limiter=state.embedding)
    count = await to_thread.run_sync(lambda: sum(map(embedder.count_tokens, texts)))
    as_text = body.encoding_format == "base64"
    return Embeddings(
        object="list",
        model=embedder.name,
        data=[
            Embedding(
                object="embedding",
                index=number,
                embedding=_as_base64(vector) if as_text else vector.tolist(),
            )
            for number, vector in enumerate(vectors)
        ],
        usage=EmbeddingUsage(prompt_tokens=count, total_tokens=count),
    )


def _as_base64(vector: np.ndarray) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
