"""The API on the real default model: adapters, grammars, sampling, as OpenAI's client sees them."""

import json

import jsonschema
import openai
import pytest

from ondevice.adapters.builtin_reader import needed_reader
from ondevice.adapters.registry import AdapterRegistry
from ondevice.chat import Assistant
from ondevice.engine.llama import LlamaEngine
from ondevice.home import Home
from ondevice.memory.service import Memory
from ondevice.settings import ModelSettings, Settings
from ondevice.store.profile import Profile
from ondevice.training import train
from ondevice.training.recipe import Recipe

from .conftest import TOKEN, live_servers

ASKED = "What do you think of the sea?"
QUESTIONS = ["What is tea?", "Where is Porto?", "Who are you?", "What is the sea?", "How are you?"]


@pytest.fixture(scope="module")
def pirate(default_model, tmp_path_factory):
    """An adapter that learned for a few seconds to answer like a pirate."""
    folder = tmp_path_factory.mktemp("pirate")
    data = folder / "chats.jsonl"
    chats = [
        {"messages": [{"role": "user", "content": question},
                      {"role": "assistant", "content": "Arr matey arr matey arr matey!"}]}
        for question in QUESTIONS
    ]  # fmt: skip
    data.write_text("\n".join(map(json.dumps, chats)))
    recipe = Recipe(rank=4, learning_rate=5e-3, max_steps=8, epochs=50, tokens_per_step=128,
                    held_out=0, patience=0)  # fmt: skip
    out = folder / "pirate.gguf"
    on = [(needed_reader(default_model).read(), 1.0)]
    train(default_model, [data], out, recipe=recipe, on=on, threads=1)
    return out


@pytest.fixture(scope="module")
def me(default_model, pirate, embedder, tmp_path_factory):
    home = Home.below(tmp_path_factory.mktemp("served"))
    profile = Profile.open(home, None, create=True, warn=lambda _: None)
    engine = LlamaEngine(default_model, ModelSettings(n_ctx=1024, n_threads=1), home)
    with Assistant(engine, Memory(profile, embedder, Settings()), Settings()) as assistant:
        fact = assistant.remember("I sailed to Lisbon.")
        registry = AdapterRegistry(profile)
        registry.add(pirate, default_model, name="pirate", records=[fact.id])
        yield assistant


@pytest.fixture(scope="module")
def client(me):
    with live_servers() as start:
        port, _ = start(me)
        with openai.OpenAI(
            base_url=f"http://127.0.0.1:{port}/v1", api_key=TOKEN, max_retries=0, timeout=120
        ) as client:
            yield client


@pytest.fixture(scope="module")
def ask(client):
    """Ask without memory, greedily; returns the answer's choice."""

    def request(text=ASKED, model="default", ondevice=None, **options):
        return client.chat.completions.create(
            **{"max_tokens": 12, "temperature": 0, "seed": 0, "model": model, **options},
            messages=[{"role": "user", "content": text}],
            extra_body={"ondevice": {"memory": "off", **(ondevice or {})}},
        ).choices[0]

    return request


def test_an_adapter_changes_one_answer_and_leaves_nothing_in_the_cache(ask, client, me):
    plain = ask().message.content
    assert "arr" not in plain.lower()
    assert "Arr matey" in ask(model="default+pirate").message.content
    assert ask().message.content == plain
    assert "Arr matey" in ask(ondevice={"adapters": [{"name": "pirate"}]}).message.content
    assert ask(ondevice={"adapters": [{"name": "pirate", "scale": 0}]}).message.content == plain
    assert ask(ondevice={"adapters": []}).message.content == plain
    completion = {"prompt": "The sea is", "max_tokens": 8, "temperature": 0, "seed": 0}
    before = client.completions.create(model="default", **completion).choices[0].text
    changed = client.completions.create(model="default+pirate", **completion).choices[0].text
    assert changed != before
    assert client.completions.create(model="default", **completion).choices[0].text == before
    AdapterRegistry(me.profile).use("pirate", 1.0)
    assert "Arr matey" in ask().message.content  # the active one
    assert ask(ondevice={"adapters": []}).message.content == plain
    AdapterRegistry(me.profile).off("pirate")
    assert ask().message.content == plain


def test_models_are_the_base_with_each_adapter(client):
    base = "smollm2-135m"
    assert [model.id for model in client.models.list()] == [
        base,
        f"{base}+pirate",
        "minilm",
    ]
    assert client.models.retrieve(f"{base}+pirate").owned_by == "ondevice"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve(f"{base}+nobody")


def test_adapters_that_cannot_be_used_are_refused_in_a_sentence(ask):
    with pytest.raises(openai.NotFoundError, match="no adapter 'nobody'"):
        ask(model="default+nobody")
    with pytest.raises(openai.BadRequestError, match="twice"):
        ask(model="default+pirate+pirate")
    with pytest.raises(openai.BadRequestError, match="twice"):
        ask(ondevice={"adapters": [{"name": "pirate"}, {"name": "pirate", "scale": 0.5}]})
    with pytest.raises(openai.BadRequestError, match="choose one place"):
        ask(model="default+pirate", ondevice={"adapters": []})
    assert "Arr" not in ask().message.content


TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": {"at": {"$ref": "#/$defs/place"}},
                "required": ["at"],
                "additionalProperties": False,
                "$defs": {"place": {"enum": places}},
            },
        },
    }
    for name, description, places in (
        ("get_weather", "The weather in a city.", ["Porto", "Ulm"]),
        ("get_time", "The time in a city.", ["Oslo", "Rome"]),
    )
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "choice", ["auto", "required", {"type": "function", "function": {"name": "get_time"}}]
)
def test_tools_are_called_with_arguments_that_fit(client, choice, stream):
    answer = client.chat.completions.create(
        model="default",
        messages=[{"role": "user", "content": "How is the weather in Porto?"}],
        tools=TOOLS,
        tool_choice=choice,
        stream=stream,
        temperature=1,
        seed=5,
        max_tokens=60,
        extra_body={"ondevice": {"memory": "off"}},
    )
    if stream:
        deltas = [chunk.choices[0] for chunk in answer if chunk.choices]
        calls = [call for one in deltas for call in one.delta.tool_calls or []]
        words = "".join(one.delta.content or "" for one in deltas)
        reason = deltas[-1].finish_reason
    else:
        calls, words = answer.choices[0].message.tool_calls or [], answer.choices[0].message.content
        reason = answer.choices[0].finish_reason
    if choice == "auto" and not calls:
        assert words and reason in ("stop", "length")
        return
    assert not words
    assert reason == "tool_calls"
    called = calls[0].function
    places = {tool["function"]["name"]: tool["function"]["parameters"]["$defs"] for tool in TOOLS}
    assert json.loads(called.arguments)["at"] in places[called.name]["place"]["enum"]
    assert called.name == "get_time" if isinstance(choice, dict) else called.name in places


SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 1, "maxLength": 20},
        "pages": {"type": "integer", "minimum": 10, "maximum": 999},
        "kind": {"enum": ["novel", 'a "real" story']},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 8}, "maxItems": 2},
    },
    "required": ["title", "pages", "kind"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("stream", [False, True])
def test_json_fits_its_schema_even_when_hot(client, stream):
    for seed in (1,) if stream else (2, 3):
        answer = client.chat.completions.create(
            model="default",
            messages=[{"role": "user", "content": "Tell me of a book,\nin several lines."}],
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "book", "schema": SCHEMA, "strict": True},
            },
            temperature=2,
            seed=seed,
            max_tokens=100,
            stream=stream,
            extra_body={"ondevice": {"memory": "off"}},
        )
        if stream:
            text = "".join(c.choices[0].delta.content or "" for c in answer if c.choices)
        else:
            text = answer.choices[0].message.content
        jsonschema.validate(json.loads(text), SCHEMA)


@pytest.mark.parametrize("stream", [False, True])
def test_schemas_that_a_grammar_cannot_say_are_refused(client, stream):
    with pytest.raises(openai.BadRequestError, match="'multipleOf' is not supported"):
        client.chat.completions.create(
            model="default",
            messages=[{"role": "user", "content": "A number"}],
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": {"type": "number", "multipleOf": 7}},
            },
            stream=stream,
        )


def test_a_seed_gives_the_same_answer_again(ask):
    hot = {"temperature": 1.5, "max_tokens": 10}
    first = ask(seed=7, **hot).message.content
    assert ask(seed=7, **hot).message.content == first  # although its prompt is in the cache now
    ask("Something else entirely")
    assert ask(seed=7, **hot).message.content == first
    assert any(ask(seed=seed, **hot).message.content != first for seed in (8, 9, 10))


def test_a_stop_sequence_is_found_across_pieces_and_never_shown(client, ask):
    whole = ask(max_tokens=12).message.content
    words = whole.split()
    stop = f"{words[2]} {words[3]}"  # more than one token
    before = whole[: whole.index(stop)]
    choice = ask(stop=[stop, "never said"])
    assert (choice.message.content, choice.finish_reason) == (before, "stop")
    stream = client.chat.completions.create(
        model="default",
        messages=[{"role": "user", "content": ASKED}],
        stop=stop,
        temperature=0,
        seed=0,
        max_tokens=12,
        stream=True,
        extra_body={"ondevice": {"memory": "off"}},
    )
    assert "".join(c.choices[0].delta.content or "" for c in stream if c.choices) == before


def test_likelihoods_belong_to_the_text(ask):
    choice = ask(logprobs=True, top_logprobs=3)
    tokens = choice.logprobs.content
    assert b"".join(bytes(token.bytes) for token in tokens).decode() == choice.message.content
    for token in tokens:  # greedy: each is the likeliest
        assert token.logprob == pytest.approx(token.top_logprobs[0].logprob)
        assert len(token.top_logprobs) == 3


def test_what_does_not_fit_the_context_is_openais_error(ask):
    with pytest.raises(openai.BadRequestError) as caught:
        ask("sea " * 2000)
    assert caught.value.code == "context_length_exceeded"
    assert ask(max_tokens=2**31 - 1, stop=["."]).finish_reason in ("stop", "length")
    for tokens in (0, -1):
        with pytest.raises(openai.BadRequestError):
            ask(max_tokens=tokens)


def test_a_stale_adapter_is_refused_and_not_listed(ask, client, me):
    fact = next(fact for fact in me.profile.facts.all() if "Lisbon" in fact.text)
    me.memory.forget(fact.id, keep_stale=True)
    with pytest.raises(openai.ConflictError, match="forgotten or changed"):
        ask(model="default+pirate")
    assert "smollm2-135m+pirate" not in [model.id for model in client.models.list()]
    assert ask().message.content
