"""Grammars of schemas: what passes llama.cpp's grammar fits the schema; what cannot is refused."""

import ctypes
import json
import random

import jsonschema
import numpy as np
import pytest

from ondevice.engine.grammar import grammar_for_calls, grammar_for_schema
from ondevice.errors import EngineError
from ondevice.models import native

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 12},
        "age": {"type": "integer", "minimum": 18, "maximum": 119},
        "email": {"type": "string", "format": "email"},
        "friends": {"type": "array", "items": {"$ref": "#/$defs/friend"}, "maxItems": 2},
    },
    "required": ["age", "friends"],
    "additionalProperties": False,
    "$defs": {
        "friend": {
            "type": "object",
            "properties": {
                "nick": {"enum": ['a "quoted" one', "back\\slash", "é", "line\nbreak", 5, None]},
                "best": {"anyOf": [{"$ref": "#/$defs/friend"}, {"type": "null"}]},
            },
            "required": ["nick"],
            "additionalProperties": False,
        }
    },
}
SHAPE = {
    "oneOf": [
        {
            "type": "object",
            "properties": {"kind": {"const": kind}, "size": size},
            "required": ["kind", "size"],
        }
        for kind, size in (
            ("circle", {"type": "number", "exclusiveMinimum": 0, "maximum": 3}),
            ("square", {"type": "integer", "exclusiveMaximum": -7, "minimum": -1234}),
        )
    ]
}
FITTING = {
    "person": PERSON,
    "shape": SHAPE,
    "anything": {},
    "an object": {"type": "object"},
    "a map": {"type": "object", "additionalProperties": {"type": "integer"}},
    "a required name only": {"type": "object", "required": ["x"]},
    "all optional": {"properties": {n: {"type": "boolean"} for n in "abcd"}, "type": "object"},
    "optional before required": {
        "type": "object",
        "properties": {n: {"type": "null"} for n in "abcd"},
        "required": ["b", "d"],
    },
    "types": {"type": ["string", "integer", "null"], "maxLength": 3, "minimum": 7},
    "day": {"type": "string", "format": "date"},
    "moment": {"type": "string", "format": "date-time"},
    "uuid": {"type": "string", "format": "uuid"},
    "address": {"type": "string", "format": "ipv4"},
    "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 4},
    "one item": {"type": "array", "items": {"const": 1}, "minItems": 1, "maxItems": 1},
    "no item": {"type": "array", "maxItems": 0},
    "tuple": {"type": "array", "prefixItems": [{"type": "integer"}, {"const": "x"}]},
    "wrapped": {"allOf": [{"type": "integer", "minimum": 0}], "description": "a count"},
    "tree": {
        "type": "object",
        "properties": {"left": {"$ref": "#"}, "value": {"type": "integer"}},
        "required": ["value"],
        "additionalProperties": False,
    },
    "a text of few": {"type": "string", "minLength": 2, "maxLength": 9},
    "a name with a slash": {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"const": {"k": ["\x7f"]}}}},
}


class Walk:
    """Draws tokens that a grammar lets through, without a model's opinion."""

    kind = np.dtype([("id", "<i4"), ("logit", "<f4"), ("p", "<f4")])

    def __init__(self, loaded):
        self._lib, self._vocab = native.llama_cpp(), loaded.vocab
        self._pieces = [self._vocab.piece(token) for token in range(self._vocab.n_vocab)]
        vocabulary = range(self._vocab.n_vocab)
        # Half characters are left out: llama.cpp does not check the bytes that follow them.
        whole = [piece.decode(errors="ignore").encode() == piece for piece in self._pieces]
        self._whole = np.array(whole)
        self._ends = np.array([self._vocab.is_eog(token) for token in vocabulary])
        self._closing = np.array([piece in (b"}", b"]", b'"') for piece in self._pieces])

    def draw(self, grammar, seed, most=50):
        """Return a text, and whether it is complete."""
        lib, rng = self._lib, random.Random(seed)
        sampler = lib.llama_sampler_init_grammar(self._vocab.pointer, grammar.encode(), b"root")
        assert sampler, grammar
        text = b""
        try:
            for step in range(most):
                allowed = self._allowed(sampler)
                assert allowed.any(), "the grammar leads nowhere"
                plain = np.flatnonzero(allowed & ~self._ends)
                if (allowed & self._ends).any() and (
                    not len(plain) or step > 10 or rng.random() < 0.5
                ):
                    return text.decode(), True
                # Closing what is open now and then, or nothing ever ends.
                close = np.flatnonzero(allowed & self._closing)
                token = int(rng.choice(close if len(close) and rng.random() < 0.4 else plain))
                lib.llama_sampler_accept(sampler, token)
                text += self._pieces[token]
        finally:
            lib.llama_sampler_free(sampler)
        return text.decode("utf-8", "replace"), False

    def _allowed(self, sampler):
        lib, count = self._lib, self._vocab.n_vocab
        tokens = np.zeros(count, self.kind)
        tokens["id"] = np.arange(count)
        data = tokens.ctypes.data_as(ctypes.POINTER(lib.llama_token_data))
        found = lib.llama_token_data_array(data, count, -1, False)
        lib.llama_sampler_apply(sampler, ctypes.byref(found))
        return (tokens["logit"] > -np.inf) & self._whole


