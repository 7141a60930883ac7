"""What does not fit in a request, as one sentence: it names our fields and repeats no value."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pydantic
from pydantic import BaseModel, BeforeValidator
from pydantic_core import PydanticCustomError

_OWN = "ondevice"  # the type of errors whose messages are sentences of ours

_SENTENCES = {
    "missing": "is missing",
    "string_type": "must be a text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "is too large",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "literal_error": "must be {expected}",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "string_too_short": "has too few characters; send at least {min_length}",
    "string_too_long": "has too many characters; send at most {max_length}",
    "too_short": "has too few entries; send at least {min_length}",
    "too_long": "has too many entries; send at most {max_length}",
    "string_pattern_mismatch": "must match {pattern}",
}


def refusal(error: pydantic.ValidationError, model: type[BaseModel]) -> tuple[str, str | None]:
    """Return what is wrong as a sentence, and the name of the field at fault."""
    found = error.errors(include_url=False, include_input=False)
    # Of the ways in which one of several types does not fit the deepest is what was meant.
    worst = max(found, key=lambda one: len(one["loc"]))
    kind, context = worst["type"], worst.get("ctx", {})
    ours = _names(model)
    name = ".".join(str(part) for part in worst["loc"] if isinstance(part, int) or part in ours)
    if kind == _OWN:
        return worst["msg"], name or None
    if kind == "json_invalid":
        return "The body is not JSON; send an object.", None
    if kind == "extra_forbidden":
        return "There is no such field here; see /openapi.json.", None
    if not name:
        return "The body must be a JSON object.", None
    return f"The field '{name}' {_SENTENCES.get(kind, 'does not fit').format(**context)}.", name


def only_if(fits: Callable[[Any], bool], sentence: str) -> BeforeValidator:
    """Return a check of a field that refuses with a `sentence` of its own what does not fit."""

    def check(value: Any) -> Any:
        if not fits(value):
            raise PydanticCustomError(_OWN, "{sentence}", {"sentence": sentence})
        return value

    return BeforeValidator(check)


@functools.cache
def _names(model: type[BaseModel]) -> frozenset[str]:
    """Return the names of all fields in `model` and below it."""
    return frozenset(_properties(model.model_json_schema()))


def _properties(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", ())
        for part in schema.values():
            yield from _properties(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _properties(part)
