"""A client's answer and the page's conversation, side by side over the API."""

import http.client
import json

import pytest

from ondevice.chat import Assistant
from ondevice.memory.service import Memory
from ondevice.settings import Settings
from ondevice.store.profile import Profile

from .conftest import TOKEN, SlowEngine

SAID = "A client's own business."


@pytest.fixture
def slow(home, embedder):
    profile = Profile.open(home, None, create=True, warn=lambda _: None)
    engine = SlowEngine([" ".join(f"word{n}" for n in range(40))])
    with Assistant(engine, Memory(profile, embedder), Settings()) as assistant:
        yield assistant


def test_the_page_never_shows_or_adopts_a_clients_conversation(slow, serve_live):
    port, _ = serve_live(slow)
    slow.ask("The page's own message.")
    own = slow.conversation.id
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    client, page = (http.client.HTTPConnection("127.0.0.1", port, timeout=10) for _ in range(2))
    body = {"messages": [{"role": "user", "content": SAID}], "stream": True}
    client.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    answer = client.getresponse()
    seen = []
    while len(slow.engine.streams) < 2:  # until the client's own answer has begun
        pass
    while slow.engine.streams[-1].finish_reason is None:
        page.request("GET", "/api/chat", headers=headers)
        seen.append(json.loads(page.getresponse().read()))
    assert "word39" in answer.read().decode()
    assert len(seen) >= 3
    for shown in seen:
        assert shown["conversation"] == own and not shown["temporary"]
        assert [exchange["text"] for exchange in shown["exchanges"]] == ["The page's own message."]
    said = json.dumps({"text": "Again.", "conversation": own})
    page.request("POST", "/api/chat", said, headers)
    assert "word39" in page.getresponse().read().decode()
    messages, _ = slow.engine.calls.chats[-1]
    assert SAID not in "".join(message.content for message in messages)
    client.close()
    page.close()
