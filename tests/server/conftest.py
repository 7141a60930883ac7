"""A served assistant with a scripted engine: in memory (`client`) and on a real port (`live`)."""

import contextlib
import socket
import threading
import time

import pytest
from fake_engine import FakeEngine, FakeStream
from starlette.testclient import TestClient

from ondevice.chat import Assistant
from ondevice.memory.service import Memory
from ondevice.server.app import create_app
from ondevice.server.limits import Limits
from ondevice.server.run import listen, server_for
from ondevice.settings import Settings
from ondevice.store.profile import Profile

TOKEN = "a-token-of-the-tests-0123456789"
PORT = 8080


class SlowStream(FakeStream):
    """Takes a while for every word."""

    seconds = 0.02

    def __next__(self):
        time.sleep(self.seconds)
        return super().__next__()


class SlowEngine(FakeEngine):
    """Keeps the streams that it started."""

    def __init__(self, script):
        super().__init__(script)
        self.streams = []

    def chat(self, messages, options):
        stream = super().chat(messages, options)
        stream.__class__ = SlowStream
        self.streams.append(stream)
        return stream


@pytest.fixture
def engine():
    return FakeEngine(["All right, I see."])


@pytest.fixture
def me(home, embedder, engine):
    profile = Profile.open(home, None, create=True, warn=lambda _: None)
    with Assistant(engine, Memory(profile, embedder, Settings()), Settings()) as assistant:
        yield assistant


@pytest.fixture
def app(me, home):
    def open_profile(name, served):
        profile = Profile.open(home, name)
        return Assistant(
            served.engine, Memory(profile, served.memory.embedder, served.settings), served.settings
        )

    return create_app(me, token=TOKEN, port=PORT, open_profile=open_profile)


@pytest.fixture
def client(app):
    headers = {"authorization": f"Bearer {TOKEN}"}
    with TestClient(app, base_url=f"http://127.0.0.1:{PORT}", headers=headers) as client:
        yield client


@contextlib.contextmanager
def live_servers():
    """Serve assistants on real ports, in threads; gives a function that returns port and app."""
    running = []

    def start(assistant, limits=None, **options):
        limits = limits or Limits()
        listener = listen("127.0.0.1", 0)
        port = listener.getsockname()[1]
        app = create_app(assistant, token=TOKEN, port=port, limits=limits, **options)
        ready = threading.Event()
        server = server_for(app, limits, ready.set)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        running.append((server, thread, listener))
        assert ready.wait(10)
        return port, app

    def stop():
        while running:
            server, thread, listener = running.pop()
            server.should_exit = True
            thread.join(10)
            listener.close()
            assert not thread.is_alive()

    start.stop = stop
    yield start
    stop()


@pytest.fixture
def serve_live():
    with live_servers() as start:
        yield start


@pytest.fixture
def raw():
    """Open sockets to a port."""
    opened = []

    def connect(port):
        connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        opened.append(connection)
        return connection

    yield connect
    for connection in opened:
        connection.close()
