"""A message that is answered again is saved once, and its new answer replaces the old one."""

from __future__ import annotations

import pytest
from fake_engine import FakeEngine

from ondevice.chat import Assistant
from ondevice.errors import ContextOverflowError, OndeviceError, RecordNotFoundError
from ondevice.evaluation.evaluate import records_in_scope
from ondevice.learning.examples.selection import select
from ondevice.memory.service import Memory
from ondevice.models.messages import Message
from ondevice.settings import Settings
from ondevice.store.profile import Profile


@pytest.fixture
def answers():
    return ["First.", "Second.", "Third.", "Fourth."]


@pytest.fixture
def me(home, embedder, answers):
    said = iter(range(100))
    engine = FakeEngine(lambda _: answers[next(said) % len(answers)], n_ctx=2048)
    with Assistant(
        engine, Memory(Profile.create(home), embedder, Settings()), Settings()
    ) as assistant:
        yield assistant


def texts(me):
    return [turn.text for turn in me.profile.turns.all()]


def test_an_answer_is_replaced_and_nothing_is_saved_twice(me):
    me.ask("My dog is called Biscuit.")
    (fact,) = me.profile.facts.all()
    me.ask("And now?")
    again = me.conversation.retry().finish()
    assert again.text == "Third."
    assert texts(me) == ["My dog is called Biscuit.", "First.", "And now?", "Third."]
    assert [exchange.answer for exchange in me.conversation.exchanges] == ["First.", "Third."]
    assert me.profile.facts.all() == [fact]
    shown = [message.content for message in me.engine.calls.chats[-1][0]]
    assert "Second." not in shown and "First." in shown


def test_the_facts_of_the_message_stay_those_that_they_are(me):
    me.ask("My dog is called Biscuit.")
    (fact,) = me.profile.facts.all()
    again = me.conversation.retry().finish()
    assert again.receipt.saved == [fact] == me.profile.facts.all()
    me.memory.recall.edit_fact(fact.id, text="The user's dog is called Rusk.")
    me.conversation.retry().finish()
    assert [known.text for known in me.profile.facts.all()] == ["The user's dog is called Rusk."]


def test_a_judged_answer_is_kept_for_learning_and_out_of_the_transcript(me):
    me.ask("Say it.")
    me.conversation.feedback("reject")
    me.conversation.retry().finish()
    me.conversation.feedback("accept")
    assert texts(me) == ["Say it.", "First.", "Second."]
    assert [given.verdict for given in me.profile.feedback.all()] == ["reject", "accept"]
    me.ask("Go on.")
    shown = [message.content for message in me.engine.calls.chats[-1][0]]
    assert "First." not in shown and "Second." in shown
    me.continue_conversation()
    assert [exchange.answer for exchange in me.conversation.exchanges] == ["Second.", "Third."]
    earlier = select(records_in_scope(me.profile, None)).earlier
    turns = {turn.text: turn for turn in me.profile.turns.all()}
    assert [t.text for t in earlier[turns["Second."].id]] == ["Say it."]
    assert [t.text for t in earlier[turns["Go on."].id]] == ["Say it.", "Second."]


def test_a_retry_that_is_stopped_before_a_word_leaves_the_old_answer(me):
    me.ask("Say it.")
    reply = me.conversation.retry()
    reply.cancel()
    reply.finish()
    assert texts(me) == ["Say it.", "First."]
    assert [exchange.answer for exchange in me.conversation.exchanges] == ["First."]
    assert reply.receipt.assistant_turn_id == me.profile.turns.all()[-1].id


def test_a_message_without_an_answer_can_be_answered_again(me):
    me.ask("First of all.")
    with pytest.raises(ContextOverflowError):
        me.ask("x" * 4000)
    assert len(texts(me)) == 3
    assert me.conversation.take_back()
    assert texts(me) == ["First of all.", "First."]
    assert len(me.conversation.exchanges) == 1


def test_temporary_chats_are_answered_again_without_a_trace(me):
    me.new_conversation(memory="off")
    with pytest.raises(OndeviceError, match="no message"):
        me.conversation.retry().finish()
    me.ask("Say it.")
    assert me.conversation.retry().finish().text == "Second."
    assert [exchange.answer for exchange in me.conversation.exchanges] == ["Second."]
    assert not texts(me)


def test_what_is_taken_back_had_replaced_nothing(me):
    me.ask("I live in Bonn.")
    me.ask("I live in Ulm.")
    assert {f.text: f.state for f in me.profile.facts.all()} == {
        "The user lives in Bonn.": "superseded",
        "The user lives in Ulm.": "active",
    }
    assert me.conversation.take_back()
    assert texts(me) == ["I live in Bonn.", "First."]
    assert [(f.text, f.state) for f in me.profile.facts.all()] == [
        ("The user lives in Bonn.", "active")
    ]
    assert me.conversation.take_back() and not me.conversation.take_back()
    assert not texts(me) and not me.profile.facts.all()


def test_a_conversation_is_taken_up_by_its_id(me):
    me.ask("One.")
    first = me.conversation.id
    me.new_conversation()
    me.ask("Two.")
    assert len(me.continue_conversation(first).exchanges) == 1
    me.ask("Three.")
    assert [turn.text for turn in me.profile.turns.all(first)] == [
        "One.",
        "First.",
        "Three.",
        "Third.",
    ]
    with pytest.raises(RecordNotFoundError):
        me.continue_conversation("nothing")


def test_a_client_that_asks_again_replaces_the_answer(me):
    asked = [Message("user", "My dog is called Biscuit.")]
    me.respond(asked).finish()
    again = me.respond(asked).finish()
    assert texts(me) == ["My dog is called Biscuit.", "Second."]
    assert len(me.profile.facts.all()) == 1
    assert again.receipt.saved == me.profile.facts.all()
    longer = [*asked, Message("assistant", "Second."), Message("user", "And?")]
    me.respond(longer).finish()
    me.respond(longer).finish()
    assert texts(me) == ["My dog is called Biscuit.", "Second.", "And?", "Fourth."]
    assert me.engine.calls.resets == 0, "the transcript is without the old answer already"


def test_a_client_that_has_gone_on_keeps_its_conversation(me):
    asked = [Message("user", "Hello.")]
    me.respond(asked).finish()
    longer = [*asked, Message("assistant", "First."), Message("user", "And?")]
    me.respond(longer).finish()
    me.respond(asked).finish()  # another conversation that begins alike
    assert texts(me) == ["Hello.", "First.", "And?", "Second.", "Hello.", "Third."]
    me.respond(asked, memory="read-only").finish()
    assert len(texts(me)) == 6