@pytest.fixture(scope="module")
def walk(shared_engine):
    return Walk(shared_engine._ensure_loaded()[0])  # its vocabulary is asked by ctypes


@pytest.mark.parametrize("name", FITTING)
def test_whatever_passes_the_grammar_fits_the_schema(walk, name):
    schema = FITTING[name]
    grammar = grammar_for_schema(schema)
    complete = 0
    for seed in range(5):
        text, ended = walk.draw(grammar, seed)
        if ended:
            complete += 1
            checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
            jsonschema.validate(json.loads(text), schema, format_checker=checker)
    assert complete >= 2


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "string", "pattern": "^a+$"}, "'pattern' is not supported"),
        ({"type": "number", "multipleOf": 7}, "'multipleOf'"),
        ({"type": "array", "uniqueItems": True}, "'uniqueItems'"),
        ({"type": "object", "minProperties": 1}, "'minProperties'"),
        ({"not": {"type": "null"}}, "'not'"),
        ({"if": {}, "then": {}}, "'if'"),
        ({"type": "object", "patternProperties": {"a": {}}}, "'patternProperties'"),
        ({"type": "string", "format": "idn-email"}, "the format may be"),
        ({"type": "number", "minimum": 0.5}, "must be whole"),
        ({"type": "integer", "minimum": 5, "maximum": 4}, "between the bounds"),
        ({"type": "integer", "minimum": 10**30}, "digits"),
        ({"type": "string", "minLength": 5000}, "0 to 1000"),
        ({"type": "string", "minLength": 5, "maxLength": 4}, "nothing fits"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "may overlap"),
        ({"anyOf": [{"required": ["a"]}], "properties": {"a": {}}}, "beside 'anyOf'"),
        ({"allOf": [{"type": "object"}, {"required": ["a"]}]}, "'allOf'"),
        ({"$ref": "https://evil.example/"}, "another document"),
        ({"$ref": "#/$defs/nobody"}, "there is no"),
        ({"$ref": "#"}, "itself without end"),
        ({"anyOf": [{"$ref": "#"}, {"type": "null"}]}, "itself without end"),
        ({"type": "text"}, "the type may be"),
        ({"type": "integer", "enum": ["a"]}, "nothing fits"),
        ({"enum": []}, "nothing fits"),
        ({"properties": {"a": False}}, "nothing fits"),
        ({"properties": {}, "required": ["a"], "additionalProperties": False}, "required"),
        ({"properties": {"a": 5}}, "not a schema"),
        ({"type": "array", "items": [{}]}, "must be a schema"),
        ({"anyOf": [{"type": "null"}] * 3000}, "too large"),
        (json.loads('{"items":' * 60 + "{}" + "}" * 60), "too large"),
    ],
)
def test_what_a_grammar_cannot_say_is_refused_by_name(schema, why):
    with pytest.raises(EngineError, match=why):
        grammar_for_schema(schema)


def test_the_longest_counts_are_taken_by_llama_cpp(walk):
    walk.draw(grammar_for_schema({"type": "string", "minLength": 1000, "maxLength": 1000}), 0, 3)
    walk.draw(grammar_for_schema({"type": "array", "minItems": 999, "maxItems": 1000}), 0, 3)


def test_calls_take_the_definitions_of_their_own_function(walk):
    functions = [
        ("weather", {"properties": {"at": {"$ref": "#/$defs/p"}}, "required": ["at"],
                     "$defs": {"p": {"enum": ["Porto"]}}}),
        ("time", {"type": "object", "properties": {"at": {"$ref": "#/$defs/p"}},
                  "required": ["at"], "$defs": {"p": {"type": "integer"}}}),
        ("now", None),
    ]  # fmt: skip
    seen = set()
    for seed in range(6):
        text, ended = walk.draw(grammar_for_calls(functions), seed)
        if ended:
            call = json.loads(text)
            seen.add(call["name"])
            kind = {"weather": str, "time": int, "now": None}[call["name"]]
            assert (
                call["arguments"] == {}
                if kind is None
                else isinstance(call["arguments"]["at"], kind)
            )
    assert len(seen) >= 2
    words = {walk.draw(grammar_for_calls(functions, or_words=True), s, 2)[0][:1] for s in range(4)}
    assert "{" in words or len(words) > 1
    with pytest.raises(EngineError, match="must be an object"):
        grammar_for_calls([("f", {"type": "string"})])
