"""The OpenAPI document, at `/openapi.json`; what it says of requests is what checks them."""

from __future__ import annotations

import functools
import re
from typing import Any

import pydantic
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

import ondevice
from ondevice.server.manage.contract import OPERATIONS, Operation
from ondevice.server.openai import answers as a
from ondevice.server.openai.requests import ChatRequest, CompletionRequest, EmbeddingRequest

_REFERENCE = "#/components/schemas/{model}"
_JSON = "application/json"
_EVENTS = "text/event-stream"
_FILE: dict[str, Any] = {"application/octet-stream": {"schema": {}}}


_WAYS_IN: dict[str, Any] = {
    "token": {"type": "http", "scheme": "bearer"},
    "page": {
        "type": "apiKey",
        "in": "cookie",
        "name": "ondevice-PORT",
        "description": "Set by /enter; what changes something needs the page's Origin.",
    },
}
Paths = dict[str, dict[str, Any]]  # by path and method


@functools.cache
def document() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of everything that is served except the page's files."""
    schemas = _Schemas()
    return {
        "openapi": "3.1.0",
        "info": {"title": "ondevice", "version": ondevice.__version__},
        "paths": {**_openai(schemas), **_own(schemas), **_management(schemas)},
        "components": {"schemas": schemas.all, "securitySchemes": _WAYS_IN},
        "security": [{"token": []}, {"page": []}],
    }


def _openai(schemas: _Schemas) -> Paths:
    """Return what is served as OpenAI's API has it."""
    chat = [(_JSON, a.ChatCompletion), (_EVENTS, a.StreamedChat)]
    text = [(_JSON, a.Completion), (_EVENTS, a.StreamedText)]
    vectors = [(_JSON, a.Embeddings)]
    listed = "The base, the base with each adapter, and the embedder."
    model = _parameter("model", "path", schemas.of(str), needed=True)
    asked = schemas.operation
    return {
        "/v1/chat/completions": {
            "post": asked("Answer a conversation's newest turn.", chat, ChatRequest)
        },
        "/v1/completions": {
            "post": asked("Go on with a text, without memory.", text, CompletionRequest)
        },
        "/v1/embeddings": {"post": asked("Return vectors of texts.", vectors, EmbeddingRequest)},
        "/v1/models": {"get": asked(listed, [(_JSON, a.Models)])},
        "/v1/models/{model}": {
            "get": {**asked("Describe one model.", [(_JSON, a.Model)]), "parameters": [model]}
        },
    }


def _own(schemas: _Schemas) -> Paths:
    """Return what is about the server itself."""
    health = schemas.operation("Whether the server is there.", [(_JSON, a.Health)])
    key = _parameter("key", "query", schemas.of(str), needed=True)
    return {
        "/health": {"get": {**health, "security": []}},
        "/openapi.json": {"get": schemas.operation("This document.", [(_JSON, dict[str, Any])])},
        "/enter": {
            "get": {
                "summary": "Use up a link; a cookie opens the page from then on.",
                "parameters": [key],
                "responses": {"303": {"description": "to the page"}, **schemas.refusals()},
                "security": [],
            }
        },
    }


def _management(schemas: _Schemas) -> Paths:
    """Return what the page uses."""
    described: Paths = {}
    for (method, path), operation in OPERATIONS.items():
        place = described.setdefault(f"/api{path}", {})
        place[method.lower()] = schemas.managed(path, method, operation)
    return described


class _Schemas:
    """Collects the schemas of models under their names."""

    def __init__(self) -> None:
        self.all: dict[str, Any] = {}
        self._of: dict[str, Any] = {}

    def of(self, model: Any) -> dict[str, Any]:
        """Return a schema that refers to the collected ones."""
        key = repr(model)
        if key not in self._of:
            made = TypeAdapter(model).json_schema(
                ref_template=_REFERENCE, schema_generator=GenerateJsonSchema
            )
            self._keep(made.pop("$defs", {}))
            if isinstance(model, type) and issubclass(model, pydantic.BaseModel):
                self._keep({model.__name__: made})
                made = {"$ref": _REFERENCE.format(model=model.__name__)}
            self._of[key] = made
        found: dict[str, Any] = self._of[key]
        return found

    def _keep(self, schemas: dict[str, Any]) -> None:
        for name, schema in schemas.items():
            assert self.all.setdefault(name, schema) == schema, f"two models are called {name}"

    def refusals(self) -> dict[str, Any]:
        """Return the responses of whatever goes wrong."""
        content = {_JSON: {"schema": self.of(a.Error)}}
        return {"default": {"description": "a refusal", "content": content}}

    def operation(
        self,
        summary: str,
        answers: list[tuple[str, Any]],
        body: type[pydantic.BaseModel] | None = None,
    ) -> dict[str, Any]:
        """Return one method of a path."""
        content = {kind: {"schema": self._sent(kind, model)} for kind, model in answers}
        made: dict[str, Any] = {
            "summary": summary,
            "responses": {"200": {"description": "the answer", "content": content}}
            | self.refusals(),
        }
        if body is not None:
            made["requestBody"] = {
                "required": True,
                "content": {_JSON: {"schema": self.of(body)}},
            }
        return made

    def _sent(self, kind: str, model: Any) -> dict[str, Any]:
        if kind != _EVENTS:
            return self.of(model)
        return {
            "type": "string",
            "description": "Lines 'data: ' and JSON of this kind; lines that begin with ':' only "
            "show that the server is there; /v1 ends with 'data: [DONE]'.",
            "contentMediaType": _JSON,
            "contentSchema": self.of(model),
        }

    def managed(self, path: str, method: str, operation: Operation) -> dict[str, Any]:
        """Return one operation of the management API."""
        form = {"json": _JSON, "events": _EVENTS}.get(operation.form)
        if form is None:
            made = self.operation(operation.summary, [])
            made["responses"]["200"]["content"] = _FILE
        else:
            made = self.operation(operation.summary, [(form, operation.answers)])
        in_path = re.findall(r"\{(\w+)\}", path)
        in_query = method == "GET" or operation.upload
        schema = operation.takes.model_json_schema(ref_template=_REFERENCE)
        needed = schema.get("required", [])
        parameters, inside = [], {}
        for name, part in schema.get("properties", {}).items():
            if name in in_path or in_query:
                where = "path" if name in in_path else "query"
                parameters.append(_parameter(name, where, part, needed=name in needed))
            else:
                inside[name] = part
        if parameters:
            made["parameters"] = parameters
        if operation.upload:
            made["requestBody"] = {"required": True, "content": _FILE}
        elif method != "GET":
            rest = [name for name in needed if name in inside]
            body = {"type": "object", "properties": inside, "additionalProperties": False}
            body |= {"required": rest} if rest else {}
            made["requestBody"] = {"required": bool(rest), "content": {_JSON: {"schema": body}}}
        return made


def _parameter(name: str, where: str, schema: dict[str, Any], *, needed: bool) -> dict[str, Any]:
    return {"name": name, "in": where, "required": needed or where == "path", "schema": schema}


async def openapi(_: Request) -> Response:
    """Return the document."""
    return JSONResponse(document())
