"""The API as OpenAI's own client sees it."""

import json
import math

import openai
import pytest

from ondevice.store.profile import Profile

from .conftest import TOKEN

CALL = '{"name": "get_weather", "arguments": {"city": "Porto"}}'
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather in a city.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]


@pytest.fixture
def ask(serve_live, me):
    port, _ = serve_live(me)
    with openai.OpenAI(
        base_url=f"http://127.0.0.1:{port}/v1", api_key=TOKEN, max_retries=0, timeout=20
    ) as client:
        yield client


def _user(text):
    return [{"role": "user", "content": text}]


def test_a_chat_recalls_saves_and_tells_what(ask, me):
    me.remember("My dog is called Biscuit.")
    answer = ask.chat.completions.create(
        model="default", messages=_user("What is my dog called? I live in Porto.")
    )
    assert answer.choices[0].message.content == "All right, I see."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    receipt = answer.model_extra["ondevice"]
    assert any("Biscuit" in memory["text"] for memory in receipt["used"])
    assert any("Porto" in fact["text"] for fact in receipt["saved"])
    shown, _ = me.engine.calls.chats[-1]
    assert "Biscuit" in shown[-1].content or "Biscuit" in shown[0].content
    assert not me.conversation.exchanges  # the client's conversation is its own


@pytest.mark.parametrize(
    ("wanted", "recalled", "saved"),
    [
        ({}, True, True),
        ({"memory": "read-only"}, True, False),
        ({"memory": "off"}, False, False),
        ({"temporary": True}, False, False),
    ],
)
def test_memory_is_used_as_the_request_says(ask, me, wanted, recalled, saved):
    me.remember("My dog is called Biscuit.")
    before = len(me.profile.facts.all())
    answer = ask.chat.completions.create(
        model="default",
        messages=_user("What is my dog called? My sister is called Ana."),
        extra_body={"ondevice": wanted},
    )
    shown, _ = me.engine.calls.chats[-1]
    assert ("Biscuit" in "".join(message.content for message in shown)) is recalled
    assert (len(me.profile.facts.all()) > before) is saved
    assert (me.profile.turns.last_conversation() is not None) is saved
    assert bool(answer.model_extra["ondevice"]["used"]) is recalled


def test_a_stream_has_pieces_a_reason_a_receipt_and_usage(ask):
    chunks = list(
        ask.chat.completions.create(
            model="default",
            messages=_user("Hello"),
            stream=True,
            stream_options={"include_usage": True},
            logprobs=True,
            top_logprobs=2,
        )
    )
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == "All right, I see."
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert "used" in chunks[-2].model_extra["ondevice"]
    assert chunks[-1].usage.completion_tokens == len(text)
    likelihoods = [
        token
        for c in chunks
        if c.choices and c.choices[0].logprobs
        for token in c.choices[0].logprobs.content
    ]
    assert "".join(token.token for token in likelihoods) == text
    assert all(len(token.top_logprobs) == 2 for token in likelihoods)


def test_a_later_turn_only_adds_to_what_the_model_was_shown(ask, me):
    me.remember("My dog is called Biscuit.")
    messages = _user("What is my dog called?")
    answer = ask.chat.completions.create(model="default", messages=messages)
    first, _ = me.engine.calls.chats[-1]
    messages.append({"role": "assistant", "content": answer.choices[0].message.content})
    ask.chat.completions.create(model="default", messages=[*messages, *_user("And his age?")])
    second, _ = me.engine.calls.chats[-1]
    assert second[: len(first)] == first
    assert len(me.profile.turns.all(me.profile.turns.last_conversation())) == 4  # one conversation


def test_what_is_forgotten_is_not_shown_again_in_a_clients_conversation(ask, me):
    fact = me.remember("My safe word is Quixotry.")
    messages = _user("What is my safe word?")
    answer = ask.chat.completions.create(model="default", messages=messages)
    assert "Quixotry" in "".join(m.content for m in me.engine.calls.chats[-1][0])
    me.forget(fact.id)
    messages.append({"role": "assistant", "content": answer.choices[0].message.content})
    ask.chat.completions.create(model="default", messages=[*messages, *_user("Are you sure?")])
    shown = [m.content for m in me.engine.calls.chats[-1][0]]
    assert "Quixotry" not in "".join(shown)
    assert shown[0] == "What is my safe word?"


