"""JSON schemas to GBNF grammars, with bounds: a schema comes from a stranger."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ondevice.errors import EngineError

MAX_NODES = 2000  # parts of a schema
MAX_DEPTH = 40
MAX_REPEAT = 1000  # items or characters that a schema may count
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength")

ANY_OBJECT: Mapping[str, Any] = {"type": "object"}


def grammar_for_schema(schema: Mapping[str, Any]) -> str:
    """Return a grammar that only JSON which fits `schema` passes.

    Raises:
        EngineError: the schema is too large, refers to elsewhere, or uses what grammars cannot say.
    """
    from llama_cpp.llama_grammar import json_schema_to_gbnf

    _check(schema)
    try:
        return str(json_schema_to_gbnf(json.dumps(schema)))
    except (ValueError, TypeError, KeyError, AttributeError, AssertionError, IndexError) as error:
        raise EngineError(
            f"The JSON schema cannot be made into a grammar ({error}); use a simpler one."
        ) from error
    except RecursionError as error:
        raise EngineError(
            "The JSON schema refers to itself without end; give it an end."
        ) from error


def _check(schema: Mapping[str, Any]) -> None:
    nodes = 0
    waiting: list[tuple[Any, int]] = [(schema, 0)]
    while waiting:
        part, depth = waiting.pop()
        nodes += 1
        if nodes > MAX_NODES or depth > MAX_DEPTH:
            raise EngineError("The JSON schema is too large; use a simpler one.")
        if isinstance(part, dict):
            reference = part.get("$ref")
            if isinstance(reference, str) and not reference.startswith("#/"):
                raise EngineError("The JSON schema refers to another document; put all in one.")
            if isinstance(part.get("pattern"), str):
                raise EngineError(
                    "The JSON schema has a 'pattern', which is not supported; leave it out."
                )
            for key in _COUNTS:
                count = part.get(key)
                if isinstance(count, int | float) and not 0 <= count <= MAX_REPEAT:
                    raise EngineError(
                        f"In the JSON schema, '{key}' may be 0 to {MAX_REPEAT}; choose a "
                        "number in between."
                    )
        children = part.values() if isinstance(part, dict) else part
        if isinstance(part, dict | list):
            waiting.extend((child, depth + 1) for child in children)
