"""Checks answers against the OpenAPI document."""

import functools
import json

import jsonschema

from ondevice.server.openapi import document


def check_answer(method, template, response):
    """Check that an answer has a documented shape; return its JSON, or its list of events."""
    operation = document()["paths"][template][method.lower()]
    described = operation["responses"].get(str(response.status_code))
    if described is None:
        assert 400 <= response.status_code < 500, (template, response.status_code, response.text)
        described = operation["responses"]["default"]
    if "content" not in described:
        return None
    kind = response.headers["content-type"].partition(";")[0]
    assert kind in described["content"], (template, kind)
    schema = described["content"][kind]["schema"]
    if kind == "text/event-stream":
        lines = [line for line in response.text.split("\n\n") if line]
        assert all(line.startswith(("data: ", ":")) for line in lines)
        events = [line[6:] for line in lines if line.startswith("data: ")]
        if template.startswith("/v1/"):
            assert events.pop() == "[DONE]"
        found = [json.loads(event) for event in events]
        for event in found:
            _check(event, schema["contentSchema"])
        return found
    if kind != "application/json":
        assert response.content
        return None
    _check(response.json(), schema)
    return response.json()


def _check(value, schema):
    _validator(json.dumps(schema)).validate(value)


@functools.cache
def _validator(schema):
    whole = {**json.loads(schema), "components": document()["components"]}
    return jsonschema.Draft202012Validator(whole)