def test_sampling_settings_reach_the_engine(ask, me):
    ask.chat.completions.create(
        model="default",
        messages=[{"role": "developer", "content": "Be short."}, *_user("Hello")],
        temperature=0.7,
        top_p=0.5,
        max_tokens=9,
        seed=7,
        stop=["END"],
        frequency_penalty=0.5,
    )
    shown, options = me.engine.calls.chats[-1]
    assert (options.temperature, options.top_p, options.max_tokens) == (0.7, 0.5, 9)
    assert (options.seed, options.stop, options.frequency_penalty) == (7, ("END",), 0.5)
    assert shown[0].role == "system"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "choice", ["auto", "required", {"type": "function", "function": {"name": "get_weather"}}]
)
def test_a_call_of_a_tool_comes_back_as_one(ask, me, choice, stream):
    me.engine.script = [CALL]
    answer = ask.chat.completions.create(
        model="default",
        messages=_user("How is the weather in Porto?"),
        tools=TOOLS,
        tool_choice=choice,
        stream=stream,
    )
    if stream:
        chunks = list(answer)
        calls = [c for chunk in chunks for c in chunk.choices[0].delta.tool_calls or []]
        assert not any(chunk.choices[0].delta.content for chunk in chunks)
        reason = chunks[-1].choices[0].finish_reason
    else:
        calls, reason = answer.choices[0].message.tool_calls, answer.choices[0].finish_reason
    assert [call.function.name for call in calls] == ["get_weather"]
    assert json.loads(calls[0].function.arguments) == {"city": "Porto"}
    assert reason == "tool_calls"
    shown, options = me.engine.calls.chats[-1]
    assert "get_weather" in shown[0].content
    assert options.grammar is not None
    history = [
        *_user("How is the weather in Porto?"),
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [calls[0].model_dump(exclude_none=True)],
        },
        {"role": "tool", "tool_call_id": calls[0].id, "content": "Sunny, 21 degrees."},
    ]
    ask.chat.completions.create(model="default", messages=history, tools=TOOLS, tool_choice="none")
    shown, options = me.engine.calls.chats[-1]
    assert "Sunny, 21 degrees." in shown[-1].content
    assert options.grammar is None


def test_words_beside_tools_are_words(ask):
    answer = ask.chat.completions.create(model="default", messages=_user("Hi"), tools=TOOLS)
    assert answer.choices[0].message.content == "All right, I see."
    assert answer.choices[0].message.tool_calls is None


def test_completions_and_their_streams(ask, me):
    answer = ask.completions.create(model="default", prompt="Once upon", max_tokens=50, logprobs=1)
    assert answer.choices[0].text == "All right, I see."
    assert "".join(answer.choices[0].logprobs.tokens) == answer.choices[0].text
    chunks = ask.completions.create(model="default", prompt="Once", max_tokens=50, stream=True)
    assert "".join(c.choices[0].text for c in chunks) == "All right, I see."
    assert me.profile.turns.last_conversation() is None  # no memory


def test_embeddings_are_the_same_as_floats_and_as_base64(ask):
    texts = ["a dog", "a cat"]
    plain = ask.embeddings.create(model="minilm", input=texts, encoding_format="float")
    packed = ask.embeddings.create(model="minilm", input=texts)  # the client's default
    assert len(plain.data) == 2
    assert plain.usage.prompt_tokens > 0
    for one, other in zip(plain.data, packed.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding)
        assert math.hypot(*one.embedding) == pytest.approx(1, abs=1e-5)


def test_models_are_the_base_and_the_embedder(ask):
    assert [model.id for model in ask.models.list()] == ["fake", "minilm"]
    assert ask.models.retrieve("fake").id == "fake"


def test_another_profile_is_another_memory(home, me, serve_live):
    from ondevice.chat import Assistant
    from ondevice.memory.service import Memory

    with Profile.create(home, "work", warn=lambda _: None):
        pass

    def open_profile(name, served):
        profile = Profile.open(home, name)
        return Assistant(
            served.engine, Memory(profile, served.memory.embedder, served.settings), served.settings
        )

    port, _ = serve_live(me, open_profile=open_profile)
    me.remember("My dog is called Biscuit.")
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=TOKEN) as client:
        client.chat.completions.create(
            model="default",
            messages=_user("What is my dog called? I live in Lisbon."),
            extra_body={"ondevice": {"profile": "work"}},
        )
    assert "Biscuit" not in "".join(m.content for m in me.engine.calls.chats[-1][0])
    assert not any("Lisbon" in fact.text for fact in me.profile.facts.all())


@pytest.mark.parametrize(
    ("body", "error", "code"),
    [
        ({"model": "gpt-9"}, openai.NotFoundError, "model_not_found"),
        ({"model": "default+nobody"}, openai.NotFoundError, "adapter_not_found"),
        ({"n": 2}, openai.BadRequestError, "invalid_value"),
        ({"temperature": -1}, openai.BadRequestError, "invalid_value"),
        ({"messages": []}, openai.BadRequestError, "invalid_value"),
        ({"messages": _user("x" * 9000)}, openai.BadRequestError, "context_length_exceeded"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, openai.BadRequestError, None),
        ({"extra_body": {"ondevice": {"memory": "always"}}}, openai.BadRequestError, None),
        ({"extra_body": {"ondevice": {"unknown": 1}}}, openai.BadRequestError, None),
        ({"extra_body": {"ondevice": {"profile": "nobody"}}}, openai.NotFoundError, None),
        (
            {"extra_body": {"ondevice": {"temporary": True, "memory": "on"}}},
            openai.BadRequestError,
            "invalid_value",
        ),
        ({"tool_choice": "required"}, openai.BadRequestError, "invalid_value"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "x", "schema": {"$ref": "https://evil.example/"}},
                }
            },
            openai.BadRequestError,
            "invalid_value",
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_have_openais_shape(ask, body, error, code, stream):
    with pytest.raises(error) as caught:
        ask.chat.completions.create(
            **{"model": "default", "messages": _user("Hi"), "stream": stream, **body}
        )
    assert caught.value.body["message"]
    assert code is None or caught.value.code == code


def test_a_wrong_key_is_an_authentication_error(serve_live, me):
    port, _ = serve_live(me)
    with (
        openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="wrong") as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.models.list()
