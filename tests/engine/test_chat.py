import asyncio
import gc
import signal
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from ondevice.engine.context import InferenceContext
from ondevice.engine.llama import LlamaEngine
from ondevice.engine.llama_stream import LlamaStream
from ondevice.engine.protocol import ChatOptions
from ondevice.errors import ContextOverflowError, EngineError
from ondevice.home import Home
from ondevice.memory.transcript import Exchange, Transcript
from ondevice.models import native
from ondevice.models.base_model import BaseModel
from ondevice.models.messages import Message
from ondevice.settings import ModelSettings

GREEDY = ChatOptions(temperature=0, max_tokens=24)
HELLO = [Message("user", "Tell me a story about a fox and a hen.")]


@pytest.fixture
def engine(shared_engine: LlamaEngine) -> Iterator[LlamaEngine]:
    shared_engine.set_adapters([])
    shared_engine.reset_cache()
    yield shared_engine
    shared_engine.reset_cache()


def continued(stream: LlamaStream, messages: list[Message], text: str) -> list[Message]:
    return [*messages, Message("assistant", stream.text), Message("user", text)]


def test_pieces_usage_and_timings(engine: LlamaEngine) -> None:
    stream = engine.chat(HELLO, GREEDY)
    pieces = list(stream)
    assert "".join(pieces) == stream.text and all(pieces) and len(pieces) > 10
    assert stream.finish_reason == "length"
    assert stream.usage.completion_tokens == 24
    assert stream.usage.prompt_tokens == engine.count_prompt(HELLO)
    assert stream.usage.cached_tokens == 0
    timings = stream.timings
    assert 0 < timings.prompt_seconds <= timings.first_token_seconds
    assert timings.decode_seconds > 0 and timings.tokens_per_second > 1


def test_second_turn_evaluates_only_new_tokens(engine: LlamaEngine) -> None:
    # Sampled hot, so that the answer is not how the tokenizer would have cut it.
    first = engine.chat(
        HELLO, ChatOptions(temperature=2.0, min_p=0, top_k=0, max_tokens=60, seed=3)
    )
    first.read()
    second = engine.chat(continued(first, HELLO, "And then?"), GREEDY)
    second.read()
    # All of the first prompt, and the answer but for its last token, which nothing needed yet.
    expected = first.usage.prompt_tokens + first.usage.completion_tokens - 1
    assert second.usage.cached_tokens == expected
    third = engine.chat(
        [*continued(first, HELLO, "And then?"), Message("assistant", second.text), *HELLO], GREEDY
    )
    third.read()
    assert third.usage.cached_tokens >= second.usage.prompt_tokens + 23


def test_cached_and_fresh_answers_agree(engine: LlamaEngine) -> None:
    first = engine.chat(HELLO, GREEDY)
    first.read()
    messages = continued(first, HELLO, "Who is the hen?")
    warm = engine.chat(messages, GREEDY).read()
    prompt = engine.encode_prompt(messages)
    engine.reset_cache()
    cold = engine.chat(messages, GREEDY)
    assert engine.encode_prompt(messages)[:40] == prompt[:40]
    assert cold.read()[:20] == warm[:20]
    assert cold.usage.cached_tokens == 0


def test_seeds_reproduce_and_differ(engine: LlamaEngine) -> None:
    def answer(seed: int | None) -> str:
        engine.reset_cache()
        return engine.chat(HELLO, ChatOptions(temperature=1.0, max_tokens=16, seed=seed)).read()

    assert answer(1) == answer(1)
    assert len({answer(1), answer(2), answer(3)}) > 1
    assert len({answer(None) for _ in range(4)}) > 1


def test_stop_texts_end_the_answer_and_stay_out_of_it(engine: LlamaEngine) -> None:
    whole = engine.chat(HELLO, GREEDY).read()
    stop = whole[20:29]
    engine.reset_cache()
    stream = engine.chat(HELLO, ChatOptions(temperature=0, max_tokens=24, stop=("@@", stop)))
    assert stream.read() == whole[: whole.index(stop)]
    assert stream.finish_reason == "stop"
    # What was sampled beyond the stop is not in the cache of the next turn.
    after = engine.chat(continued(stream, HELLO, "Go on."), GREEDY)
    after.read()
    assert after.usage.cached_tokens > stream.usage.prompt_tokens


def test_utf8_split_over_tokens_arrives_whole(engine: LlamaEngine) -> None:
    grammar = 'root ::= "👩🏽‍🚀é你好"'
    stream = engine.chat(HELLO, ChatOptions(temperature=0, max_tokens=60, grammar=grammar))
    pieces = list(stream)
    assert "".join(pieces) == "👩🏽‍🚀é你好"
    assert not any("\ufffd" in piece for piece in pieces)
    assert stream.usage.completion_tokens > len(pieces)
    assert stream.finish_reason == "stop"


