"""The line before the model, clients that go away, and clients that are slow."""

import asyncio
import contextlib
import dataclasses
import json
import threading
import time

import openai
import pytest
from fake_engine import FakeStream
from queues import is_free

from ondevice.chat import Assistant
from ondevice.engine.generation_thread import GenerationThread
from ondevice.engine.protocol import Usage
from ondevice.errors import EngineError
from ondevice.server.errors import ApiError
from ondevice.server.generation import Worker
from ondevice.server.limits import Limits
from ondevice.server.queue import GenerationQueue
from ondevice.settings import Settings

from .conftest import TOKEN, SlowEngine

LONG = " ".join(f"word{n}" for n in range(400))


def test_turns_come_in_order_and_nobody_jumps_the_line():
    async def run():
        queue, order = GenerationQueue(200, 10), []

        async def one(number):
            async with queue.turn():
                order.append(number)
                await asyncio.sleep(0)

        await asyncio.gather(*(one(number) for number in range(100)))
        assert order == list(range(100))
        assert len(queue) == 0

    asyncio.run(run())


def test_one_thread_makes_all_answers_and_an_error_ends_only_its_own():
    """A new thread would be slower at its first tokens."""
    threads = []

    class Stream(FakeStream):
        def __next__(self):
            threads.append(threading.get_ident())
            return super().__next__()

    def broken():
        raise EngineError("no model")

    async def texts(thread, start):
        return [piece.text async for piece in Worker(thread, start).pieces()]

    async def run():
        thread = GenerationThread()
        try:
            first = await texts(thread, lambda: Stream("one two", Usage(0, 0, 0), 99))
            with pytest.raises(EngineError):
                await texts(thread, broken)
            second = await texts(thread, lambda: Stream("three", Usage(0, 0, 0), 99))
        finally:
            thread.shutdown()
        assert ["".join(first), "".join(second)] == ["one two", "three"]

    asyncio.run(run())
    assert len(set(threads)) == 1 and threads[0] != threading.get_ident()


async def wait_for_turn(queue):
    async with queue.turn():
        pass


def test_a_full_line_a_long_wait_and_those_who_leave():
    async def run():
        queue = GenerationQueue(2, 0.05)
        async with queue.turn():
            waiting = [asyncio.create_task(wait_for_turn(queue)) for _ in range(2)]
            await asyncio.sleep(0)
            with pytest.raises(ApiError) as full:
                await wait_for_turn(queue)
            assert full.value.status == 429
            waiting[0].cancel()
            done = await asyncio.gather(*waiting, return_exceptions=True)
            assert isinstance(done[0], asyncio.CancelledError)
            assert done[1].status == 503
            assert len(queue) == 0
        async with queue.turn():  # it is free again
            pass

    asyncio.run(run())


@pytest.fixture
def slow():
    with Assistant(SlowEngine([LONG]), None, Settings()) as assistant:
        yield assistant


def _request(stream):
    body = json.dumps(
        {
            "messages": [{"role": "user", "content": "Go on"}],
            "stream": stream,
            "max_tokens": 4000,
            "ondevice": {"memory": "off"},
        }
    ).encode()
    return body


def _send(connection, port, stream):
    body = _request(stream)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)


def _wait(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_stops_its_generation_within_a_second(serve_live, slow, raw, stream):
    port, app = serve_live(slow)
    connection = raw(port)
    _send(connection, port, stream)
    assert _wait(lambda: slow.engine.streams and slow.engine.streams[0].text)
    connection.close()
    left = time.monotonic()
    assert _wait(lambda: slow.engine.streams[0].finish_reason == "cancelled", 2)
    assert time.monotonic() - left < 1
    assert _wait(lambda: is_free(app))


def test_a_client_that_goes_while_it_waits_is_never_answered(serve_live, slow, raw):
    port, app = serve_live(slow)
    first, second = raw(port), raw(port)
    _send(first, port, True)
    assert _wait(lambda: slow.engine.streams)
    _send(second, port, True)
    assert _wait(lambda: len(app.state.ondevice.queue) == 1)
    second.close()
    assert _wait(lambda: len(app.state.ondevice.queue) == 0)
    first.close()
    assert _wait(lambda: is_free(app))
    assert len(slow.engine.streams) == 1


def test_slow_headers_slow_bodies_and_long_headers_are_dropped(serve_live, slow, raw):
    limits = dataclasses.replace(Limits(), header_seconds=0.3, body_seconds=0.3)
    port, _ = serve_live(slow, limits)
    silent, dripping, half, huge = (raw(port) for _ in range(4))
    dripping.sendall(b"GET /health HTTP/1.1\r\nHost: 127")
    half.sendall(
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
        "Content-Length: 100\r\n\r\n{".encode()
    )
    huge.sendall(b"GET /health HTTP/1.1\r\nX: " + b"x" * (1 << 16))
    assert b"408" in half.recv(100)
    assert b"400" in huge.recv(100)
    for connection in (silent, dripping):
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b""


def test_many_clients_are_answered_one_at_a_time(serve_live, slow):
    port, _ = serve_live(slow)
    slow.engine.script = lambda messages: messages[-1].content
    answers = {}

    def one(number):
        with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=TOKEN) as client:
            answer = client.chat.completions.create(
                model="default", messages=[{"role": "user", "content": f"number {number}"}]
            )
            answers[number] = answer.choices[0].message.content

    threads = [threading.Thread(target=one, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == {number: f"number {number}" for number in range(12)}
