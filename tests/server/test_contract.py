"""The OpenAPI document names every route, and every route answers in the shape that it tells."""

import io
import json
import re
import zipfile

import jsonschema
import pytest
from fake_engine import FakeEngine
from starlette.routing import Mount, Route

from ondevice.adapters.registry import AdapterRegistry
from ondevice.server.openapi import document
from ondevice.store.records import NewPassage

from .shapes import check_answer


@pytest.fixture
def engine(default_model):
    return FakeEngine(["All right, I see."], model=default_model)


CHAT = {"messages": [{"role": "user", "content": "Hello"}]}


def routes_of(app):
    """Return (METHOD, path) of everything that is served except the files of the page."""
    waiting, found = [("", app.routes)], set()
    while waiting:
        before, routes = waiting.pop()
        for route in routes:
            if isinstance(route, Mount) and route.routes:
                waiting.append((before + route.path, route.routes))
            elif isinstance(route, Route):
                path = re.sub(r":\w+\}", "}", before + route.path)
                found |= {(method, path) for method in route.methods - {"HEAD"}}
    return found


def test_the_document_is_whole_and_nothing_in_it_is_made_up(app):
    described = {
        (method.upper(), path)
        for path, methods in document()["paths"].items()
        for method in methods
    }
    assert routes_of(app) == described


