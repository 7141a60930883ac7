"""Proposed facts approved and rejected, and what can be taken back."""

import pytest
from fake_engine import FakeEngine
from memories import add_text

from ondevice.chat import Assistant
from ondevice.cli.chat.commands import ChatLoop
from ondevice.errors import ProfileLockedError, RecordNotFoundError
from ondevice.memory.service import Memory
from ondevice.settings import Settings
from ondevice.store.access import key_changes
from ondevice.store.access.passphrase import Cost
from ondevice.store.profile import Profile


@pytest.fixture
def me(home, embedder):
    profile = Profile.create(home)
    with Assistant(
        FakeEngine(["All right."]), Memory(profile, embedder, Settings()), Settings()
    ) as opened:
        yield opened


def states(me):
    return {fact.text: fact.state for fact in me.profile.facts.all()}


def propose(me, *texts):
    return [add_text(me.memory.recall, text, state="pending").id for text in texts]


def test_an_approval_is_taken_back_with_what_it_replaced(me):
    me.remember("I live in Hamburg.")
    (new,) = propose(me, "I live in Lisbon.")
    before = states(me)
    assert set(before.values()) == {"active", "pending"}
    me.memory.approve(new)
    assert set(states(me).values()) == {"superseded", "active"}
    assert me.memory.undo() == "approving 1 fact"
    assert states(me) == before
    assert me.memory.undo() == "remembering a fact"
    assert list(states(me).values()) == ["pending"]
    assert me.memory.undo() is None


def test_rejected_facts_are_proposed_again(me):
    ids = propose(me, "I know Ada.", "I know Ben.")
    before = states(me)
    active = me.remember("My dog is called Biscuit.")
    with pytest.raises(RecordNotFoundError, match="pending"):
        me.memory.reject(ids[0], active.id)
    assert len(me.memory.reject(*ids)) == 2
    assert me.memory.pending() == []
    assert me.memory.undo() == "rejecting 2 facts"
    assert {fact.text: fact.state for fact in me.memory.pending()} == before


def test_a_verdict_is_taken_back(me):
    me.ask("Hello.")
    me.conversation.feedback("reject")
    assert me.memory.undo() == "the verdict"
    assert me.profile.feedback.all() == []


def test_undo_skips_what_was_forgotten_meanwhile(me):
    fact = me.remember("My dog is called Biscuit.")
    me.forget(fact.id)
    me.memory.undo()
    assert me.profile.facts.all() == []


def test_in_a_chat(me, monkeypatch, capsys):
    propose(me, "I know Ada.", "I know Ben.", "I know Cleo.")
    lines = iter(["/pending", "/approve 2", "/reject all", "/undo", "/undo", "/approve 9", "/exit"])
    loop = ChatLoop(me, False)
    monkeypatch.setattr(loop, "_line", lambda _: next(lines))  # what a person would type
    loop.run()
    said = capsys.readouterr().err
    assert "Approved: 1 fact." in said and "Rejected: 2 facts" in said
    assert "Taken back: rejecting 2 facts." in said and "Say which" in said
    assert len(me.memory.pending()) == 3


def test_a_running_chat_loses_a_profile_that_is_locked(home, me):
    me.remember("My dog is called Biscuit.")
    key_changes.set_passphrase(me.profile, "word", cost=Cost(64, 1, 1))
    key_changes.lock(home, "default")
    with pytest.raises(ProfileLockedError):
        me.ask("What is my dog called?")
    with pytest.raises(ProfileLockedError):
        me.recall("dog")
