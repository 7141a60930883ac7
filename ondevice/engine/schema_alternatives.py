"""Whether no value fits two of several JSON schemas, as `oneOf` demands."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any


def exclude_each_other(schemas: Sequence[Any]) -> bool:
    """Return whether it is certain that nothing fits two of `schemas`.

    They differ in type, in constants, or in the constants of a property that both require.
    """
    return all(_apart(one, other) for one, other in itertools.combinations(schemas, 2))


def _apart(one: Any, other: Any) -> bool:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    kinds = _kinds(one), _kinds(other)
    if kinds[0] and kinds[1] and not kinds[0] & kinds[1]:
        return True
    constants = _constants(one), _constants(other)
    if constants[0] is not None and constants[1] is not None:
        return not constants[0] & constants[1]
    both = set(_required(one)) & set(_required(other))
    only_objects = kinds == ({"object"}, {"object"})
    return only_objects and any(_differ(one, other, name) for name in both)


def _differ(one: dict[str, Any], other: dict[str, Any], name: str) -> bool:
    values = [
        _constants(schema["properties"].get(name))
        for schema in (one, other)
        if isinstance(schema.get("properties"), dict)
    ]
    return len(values) == 2 and None not in values and not values[0] & values[1]  # type: ignore[operator]


def _kinds(schema: dict[str, Any]) -> set[str]:
    kinds = schema.get("type")
    found = kinds if isinstance(kinds, list) else [kinds]
    return {"number" if kind == "integer" else kind for kind in found if isinstance(kind, str)}


def _constants(schema: Any) -> set[str] | None:
    if not isinstance(schema, dict):
        return None
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if not isinstance(values, list):
        return None
    return {json.dumps(value, sort_keys=True) for value in values}


def _required(schema: dict[str, Any]) -> Sequence[str]:
    required = schema.get("required", [])
    return (
        [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
    )
