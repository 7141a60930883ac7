"""Several conversations side by side: none is seen in another."""

import threading

import pytest
from fake_engine import FakeEngine

from ondevice.chat import Assistant
from ondevice.engine.protocol import ChatOptions
from ondevice.memory.service import Memory
from ondevice.models.messages import Message
from ondevice.settings import Settings
from ondevice.store.profile import Profile

CLIENT = [
    Message("user", "A client's first message."),
    Message("assistant", "An answer that the client had."),
    Message("user", "A client's second message."),
]


@pytest.fixture
def me(home, embedder):
    profile = Profile.open(home, None, create=True, warn=lambda _: None)
    with Assistant(FakeEngine(["one two three"]), Memory(profile, embedder), Settings()) as opened:
        yield opened


def shown(me):
    """Return the texts that the engine was shown for the newest answer."""
    messages, _ = me.engine.calls.chats[-1]
    return [message.content for message in messages]


def test_a_clients_answer_and_the_own_conversation_do_not_see_each_other(me):
    me.ask("My own message.")
    own, kept = me.conversation, me.conversation.id
    pieces = iter(me.respond(CLIENT))
    assert next(pieces)
    # While the client is answered, everything about the own conversation stays as it is.
    assert me.conversation is own and own.id == kept and not own.is_temporary
    assert [exchange.user for exchange in own.exchanges] == ["My own message."]
    assert "".join(pieces)
    assert "My own message." not in "".join(shown(me))
    assert [exchange.user for exchange in own.exchanges] == ["My own message."]
    me.ask("Another one.")
    assert "client" not in "".join(shown(me))
    assert {turn.text for turn in me.profile.turns.all(kept)} == {
        "My own message.", "Another one.", "one two three",
    }  # fmt: skip


def test_several_conversations_are_open_at_once(me):
    first, second = me.session(), me.session()
    first.ask("About boats.")
    second.ask("About bread.")
    first.ask("More of it.")
    assert shown(me)[1:] == ["About boats.", "one two three", "More of it."]
    assert first.id != second.id
    assert [turn.text for turn in me.profile.turns.all(second.id)] == [
        "About bread.", "one two three",
    ]  # fmt: skip


def test_one_answer_is_generated_at_a_time(me):
    first, second = me.session(), me.session()
    pieces = iter(first.chat("Count."))
    next(pieces)
    other = threading.Thread(target=lambda: second.ask("Me too."))
    other.start()
    other.join(0.2)
    assert other.is_alive() and len(me.engine.calls.chats) == 1
    list(pieces)
    other.join(10)
    assert not other.is_alive() and len(me.engine.calls.chats) == 2


def test_a_temporary_conversation_beside_one_that_is_kept(me):
    me.remember("My dog is called Biscuit.")
    temporary, kept = me.session(memory="off"), me.session()
    temporary.ask("I live in Ulm.")
    kept.ask("What is my dog called?")
    assert "Biscuit" in "".join(shown(me))
    temporary.ask("What is my dog called?")
    assert "Biscuit" not in "".join(shown(me))
    assert [fact.text for fact in me.memory.list()] == ["The user's dog is called Biscuit."]
    assert len(temporary.exchanges) == 2 and temporary.id is None


def test_what_is_forgotten_goes_from_every_open_conversation(me):
    fact = me.remember("My dog is called Biscuit.")
    first, second = me.session(), me.session()
    first.ask("What is my dog called?")
    second.ask("And how old is my dog?")
    assert first.transcript.prefix and second.transcript.prefix
    me.forget(fact.id)
    assert first.transcript.prefix is None and second.transcript.prefix is None
    first.ask("What is my dog called?")
    assert "Biscuit" not in "".join(shown(me))


def test_a_client_that_sends_the_same_again_replaces_its_answer(me):
    me.respond(CLIENT).finish()
    me.respond(CLIENT).finish()
    assert [turn.text for turn in me.profile.turns.all()] == [
        "A client's second message.", "one two three",
    ]  # fmt: skip


def test_a_note_whose_exchange_left_the_context_is_sent_again(home, embedder):
    profile = Profile.open(home, None, create=True, warn=lambda _: None)
    engine = FakeEngine(["All right."], n_ctx=1400)
    options = ChatOptions(max_tokens=20)
    with Assistant(engine, Memory(profile, embedder), Settings()) as me:
        me.remember("The canoe lies behind the old mill.")
        first = me.ask("Where does the canoe lie?", options)
        assert [memory.place for memory in first.receipt.used] == ["turn"]
        me.ask("word " * 120, options)
        last = me.ask("Where does the canoe lie? " + "word " * 120, options)
        assert last.receipt.dropped_exchanges
        assert [memory.place for memory in last.receipt.used] == ["turn"]
        assert "behind the old mill" in "".join(shown(me))
