"""Clients that read slowly or not at all, that stop, and a server that is stopped."""

import contextlib
import dataclasses
import http.client
import json
import socket
import threading
import time

import pytest
from click.testing import CliRunner
from queues import is_free

from ondevice.chat import Assistant
from ondevice.cli import cli
from ondevice.errors import SettingsError
from ondevice.remedies import Remedy
from ondevice.server.limits import Limits
from ondevice.server.manage.jobs import Stopped
from ondevice.server.run import listen
from ondevice.settings import Settings

from .conftest import TOKEN, SlowEngine, SlowStream

WORDS = " ".join(f"word{n}" for n in range(400))
FLOOD = " ".join("x" * 50_000 for _ in range(200))  # 10 MB: no socket's buffers hold that


def _serving(script):
    return Assistant(SlowEngine([script]), None, Settings())


@pytest.fixture
def words():
    with _serving(WORDS) as assistant:
        yield assistant


def _wait(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def _post(connection, port, path, body):
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    connection.sendall(head.encode() + content)


def _chat(stream=True):
    return {
        "messages": [{"role": "user", "content": "Go on"}],
        "stream": stream,
        "max_tokens": 1 << 30,
    }


def _reads_little(port):
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(10)
    connection.connect(("127.0.0.1", port))
    return connection


def test_a_reader_that_stops_is_dropped_and_the_model_is_free(serve_live, monkeypatch):
    monkeypatch.setattr(SlowStream, "seconds", 0.01)
    limits = dataclasses.replace(Limits(), send_seconds=0.5)
    with _serving(FLOOD) as assistant:
        port, app = serve_live(assistant, limits)
        with _reads_little(port) as connection:
            _post(connection, port, "/v1/chat/completions", _chat())
            assert connection.recv(20).startswith(b"HTTP/1.1 200")
            stopped = time.monotonic()
            assert _wait(lambda: assistant.engine.streams[0].finish_reason == "cancelled", 10)
            assert time.monotonic() - stopped < 3.5  # the whole answer would take longer
            assert _wait(lambda: is_free(app))
            with contextlib.suppress(ConnectionResetError):  # what was sent, then the end
                while connection.recv(1 << 16):
                    pass


def test_a_trickling_reader_holds_the_model_no_longer_than_the_answer_takes(
    serve_live, monkeypatch, raw
):
    monkeypatch.setattr(SlowStream, "seconds", 0.001)
    with _serving(FLOOD) as assistant:
        port, app = serve_live(assistant)
        connection = raw(port)
        _post(connection, port, "/v1/chat/completions", _chat())
        assert connection.recv(20).startswith(b"HTTP/1.1 200")
        assert _wait(lambda: assistant.engine.streams[0].finish_reason == "stop", 10)
        assert _wait(lambda: is_free(app), 1)
        got, last = 0, b""
        while not last.endswith(b"0\r\n\r\n"):  # all of it is still there
            piece = connection.recv(1 << 20)
            assert piece
            got, last = got + len(piece), (last + piece)[-20:]
        assert got > len(FLOOD)


def test_closing_the_page_stops_its_answer_within_a_second(serve_live, me, raw):
    engine = SlowEngine([WORDS])
    me = Assistant(engine, me.memory, me.settings)
    port, app = serve_live(me)
    connection = raw(port)
    _post(connection, port, "/api/chat", {"text": "Go on"})
    assert _wait(lambda: engine.streams and engine.streams[0].text)
    connection.close()
    left = time.monotonic()
    assert _wait(lambda: engine.streams[0].finish_reason == "cancelled", 3)
    assert time.monotonic() - left < 1
    assert _wait(lambda: is_free(app))


def test_many_pages_may_follow_a_job_and_requests_are_still_answered(serve_live, me):
    port, app = serve_live(me)
    page = app.state.page
    over = threading.Event()
    page.jobs.start("learn", lambda _: Stopped(stage="stopped", text=str(over.wait(20))))
    followers = []
    try:
        for _ in range(60):  # more than there are worker threads
            follower = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            headers = {"authorization": f"Bearer {TOKEN}"}
            follower.request("GET", "/api/learn/events", headers=headers)
            followers.append(follower)
        answer = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        answer.request("GET", "/api/memories", headers=headers)
        assert answer.getresponse().status == 200
        answer.close()
        over.set()
        for follower in followers:
            assert b'"True"' in follower.getresponse().read()
    finally:
        over.set()
        for follower in followers:
            follower.close()


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/chat/completions", _chat()), ("/v1/chat/completions", _chat(False)),
     ("/api/chat", {"text": "Go on"})],
)  # fmt: skip
def test_stopping_the_server_ends_an_answer_within_its_bound(serve_live, me, raw, path, body):
    engine = SlowEngine([" ".join([WORDS] * 5)])
    me = Assistant(engine, me.memory, me.settings)
    limits = dataclasses.replace(Limits(), stop_seconds=1.0)
    port, _ = serve_live(me, limits)
    connection = raw(port)
    _post(connection, port, path, body)
    assert _wait(lambda: engine.streams and engine.streams[0].text)
    began = time.monotonic()
    serve_live.stop()
    assert time.monotonic() - began < 4
    assert engine.streams[0].finish_reason == "cancelled"
    if path == "/v1/chat/completions" and not body["stream"]:
        answer = connection.recv(1 << 16)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b'"code":"stopping"' in answer


def test_two_servers_cannot_have_one_port():
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(
            SettingsError, match=f"Cannot listen on 127.0.0.1, port {port}"
        ) as caught:
            listen("127.0.0.1", port)
        assert caught.value.notice.steps == (Remedy.CHOOSE_PORT(),)


def test_the_second_server_says_so_before_it_loads_a_model(home, tmp_path):
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        token = str(tmp_path / "token")
        result = CliRunner().invoke(cli, ["serve", "--port", str(port), "--token-file", token])
    assert result.exit_code != 0
    assert isinstance(result.exception, SettingsError | SystemExit)
    said = result.output + str(result.exception)
    assert f"Cannot listen on 127.0.0.1, port {port}" in said
    assert not home.data.exists()  # nothing was opened or made
