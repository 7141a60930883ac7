"""`/v1/embeddings`."""

from __future__ import annotations

import base64

import numpy as np
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ondevice.memory.embedder import DIMENSIONS
from ondevice.server.errors import ApiError
from ondevice.server.openai.models import EMBEDDER
from ondevice.server.openai.requests import EmbeddingRequest, body_of
from ondevice.server.state import state_of


async def embeddings(request: Request) -> Response:
    """Return a vector of length 1 for each text."""
    body = await body_of(request, EmbeddingRequest)
    if body.model != EMBEDDER:
        raise ApiError(
            404, f"The embedding model here is '{EMBEDDER}'.", code="model_not_found", param="model"
        )
    if body.dimensions not in (None, DIMENSIONS):
        raise ApiError(
            400, f"The vectors have {DIMENSIONS} values.", code="invalid_value", param="dimensions"
        )
    embedder = state_of(request).assistant.embedder
    if embedder is None:
        raise ApiError(404, "This server has no embedder.", code="model_not_found", param="model")
    texts = [body.input] if isinstance(body.input, str) else body.input
    limiter = state_of(request).embedding
    vectors = await to_thread.run_sync(embedder.embed, texts, limiter=limiter)
    count = await to_thread.run_sync(lambda: sum(map(embedder.count_tokens, texts)))
    as_text = body.encoding_format == "base64"
    data = [
        {
            "object": "embedding",
            "index": number,
            "embedding": _as_base64(vector) if as_text else vector.tolist(),
        }
        for number, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": count, "total_tokens": count}
    return JSONResponse({"object": "list", "model": EMBEDDER, "data": data, "usage": usage})


def _as_base64(vector: np.ndarray) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
