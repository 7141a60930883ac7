"""The OpenAPI document, at `/openapi.json`, made of the routes that it describes."""

from __future__ import annotations

import functools
import operator
import re
import typing
from typing import Any

import pydantic
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

import ondevice
from ondevice.server import entry, manage, openai
from ondevice.server.errors import Error
from ondevice.server.events import Events
from ondevice.server.routing import (
    BINARY,
    JSON,
    Download,
    Json,
    Operation,
    Redirect,
    Routes,
    Upload,
)
from ondevice.server.security import is_guarded
from ondevice.server.state import ServerState

GROUPS: tuple[Routes[Any], ...] = (entry.about, entry.sessions, *openai.GROUPS, *manage.GROUPS)

_REFERENCE = "#/components/schemas/{model}"
_FILE: dict[str, Any] = {BINARY: {"schema": {}}}
_WAYS_IN: dict[str, Any] = {
    "token": {"type": "http", "scheme": "bearer"},
    "page": {
        "type": "apiKey",
        "in": "cookie",
        "name": "ondevice-PORT",
        "description": "Set by /enter; what changes something needs the page's Origin.",
    },
}


@entry.about.get("/openapi.json")
def openapi(_: ServerState) -> dict[str, Any]:
    """This document."""
    return document()


@functools.cache
def document() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of everything that is served except the page's files."""
    schemas = _Schemas()
    paths: dict[str, dict[str, Any]] = {}
    for group in GROUPS:
        for operation in group.operations:
            path = re.sub(r":\w+\}", "}", group.prefix + operation.path)
            described = schemas.operation(operation)
            if not is_guarded(path):
                described["security"] = []
            paths.setdefault(path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": "ondevice", "version": ondevice.__version__},
        "paths": paths,
        "components": {"schemas": schemas.all, "securitySchemes": _WAYS_IN},
        "security": [{"token": []}, {"page": []}],
    }


class _Generate(GenerateJsonSchema):
    """Says of dataclasses that are answered that all their fields are always there."""

    def field_is_required(self, field: Any, total: bool) -> bool:
        """Return whether an object must have the field."""
        always = self.mode == "serialization" and field["type"] == "dataclass-field"
        return always or super().field_is_required(field, total)


class _Schemas:
    """Collects the schemas of models under their names."""

    def __init__(self) -> None:
        self.all: dict[str, Any] = {}

    def of(self, model: Any, mode: typing.Literal["validation", "serialization"]) -> dict[str, Any]:
        """Return a schema that refers to the collected ones."""
        made = TypeAdapter(model).json_schema(
            ref_template=_REFERENCE, schema_generator=_Generate, mode=mode
        )
        self._keep(made.pop("$defs", {}))
        if isinstance(model, type) and issubclass(model, pydantic.BaseModel):
            self._keep({model.__name__: made})
            return {"$ref": _REFERENCE.format(model=model.__name__)}
        return made

    def _keep(self, schemas: dict[str, Any]) -> None:
        for name, schema in schemas.items():
            assert self.all.setdefault(name, schema) == schema, f"two models are called {name}"

    def operation(self, operation: Operation) -> dict[str, Any]:
        """Return one method of a path."""
        refused = {"description": "a refusal", "content": {JSON: {"schema": self._answer(Error)}}}
        made: dict[str, Any] = {
            "summary": operation.summary,
            "responses": {**self._responses(operation), "default": refused},
        }
        if parameters := self._parameters(operation):
            made["parameters"] = parameters
        if operation.body == Upload:
            made["requestBody"] = {"required": True, "content": _FILE}
        elif operation.body is not None:
            needed = any(one.is_required() for one in operation.body.model_fields.values())
            content = {JSON: {"schema": self.of(operation.body, "validation")}}
            made["requestBody"] = {"required": needed, "content": content}
        return made

    def _parameters(self, operation: Operation) -> list[dict[str, Any]]:
        in_path = re.findall(r"\{(\w+)", operation.path)
        made = [_parameter(name, "path", {"type": "string"}, needed=True) for name in in_path]
        if operation.query is not None:
            schema = operation.query.model_json_schema(ref_template=_REFERENCE)
            needed = schema.get("required", ())
            made += [
                _parameter(name, "query", part, needed=name in needed)
                for name, part in schema.get("properties", {}).items()
            ]
        return made

    def _responses(self, operation: Operation) -> dict[str, Any]:
        content: dict[str, Any] = {}
        answers: list[Any] = []  # of which one comes as JSON
        for kind in operation.answers:
            origin, inside = typing.get_origin(kind), typing.get_args(kind)
            if kind is Redirect:
                return {"303": {"description": "to the page"}}
            if kind is Download:
                content |= _FILE
            elif origin is Events:
                content["text/event-stream"] = {"schema": self._events(inside[0])}
            else:
                answers.append(inside[0] if origin is Json else kind)
        if answers:
            content[JSON] = {"schema": self._answer(functools.reduce(operator.or_, answers))}
        return {"200": {"description": "the answer", "content": content}}

    def _answer(self, kind: Any) -> dict[str, Any]:
        return self.of(kind, "serialization")

    def _events(self, kind: Any) -> dict[str, Any]:
        return {
            "type": "string",
            "description": "Lines 'data: ' and JSON of this kind; lines that begin with ':' only "
            "show that the server is there; /v1 ends with 'data: [DONE]'.",
            "contentMediaType": JSON,
            "contentSchema": self._answer(kind | Error),
        }


def _parameter(name: str, where: str, schema: dict[str, Any], *, needed: bool) -> dict[str, Any]:
    return {"name": name, "in": where, "required": needed, "schema": schema}
