"""What does not fit in a request is said in one sentence that repeats nothing of it."""

import json

import pytest
from pydantic import BaseModel, ConfigDict

from ondevice.server.openapi import document

SECRET = "Vf7quince"  # neither a value nor a name that was sent comes back
BODIES = [
    (path, method, content["schema"])
    for path, methods in document()["paths"].items()
    for method, operation in methods.items()
    for kind, content in operation.get("requestBody", {}).get("content", {}).items()
    if kind == "application/json"
]


def fields(schema):
    name = schema["$ref"].rpartition("/")[2]
    return sorted(document()["components"]["schemas"][name].get("properties", ()))


def refused(client, method, path, body):
    headers = {"content-type": "application/json"}
    path = path.replace("{id}", "000000000000")
    response = client.request(method, path, content=json.dumps(body), headers=headers)
    assert SECRET not in response.text, (path, body)
    if response.status_code == 200:
        return None
    error = response.json()["error"]
    assert error["message"].endswith(".") and "\n" not in error["message"]
    return error


@pytest.mark.parametrize(("path", "method", "schema"), BODIES)
def test_nothing_that_was_sent_is_repeated(client, path, method, schema):
    wrong = {SECRET: SECRET}
    for name in fields(schema):
        error = refused(client, method, path, {name: wrong})
        assert error is not None, (path, name)
    error = refused(client, method, path, wrong)
    if path.startswith("/api/"):
        assert error is not None and error["code"] == "bad_request"


@pytest.mark.parametrize(
    ("method", "path", "body", "message", "param"),
    [
        ("POST", "/api/memories", {}, "The field 'text' is missing.", "text"),
        ("POST", "/api/memories", {"text": 5}, "The field 'text' must be a text.", "text"),
        ("POST", "/api/memories", [], "The body must be a JSON object.", None),
        ("POST", "/api/memories/forget", {"ids": ["a", 1]},
         "The field 'ids.1' must be a text.", "ids.1"),
        ("POST", "/api/privacy/retention", {"turn_days": -1},
         "The field 'turn_days' must be at least 0.", "turn_days"),
        ("POST", "/api/learn", {"minutes": 0}, "The field 'minutes' must be more than 0.",
         "minutes"),
        ("POST", "/api/learn", {"method": SECRET},
         "The field 'method' must be 'sft', 'dpo' or 'both'.", "method"),
        ("GET", "/api/memories?limit=many", None, "The field 'limit' must be a whole number.",
         "limit"),
        ("GET", "/api/state?x=1", None, "There is no such field here; see /openapi.json.", None),
        ("POST", "/v1/chat/completions", {"messages": []},
         "The field 'messages' has too few entries; send at least 1.", "messages"),
        ("POST", "/v1/chat/completions",
         {"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]},
         "The field 'messages.0.content.0.text' must be a text.", "messages.0.content.0.text"),
        ("POST", "/v1/chat/completions",
         {"messages": [{"role": "user", "content": "x"}], "logit_bias": {SECRET: SECRET}},
         "The field 'logit_bias' must be a number.", "logit_bias"),
        ("POST", "/v1/chat/completions",
         {"messages": [{"role": "user", "content": [
             {"type": "text", "text": "What is this?"},
             {"type": "image_url", "image_url": {"url": "data:,x"}}]}]},
         "Images, sound and files are not supported; send text parts only.",
         "messages.0.content.1.type"),
        ("POST", "/v1/completions", {"prompt": "a", "suffix": "b"},
         "Filling in between a prompt and a suffix is not supported; leave 'suffix' out.",
         "suffix"),
    ],
)  # fmt: skip
def test_the_sentence_says_which_field_and_what_it_must_be(
    client, method, path, body, message, param
):
    response = client.request(method, path, json=body)
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["message"], error["param"]) == (message, param)


def test_no_json_is_said(client):
    headers = {"content-type": "application/json"}
    response = client.post("/api/memories", content=b"{", headers=headers)
    assert response.json()["error"]["message"] == "The body is not JSON; send an object."


def test_models_of_requests_and_answers_allow_no_other_fields():
    """Else the document would promise less than it says."""
    from ondevice.server.routing import Answer, Fields

    def below(kind: type[BaseModel]):
        for one in kind.__subclasses__():
            yield one
            yield from below(one)

    for model in [*below(Answer), *below(Fields)]:
        config: ConfigDict = model.model_config
        assert config.get("extra") == "forbid", model