def test_references_in_the_document_lead_somewhere():
    text = json.dumps(document())
    named = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert named <= set(document()["components"]["schemas"])
    for schema in document()["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_it_is_served_to_who_has_the_token(client):
    assert client.get("/openapi.json").json() == document()


class Everything:
    """Calls operations, checks their answers, and notes which were called."""

    def __init__(self, client):
        self.client, self.called = client, set()

    def __call__(self, method, path, body=None, *, status=200, **given):
        template = given.pop("template", path.partition("?")[0])
        if method == "POST" and body is None and "content" not in given:
            body = {}
        sent = {"json": body} if body is not None else given
        response = self.client.request(method, path, follow_redirects=False, **sent)
        assert response.status_code == status, response.text
        self.called.add((method, template))
        return check_answer(method, template, response)


def test_every_operation_answers_as_documented(client, app, me, make_adapter):
    call = Everything(client)
    call("GET", "/health")
    call("GET", "/openapi.json")
    link = call("POST", "/api/links")["path"]
    call("GET", link, status=303)
    clients_chats(call)
    page_chats(call)
    memories(call, me)
    imports(call)
    adapters(call, me, make_adapter(1)[0])
    learning(call)
    settings_and_privacy(call, me)
    call("POST", "/api/leave")
    assert call.called == routes_of(app)


def clients_chats(call):
    call("POST", "/v1/chat/completions", {**CHAT, "logprobs": True, "top_logprobs": 2})
    call("POST", "/v1/chat/completions", {**CHAT, "stream": True, "logprobs": True,
                                          "stream_options": {"include_usage": True}})  # fmt: skip
    call("POST", "/v1/completions", {"prompt": "Once", "logprobs": 1})
    call("POST", "/v1/completions", {"prompt": "Once", "stream": True})
    call("POST", "/v1/embeddings", {"model": "minilm", "input": ["a", "b"]})
    model = call("GET", "/v1/models")["data"][0]["id"]
    call("GET", f"/v1/models/{model}", template="/v1/models/{model}")


def page_chats(call):
    call("GET", "/api/state")
    said = call("POST", "/api/chat", {"text": "My dog is called Biscuit."})[-1]
    call("POST", "/api/chat", {"retry": True})
    call("POST", "/api/chat", {"text": "What is my dog called?", "conversation": None})
    call("GET", "/api/chat")
    call("GET", f"/api/chat?conversation={said['conversation']}")
    assert call("GET", "/api/conversations?query=dog")["conversations"]
    call("POST", "/api/chat/stop")
    judged = call("POST", "/api/chat", {"text": "And his age?"})[-1]
    call("POST", "/api/feedback", {"verdict": "accept", "turn_id": judged["turn_id"]})
    call("POST", "/api/chat/new", {"temporary": True})
    call("POST", "/api/chat", {"text": "A secret"})
    call("GET", "/api/chat")
    call("POST", "/api/chat/new")


def memories(call, me):
    fact = call("POST", "/api/memories", {"text": "I like tea.", "pinned": True})
    assert call("GET", "/api/memories?limit=3")["total"] >= 3
    call("GET", "/api/memories?kind=turn&query=dog&category=&state=&source=&offset=0")
    call("GET", "/api/memories/ids?kind=fact")
    call("GET", "/api/sources")
    changed = call("PATCH", f"/api/memories/{fact['id']}", {"text": "I like coffee."},
                   template="/api/memories/{id}")  # fmt: skip
    pending = me.memory.suggest("I play chess.").fact
    call("POST", "/api/memories/approve", {"ids": [pending.id]})
    noted = me.profile.sources.add("import", "diary")
    (note,) = me.profile.passages.add(noted.id, [NewPassage("I own a kite.")])
    call("PATCH", f"/api/memories/{note.id}", {"text": "I own a boat."},
         template="/api/memories/{id}")  # fmt: skip
    call("POST", "/api/memories", {"text": "I live in Rome."})
    (old,) = call("POST", "/api/memories", {"text": "I live in Ulm."})["replaced"]
    assert call("POST", "/api/memories/restore", {"id": old["id"]})["state"] == "active"
    call("POST", "/api/memories/forget/preview", {"ids": [changed["id"]]})
    call("POST", "/api/memories/forget", {"ids": [changed["id"]], "keep_turns": True})


def imports(call):
    call("POST", "/api/imports/file?name=notes.zip", content=_archive(), headers=BINARY)
    call("POST", "/api/imports/preview", {"me": [], "dates": ""})
    call("POST", "/api/imports", {"replace": True})
    assert call("GET", "/api/imports/events")[-1]["stage"] == "done"
    call("POST", "/api/imports/stop")
    call("POST", "/api/imports/cancel")


def adapters(call, me, path):
    registry = AdapterRegistry(me.profile)
    fact = me.remember("I like salt.")
    registry.add(path, me.engine.model, name="mine", records=[fact.id])
    registry.add(path, me.engine.model, name="other")
    call("GET", "/api/adapters")
    call("GET", "/api/adapters/mine", template="/api/adapters/{name}")
    call("POST", "/api/adapters/use", {"name": "mine", "scale": 0.5})
    call("POST", "/api/adapters/off", {"name": "mine"})
    call("POST", "/api/adapters/remove", {"name": "other"})
    call("POST", "/api/adapters/rollback")


def learning(call):
    """There is too little to learn from, and no real model."""
    call("POST", "/api/learn/estimate", {"quick": True})
    call("POST", "/api/learn", {"quick": True})
    call("GET", "/api/learn/events")
    call("POST", "/api/learn/stop")
    call("POST", "/api/evaluate", {"fast": True})
    call("GET", "/api/evaluate/events")
    call("POST", "/api/evaluate/stop")


def settings_and_privacy(call, me):
    call("GET", "/api/settings")
    call("POST", "/api/settings", {"name": "generation.temperature", "value": "0.5"})
    call("GET", "/api/privacy")
    call("GET", "/api/privacy/log?limit=5")
    call("GET", "/api/privacy/keys")
    call("GET", "/api/privacy/retention")
    call("POST", "/api/privacy/retention", {"turn_days": 90})
    call("POST", "/api/privacy/backup")
    call("POST", "/api/privacy/export", {"passphrase": "correct horse"})
    call("POST", "/api/privacy/recovery")
    call("POST", "/api/privacy/passphrase", {"passphrase": "correct horse"})
    call("POST", "/api/privacy/recovery/remove")
    call("POST", "/api/privacy/lock")
    call("POST", "/api/privacy/unlock", {"passphrase": "correct horse"})
    call("POST", "/api/privacy/passphrase/remove")
    call("POST", "/api/privacy/keyring", {"on": True}, status=400)
    call("POST", "/api/privacy/wipe", {"confirm": "another name"}, status=400)
    call("POST", "/api/privacy/wipe", {"confirm": me.profile.name})
    call("POST", "/api/privacy/lock", status=403)
    call("POST", "/api/privacy/unlock", {"passphrase": "x"}, status=400)


BINARY = {"content-type": "application/octet-stream"}


def _archive():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.md", "# Tea\n\nI drink tea in the morning.\n")
    return content.getvalue()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/memories", {"text": 5}),
        ("POST", "/api/memories", {"text": "x", "surprise": 1}),
        ("POST", "/api/memories", {"text": "x", "pinned": "yes"}),
        ("POST", "/api/memories", {"text": "\ud800"}),
        ("POST", "/api/memories/forget", {"ids": [1]}),
        ("POST", "/api/adapters/use", {"name": "mine", "scale": float("nan")}),
        ("GET", "/api/memories?limit=-1", None),
        ("GET", "/api/memories?surprise=1", None),
    ],
)
def test_fields_that_do_not_fit_are_refused_by_name(client, method, path, body):
    headers = {"content-type": "application/json"}
    content = json.dumps(body) if body is not None else None
    response = client.request(method, path, content=content, headers=headers)
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"