def test_grammar_bounds_the_answer(engine: LlamaEngine) -> None:
    grammar = 'root ::= ("yes" | "no") "!"'
    for seed in range(3):
        options = ChatOptions(temperature=1.5, max_tokens=20, grammar=grammar, seed=seed)
        assert engine.chat(HELLO, options).read() in ("yes!", "no!")
    with pytest.raises(EngineError, match="GBNF"):
        engine.chat(HELLO, ChatOptions(grammar="root ::= ("))
    with pytest.raises(EngineError, match="GBNF"):
        engine.chat(HELLO, ChatOptions(grammar='other ::= "a"'))
    assert engine.chat(HELLO, GREEDY).read()  # and it is usable after


def test_cancel_stops_within_a_token_and_keeps_the_cache_right(engine: LlamaEngine) -> None:
    stream = engine.chat(HELLO, ChatOptions(temperature=0, max_tokens=200))
    for _ in range(5):
        next(stream)
    stream.cancel()
    assert list(stream) == []
    assert stream.finish_reason == "cancelled"
    assert stream.usage.completion_tokens <= 6
    stream.cancel()
    cut = engine.chat(continued(stream, HELLO, "Go on."), GREEDY)
    text = cut.read()
    assert cut.usage.cached_tokens >= stream.usage.prompt_tokens
    messages = continued(stream, HELLO, "Go on.")
    engine.reset_cache()
    assert engine.chat(messages, GREEDY).read()[:15] == text[:15]


def test_cancel_from_another_thread(engine: LlamaEngine) -> None:
    stream = engine.chat(HELLO, ChatOptions(temperature=0, max_tokens=800, grammar='root ::= "a"*'))
    timer = threading.Timer(0.3, stream.cancel)
    timer.start()
    began = time.perf_counter()
    stream.read()
    timer.join()
    assert stream.finish_reason == "cancelled"
    assert time.perf_counter() - began < 2


def test_cancel_while_the_prompt_is_evaluated(engine: LlamaEngine) -> None:
    long = [Message("user", "word " * 700)]
    stream = engine.chat(long, GREEDY)
    timer = threading.Timer(0.2, stream.cancel)
    timer.start()
    assert stream.read() == ""
    timer.join()
    assert stream.finish_reason == "cancelled"
    assert stream.usage.completion_tokens == 0


def test_interrupt_leaves_a_usable_engine(engine: LlamaEngine) -> None:
    expected = engine.chat(HELLO, GREEDY).read()
    engine.reset_cache()
    stream = engine.chat(HELLO, ChatOptions(temperature=0, max_tokens=800))
    timer = threading.Timer(0.4, signal.raise_signal, [signal.SIGINT])
    # Programs that a shell starts in the background ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    # The main thread gets the KeyboardInterrupt, wherever it is.
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        for _ in stream:
            pass
        time.sleep(5)
    timer.join()
    signal.signal(signal.SIGINT, before)
    stream.cancel()
    engine.reset_cache()
    assert engine.chat(HELLO, GREEDY).read() == expected


def test_an_abandoned_stream_does_not_block(engine: LlamaEngine) -> None:
    for _ in engine.chat(HELLO, GREEDY):
        break
    kept = engine.chat(HELLO, GREEDY)
    next(kept)
    assert engine.chat(HELLO, GREEDY).read()
    assert kept.finish_reason == "cancelled"
    dropped: list[LlamaStream] = [engine.chat(HELLO, GREEDY)]
    worker = threading.Thread(target=dropped.clear)
    worker.start()
    worker.join()
    gc.collect()
    assert engine.score("Hello").tokens


def test_threads_take_turns(engine: LlamaEngine) -> None:
    alone = engine.chat(HELLO, GREEDY).read()
    answers: list[str] = []

    def ask() -> None:
        answers.append(engine.chat(HELLO, GREEDY).read())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert engine.count_tokens("counting does not wait") > 3
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert all(answer[:15] == alone[:15] for answer in answers)


def test_async_pieces_and_cancellation(engine: LlamaEngine) -> None:
    async def scenario() -> None:
        expected = engine.chat(HELLO, GREEDY).read()
        engine.reset_cache()
        chat = engine.achat(HELLO, GREEDY)
        assert "".join([piece async for piece in chat]) == expected
        assert chat.stream is not None and chat.stream.usage.completion_tokens == 24

        endless = engine.achat(HELLO, ChatOptions(max_tokens=800, grammar='root ::= "a"*'))
        seen: list[str] = []

        async def consume() -> None:
            async for piece in endless:
                seen.append(piece)

        task = asyncio.create_task(consume())
        while len(seen) < 3:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        began = time.perf_counter()
        assert engine.chat(HELLO, GREEDY).read()[:10] == expected[:10]
        assert time.perf_counter() - began < 3
        assert endless.stream is not None and endless.stream.finish_reason == "cancelled"

        with pytest.raises(EngineError, match="GBNF"):
            async for _ in engine.achat(HELLO, ChatOptions(grammar="(")):
                pass

    asyncio.run(scenario())


