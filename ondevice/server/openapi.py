"""The OpenAPI document, at `/openapi.json`; the bodies' schemas are those that check them."""

from __future__ import annotations

from typing import Any

import pydantic
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

import ondevice
from ondevice.server.openai.requests import ChatRequest, CompletionRequest, EmbeddingRequest

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
_BODIES: dict[str, tuple[type[pydantic.BaseModel], str]] = {
    "/v1/chat/completions": (ChatRequest, "Answer the newest turn of a conversation."),
    "/v1/completions": (CompletionRequest, "Go on with a text, without memory."),
    "/v1/embeddings": (EmbeddingRequest, "Return vectors of texts."),
}
_LISTS = {
    "/v1/models": "The base model, the base with each adapter, and the embedder.",
    "/health": "Whether the server is there; needs no token.",
}


def document() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the public API."""
    _, schemas = pydantic.json_schema.models_json_schema(
        [(model, "validation") for model, _ in _BODIES.values()],
        ref_template="#/components/schemas/{model}",
    )
    paths: dict[str, Any] = {}
    for path, (model, summary) in _BODIES.items():
        reference = {"$ref": f"#/components/schemas/{model.__name__}"}
        paths[path] = {
            "post": {
                "summary": summary,
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": reference}},
                },
                "responses": _responses("the answer; with `stream`, server-sent events"),
            }
        }
    for path, summary in _LISTS.items():
        paths[path] = {"get": {"summary": summary, "responses": _responses("the answer")}}
    paths["/health"]["get"]["security"] = []
    return {
        "openapi": "3.1.0",
        "info": {"title": "ondevice", "version": ondevice.__version__},
        "paths": paths,
        "components": {
            "schemas": {**schemas["$defs"], "Error": _ERROR},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _responses(description: str) -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        "200": {"description": description},
        "default": {"description": "a refusal", "content": error},
    }


async def openapi(_: Request) -> Response:
    """Return the document."""
    return JSONResponse(document())
