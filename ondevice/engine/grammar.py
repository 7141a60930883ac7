"""Grammars (GBNF) of JSON that fits a schema; schemas come from strangers and are bounded.

A grammar may allow less than its schema (keys stand in the schema's order, optional whitespace is
one space at most) but nothing else: what a grammar cannot say is refused by name instead of being
left out silently.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ondevice.engine import number_grammar, string_grammar
from ondevice.engine.schema_alternatives import exclude_each_other
from ondevice.errors import EngineError

MAX_NODES = 2000  # parts of a schema
MAX_DEPTH = 40
MAX_REPEAT = 1000  # items or characters that a schema may count

ANY_OBJECT: Mapping[str, Any] = {"type": "object"}
_NO_ARGUMENTS: Mapping[str, Any] = {"type": "object", "properties": {}}

_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_SPACE = '" "?'

# What says something about a value beside these is refused; all other words only describe.
_NOT_SAID = frozenset(
    (
        "pattern",
        "multipleOf",
        "uniqueItems",
        "contains",
        "minContains",
        "maxContains",
        "patternProperties",
        "propertyNames",
        "minProperties",
        "maxProperties",
        "dependentRequired",
        "dependentSchemas",
        "dependencies",
        "not",
        "if",
        "unevaluatedItems",
        "unevaluatedProperties",
        "additionalItems",
        "$dynamicRef",
        "$recursiveRef",
    )
)
_HINTS = {  # a schema without a type is taken to be of the type that its words are about
    "object": ("properties", "required", "additionalProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems"),
    "string": ("minLength", "maxLength", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
}
_SAYS = frozenset(word for words in _HINTS.values() for word in words) | _NOT_SAID


def grammar_for_schema(schema: Mapping[str, Any]) -> str:
    """Return a grammar that only JSON which fits `schema` passes.

    Raises:
        EngineError: the schema is too large, refers to elsewhere, or uses what grammars cannot say.
    """
    rules = _Rules()
    rules.text["root"] = _Document(rules, schema).value(schema, "#")
    return str(rules)


def grammar_for_calls(
    functions: Iterable[tuple[str, Mapping[str, Any] | None]], *, or_words: bool = False
) -> str:
    """Return a grammar of `{"name": …, "arguments": …}` for one of `functions`.

    Args:
        functions: names, and schemas of the arguments (None: there are none).
        or_words: any text that begins with another character passes, too.

    Raises:
        EngineError: as for `grammar_for_schema`.
    """
    rules, calls = _Rules(), []
    for name, schema in functions:
        wanted = _NO_ARGUMENTS if schema is None or schema == {} else schema
        if wanted.get("type", "object") != "object":
            raise EngineError(
                f"The parameters of the function '{name}' must be an object; give it properties."
            )
        arguments = _Document(rules, wanted).value({**wanted, "type": "object"}, "#")
        pairs = [_pair("name", _literal(name)), _pair("arguments", arguments)]
        calls.append(rules.add(_between("{", f' "," {_SPACE} '.join(pairs), "}")))
    if or_words:
        calls.append(rules.add(r"[^{ \t\r\n] [^\x00]*"))
    rules.text["root"] = " | ".join(calls)
    return str(rules)


class _Rules:
    """The rules of a grammar by name; equal ones are written once."""

    def __init__(self) -> None:
        self.text: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def add(self, body: str) -> str:
        """Return the name of a rule that says `body`."""
        if body not in self._names:
            self._names[body] = self.reserve()
            self.text[self._names[body]] = body
        return self._names[body]

    def reserve(self) -> str:
        """Return a new name, whose rule is written later."""
        name = f"r{len(self.text)}"
        self.text[name] = ""
        return name

    def __str__(self) -> str:
        return "\n".join(f"{name} ::= {body}" for name, body in self.text.items())


class _Document:
    """A schema with the definitions that its references mean."""

    def __init__(self, rules: _Rules, root: Mapping[str, Any]) -> None:
        _check_size(root)
        self._rules = rules
        self._root = root
        self._referred: dict[str, str] = {}
        self._open: list[str] = []  # references that are followed before a character is read

    def value(self, schema: Any, at: str) -> str:
        """Return an expression for what fits `schema`, which stands at the pointer `at`."""
        if schema is True:
            schema = {}
        if not isinstance(schema, dict):
            raise _refused(at, "nothing fits it" if schema is False else "it is not a schema")
        for word in _NOT_SAID & schema.keys():
            if schema[word] is not False and not (word == "multipleOf" and schema[word] == 1):
                raise _refused(at, f"'{word}' is not supported")
        for word in ("$ref", "allOf", "anyOf", "oneOf"):
            if word in schema:
                return self._combined(schema, word, at)
        if "const" in schema or "enum" in schema:
            return self._constants(schema, at)
        kinds = _types(schema, at)
        if len(kinds) == 1:
            return self._of_type(kinds[0], schema, at)
        return self._rules.add(" | ".join(self._of_type(kind, schema, at) for kind in kinds))

    def _combined(self, schema: dict[str, Any], word: str, at: str) -> str:
        beside = {k: v for k, v in schema.items() if k in _SAYS or k in ("type", "const", "enum")}
        beside |= {k: schema[k] for k in ("$ref", "allOf", "anyOf", "oneOf") if k in schema}
        part = beside.pop(word)
        if word == "$ref":
            if beside:
                raise _refused(at, f"beside '$ref' stands '{min(beside)}'")
            return self._reference(part, at)
        if not isinstance(part, list) or not part:
            raise _refused(at, f"'{word}' must be a list of schemas")
        if word == "allOf":
            if len(part) > 1 or not isinstance(part[0], dict) or beside.keys() & part[0].keys():
                raise _refused(at, "'allOf' of several schemas is not supported")
            return self.value({**beside, **part[0]}, f"{at}/allOf/0")
        if beside.keys() - {"type"}:
            raise _refused(at, f"beside '{word}' stands '{min(beside.keys() - {'type'})}'")
        if "type" in beside:
            part = [_typed(one, beside["type"], at) for one in part]
        if word == "oneOf" and not exclude_each_other([self._target(one) for one in part]):
            raise _refused(at, "the schemas of 'oneOf' may overlap; use 'anyOf'")
        alternatives = [self.value(one, f"{at}/{word}/{n}") for n, one in enumerate(part)]
        return self._rules.add(" | ".join(dict.fromkeys(alternatives)))

    def _reference(self, reference: Any, at: str) -> str:
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            raise _refused(at, "it refers to another document; put all in one")
        if reference in self._open:
            raise _refused(at, "it refers to itself without end")
        if reference not in self._referred:
            name = self._referred[reference] = self._rules.reserve()
            self._open.append(reference)
            self._rules.text[name] = self.value(self._at(reference, at), reference)
            self._open.pop()
        return self._referred[reference]

    def _at(self, reference: str, at: str) -> Any:
        part: Any = self._root
        for step in reference.split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(part, list) and key.isascii() and key.isdigit() and int(key) < len(part):
                part = part[int(key)]
            elif isinstance(part, dict) and key in part:
                part = part[key]
            else:
                raise _refused(at, f"there is no '{reference}' in it")
        return part

    def _target(self, schema: Any) -> Any:
        """Return what `schema` refers to, if it only refers."""
        for _ in range(MAX_DEPTH):
            if not isinstance(schema, dict) or not isinstance(schema.get("$ref"), str):
                return schema
            schema = self._at(schema["$ref"], "#")
        return {}

    def _constants(self, schema: dict[str, Any], at: str) -> str:
        values = [schema["const"]] if "const" in schema else schema["enum"]
        if not isinstance(values, list):
            raise _refused(at, "'enum' must be a list")
        if "const" in schema and "enum" in schema and schema["const"] not in schema["enum"]:
            raise _refused(at, "nothing fits it")
        kinds = _types(schema, at) if "type" in schema else _TYPES
        fitting = [value for value in values if any(_is_of(kind, value) for kind in kinds)]
        if not fitting:
            raise _refused(at, "nothing fits it")
        if said := schema.keys() & _SAYS:
            raise _refused(at, f"beside constants stands '{min(said)}'")
        return self._rules.add(" | ".join(_literal(value) for value in fitting))

    def _of_type(self, kind: str, schema: dict[str, Any], at: str) -> str:
        if kind == "object":
            return self._guarded(lambda: self._object(schema, at))
        if kind == "array":
            return self._guarded(lambda: self._array(schema, at))
        if kind == "string":
            return self._string(schema, at)
        if kind in ("number", "integer"):
            try:
                return self._rules.add(number_grammar.expression(kind, schema))
            except ValueError as error:
                raise _refused(at, str(error)) from None
        return self._rules.add('"true" | "false"' if kind == "boolean" else '"null"')

    def _guarded(self, make: Any) -> str:
        """Make a rule that reads a bracket first, so that what is inside may refer to it."""
        opened, self._open = self._open, []
        try:
            return self._rules.add(make())
        finally:
            self._open = opened

    def _object(self, schema: dict[str, Any], at: str) -> str:
        properties, required = schema.get("properties", {}), schema.get("required", [])
        more = schema.get("additionalProperties", "properties" not in schema)
        if not isinstance(properties, dict) or not _are_texts(required):
            raise _refused(at, "'properties' or 'required' is not a list of names")
        if not properties and not required:
            return self._map(more, at)
        if isinstance(more, dict) and more and properties:
            raise _refused(at, "'additionalProperties' of a kind beside 'properties'")
        unlisted = [name for name in dict.fromkeys(required) if name not in properties]
        if unlisted and more is False:
            raise _refused(at, f"'{unlisted[0]}' is required and not among the properties")
        wanted = {**properties, **dict.fromkeys(unlisted, more or True)}
        pairs = [
            (self._rules.add(_pair(name, self.value(part, f"{at}/properties/{name}"))), name)
            for name, part in wanted.items()
        ]
        return _between("{", self._pairs([(pair, name in required) for pair, name in pairs]), "}")

    def _pairs(self, pairs: Sequence[tuple[str, bool]]) -> str:
        """Return pairs in order, of which only some are required, with commas between them."""
        first = ""  # nothing before; what follows when no pair was written yet
        later = ""  # what follows when one was
        for pair, needed in reversed(pairs):
            begun = f"{pair} {later}".strip()
            otherwise = first or '""'
            first = begun if needed else self._rules.add(f"{begun} | {otherwise}")
            with_comma = f'"," {_SPACE} {pair}'
            later = f"{with_comma} {later}" if needed else f"({with_comma})? {later}"
        return first

    def _map(self, more: Any, at: str) -> str:
        if more is False:
            return _between("{", "", "}")
        name = self._string({}, at)
        content = {} if more is True else more
        of_any = content == {}
        inside = self._any() if of_any else self.value(content, f"{at}/additionalProperties")
        pair = self._rules.add(f'{name} {_SPACE} ":" {_SPACE} {inside}')
        return _between("{", f'({pair} ("," {_SPACE} {pair})*)?', "}")

    def _array(self, schema: dict[str, Any], at: str) -> str:
        least, most = _counts(schema, "minItems", "maxItems", at)
        first, rest = schema.get("prefixItems", []), schema.get("items", True)
        if not isinstance(first, list) or not isinstance(rest, dict | bool):
            raise _refused(at, "'items' must be a schema")
        if first:
            if least > len(first) or (most is not None and most < len(first)):
                raise _refused(at, "'minItems' or 'maxItems' does not suit 'prefixItems'")
            parts = [self.value(one, f"{at}/prefixItems/{n}") for n, one in enumerate(first)]
            return _between("[", f' "," {_SPACE} '.join(parts), "]")
        if rest is False or most == 0:
            if least:
                raise _refused(at, "nothing fits it")
            return _between("[", "", "]")
        item = self._any() if rest in (True, {}) else self.value(rest, f"{at}/items")
        more = self._rules.add(f'"," {_SPACE} {item}')
        upper = "" if most is None else str(most - 1)
        several = f"{item} {more}{{{max(least - 1, 0)},{upper}}}" if upper != "0" else item
        return _between("[", several if least else f"({several})?", "]")

    def _string(self, schema: dict[str, Any], at: str) -> str:
        least, most = _counts(schema, "minLength", "maxLength", at)
        if schema.get("format") is not None:
            try:
                expression = string_grammar.of_format(schema["format"])
            except ValueError as error:
                raise _refused(at, str(error)) from None
            if least or most is not None:
                raise _refused(at, "'format' and a length exclude each other")
            return self._rules.add(expression)
        character = self._rules.add(string_grammar.CHARACTER)
        return self._rules.add(string_grammar.of_length(character, least, most))

    def _any(self) -> str:
        """Return a rule for any JSON value."""
        if "any" not in self._rules.text:
            self._rules.text["any"] = ""
            kinds = [self._of_type(kind, {}, "#") for kind in _TYPES if kind != "integer"]
            self._rules.text["any"] = " | ".join(kinds)
        return "any"


def _types(schema: dict[str, Any], at: str) -> Sequence[str]:
    kinds = schema.get("type")
    if kinds is None:
        hinted = [kind for kind, words in _HINTS.items() if any(word in schema for word in words)]
        return hinted[:1] or [kind for kind in _TYPES if kind != "integer"]
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not isinstance(kinds, list) or not kinds or any(kind not in _TYPES for kind in kinds):
        raise _refused(at, f"the type may be {', '.join(_TYPES)}")
    return kinds


def _is_of(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if kind == "number":
        return isinstance(value, int | float)
    python: dict[str, type] = {
        "object": dict,
        "array": list,
        "string": str,
        "null": type(None),
    }
    return kind in python and isinstance(value, python[kind])


def _typed(schema: Any, kind: Any, at: str) -> Any:
    if not isinstance(schema, dict) or schema.get("type", kind) != kind:
        raise _refused(at, "a type and one of its alternatives contradict each other")
    return schema if "$ref" in schema else {**schema, "type": kind}


def _counts(schema: dict[str, Any], low: str, high: str, at: str) -> tuple[int, int | None]:
    least, most = schema.get(low, 0), schema.get(high)
    for word, count in ((low, least), (high, most)):
        fits = isinstance(count, int | float) and not isinstance(count, bool)
        if count is not None and not (fits and 0 <= count <= MAX_REPEAT and count == int(count)):
            raise _refused(at, f"'{word}' may be 0 to {MAX_REPEAT}")
    if most is not None and least > most:
        raise _refused(at, "nothing fits it")
    return int(least), None if most is None else int(most)


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _between(opening: str, content: str, closing: str) -> str:
    return f'"{opening}" {_SPACE} {content} {_SPACE} "{closing}"'


def _pair(name: str, value: str) -> str:
    return f'{_literal(name)} {_SPACE} ":" {_SPACE} {value}'


def _literal(value: Any) -> str:
    """Return the JSON of `value` as a literal of the grammar."""
    try:
        said = json.dumps(value, ensure_ascii=False, allow_nan=False)
        said.encode()
    except UnicodeEncodeError:  # half a character
        said = json.dumps(value)
    except ValueError as error:
        raise EngineError(
            "A constant of the JSON schema is not a JSON value; remove it."
        ) from error
    return '"' + said.replace("\\", "\\\\").replace('"', '\\"').replace("\x7f", "\\x7F") + '"'


def _check_size(schema: Mapping[str, Any]) -> None:
    nodes = 0
    waiting: list[tuple[Any, int]] = [(schema, 0)]
    while waiting:
        part, depth = waiting.pop()
        nodes += 1
        if nodes > MAX_NODES or depth > MAX_DEPTH:
            raise EngineError("The JSON schema is too large; use a simpler one.")
        children = part.values() if isinstance(part, dict) else part
        if isinstance(part, dict | list):
            waiting.extend((child, depth + 1) for child in children)


def _refused(at: str, why: str) -> EngineError:
    return EngineError(
        f"The JSON schema cannot be made into a grammar: at '{at}', {why}; use a simpler one there."
    )