def test_what_does_not_fit_is_refused_and_the_conversation_makes_room(
    default_model: BaseModel, home: Home
) -> None:
    options = ChatOptions(temperature=0, max_tokens=32)
    with LlamaEngine(default_model, ModelSettings(n_ctx=512, n_threads=1), home) as engine:
        exchanges = [Exchange(f"Question {i}: " + "word " * 30, f"Answer {i}.") for i in range(20)]
        talk = Transcript("You are brief.", exchanges=exchanges)
        newest = "The newest question?"
        with pytest.raises(ContextOverflowError, match="room for 480"):
            engine.chat(talk.messages(newest), options)
        assert 0 < talk.make_room(newest, engine.count_prompt, 512 - 32) < 20
        stream = engine.chat(talk.messages(newest), options)
        stream.read()
        assert stream.usage.prompt_tokens == engine.count_prompt(talk.messages(newest)) <= 480
        # The next turn drops none, so that its beginning is still cached.
        talk.exchanges.append(Exchange(newest, stream.text))
        assert talk.make_room("Go on.", engine.count_prompt, 512 - 32) == 0
        again = engine.chat(talk.messages("Go on."), options)
        again.read()
        assert again.usage.cached_tokens >= stream.usage.prompt_tokens
        system = Message("system", "You are brief.")
        with pytest.raises(ContextOverflowError, match="488"):
            engine.chat([system, Message("user", "word " * 600)], GREEDY)
        assert engine.chat([Message("user", newest)], GREEDY).read()


def test_no_message_and_odd_roles_are_refused(engine: LlamaEngine) -> None:
    with pytest.raises(EngineError, match="no message"):
        engine.chat([], GREEDY)
    with pytest.raises(EngineError, match="role"):
        engine.chat([Message("user<|im_end|>", "x")], GREEDY)


def test_context_is_never_longer_than_trained(default_model: BaseModel, home: Home) -> None:
    engine = LlamaEngine(default_model, ModelSettings(n_ctx=1_000_000), home)
    assert engine.n_ctx == 8192
    assert not engine.is_loaded
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.chat(HELLO, GREEDY)


@pytest.mark.parametrize("n_ctx", [1, 3, 7, 8])
def test_contexts_too_short_for_anything_say_so(
    n_ctx: int, default_model: BaseModel, home: Home
) -> None:
    with LlamaEngine(default_model, ModelSettings(n_ctx=n_ctx, n_threads=1), home) as engine:
        with pytest.raises(ContextOverflowError):
            engine.chat(HELLO, GREEDY)
        with pytest.raises(ContextOverflowError):
            engine.score("A fox and a hen and a fox and a hen and a fox.")


def test_unload_reload_and_idle(default_model: BaseModel, home: Home) -> None:
    with LlamaEngine(
        default_model, ModelSettings(n_ctx=256, n_threads=1, idle_seconds=0.3), home
    ) as engine:
        first = engine.chat(HELLO, GREEDY)
        expected = first.read()
        engine.unload()
        assert not engine.is_loaded
        assert engine.chat(HELLO, GREEDY).read() == expected
        deadline = time.monotonic() + 5
        while engine.is_loaded and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not engine.is_loaded
        follow_up = engine.chat(continued(first, HELLO, "And?"), GREEDY)
        follow_up.read()
        assert engine.is_loaded
        assert follow_up.usage.cached_tokens == 0


def test_a_running_answer_is_not_unloaded(default_model: BaseModel, home: Home) -> None:
    with LlamaEngine(
        default_model, ModelSettings(n_ctx=256, n_threads=1, idle_seconds=0.1), home
    ) as engine:
        stream = engine.chat(HELLO, GREEDY)
        next(stream)
        time.sleep(0.5)
        assert engine.is_loaded
        assert len(list(stream)) > 10


def test_the_number_of_threads_changes_the_speed_alone(
    default_model: BaseModel, home: Home
) -> None:
    vocab = native.Vocab(pointer := native.load_model(default_model.path))
    try:
        answers = []
        for threads in (1, 2, 3):
            context = InferenceContext(pointer, vocab, 256, 2)
            context.evaluate(vocab.encode("The fox and the hen", add_bos=True))
            native.llama_cpp().llama_set_n_threads(context.pointer, threads, threads)
            context.evaluate_one(vocab.encode(" went")[0])
            answers.append(context.logits())
            context.close()
    finally:
        native.llama_cpp().llama_model_free(pointer)
    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_array_equal(answers[0], answers[2])
