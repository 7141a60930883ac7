import asyncio
import threading
from collections.abc import AsyncIterator, Sequence

import pytest
from fake_engine import FakeEngine

from ondevice.engine.protocol import AdapterUse, ChatOptions, Engine
from ondevice.errors import AdapterBaseMismatchError, ContextOverflowError, EngineError
from ondevice.models.messages import Message

ASK = [Message("user", "What?")]


def test_it_answers_its_script_and_records() -> None:
    fake = FakeEngine(["one two", "three"])
    engine: Engine = fake
    assert list(engine.chat(ASK, ChatOptions())) == ["one", " two"]
    assert engine.chat(ASK, ChatOptions()).read() == "three"
    assert engine.chat(ASK, ChatOptions()).read() == "three"
    assert [messages for messages, _ in fake.calls.chats] == [ASK] * 3
    echo = FakeEngine(lambda messages: messages[-1].content.upper())
    assert echo.chat(ASK, ChatOptions()).read() == "WHAT?"


def test_it_behaves_like_an_engine() -> None:
    fake = FakeEngine(["a b c d"], n_ctx=100)
    stream = fake.chat(ASK, ChatOptions())
    next(stream)
    stream.cancel()
    assert list(stream) == [] and stream.finish_reason == "cancelled"
    limited = fake.chat(ASK, ChatOptions(max_tokens=3))
    assert limited.read() == "a b" and limited.finish_reason == "length"
    long = [Message("user", "x" * 60), Message("assistant", "y"), Message("user", "z")]
    fake.chat(long, ChatOptions())
    long[0] = Message("user", "x" * 90)
    with pytest.raises(ContextOverflowError):  # as the real one, it leaves nothing out
        fake.chat(long, ChatOptions())
    with pytest.raises(AdapterBaseMismatchError):
        fake.set_adapters([AdapterUse("a", "0" * 64, lambda: b"", base_sha256="1" * 64)])
    assert fake.score("abc").nats == 3

    async def pieces() -> list[str]:
        return [piece async for piece in fake.achat(ASK, ChatOptions())]

    assert asyncio.run(pieces()) == ["a", " b", " c", " d"]


def test_one_thread_makes_all_asynchronous_answers() -> None:
    threads: list[int] = []

    def script(messages: Sequence[Message]) -> str:
        threads.append(threading.get_ident())
        return messages[-1].content

    async def scenario() -> None:
        fake = FakeEngine(script)
        both = [fake.achat([Message("user", name)], ChatOptions()) for name in ("one", "two")]
        assert await asyncio.gather(*map(read, both)) == ["one", "two"]
        cancelled = fake.achat(ASK, ChatOptions())
        cancelled.cancel()  # before its turn came
        assert await read(cancelled) == "" and len(threads) == 2
        fake.close()
        with pytest.raises(EngineError, match="closed"):
            await read(fake.achat(ASK, ChatOptions()))

    async def read(stream: AsyncIterator[str]) -> str:
        return "".join([piece async for piece in stream])

    asyncio.run(scenario())
    assert len(set(threads)) == 1 and threads[0] != threading.get_ident()
