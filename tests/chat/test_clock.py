"""The present is told from outside: what is stored, found and shown asks the memory's clock."""

import datetime
import time
from types import SimpleNamespace

import pytest
from fake_engine import FakeEngine

from ondevice.chat import Assistant
from ondevice.memory.service import Memory
from ondevice.settings import Settings
from ondevice.store.profile import Profile

SPRING = datetime.datetime(2024, 3, 4, 9).timestamp()
DAY = 86_400.0


@pytest.fixture
def clock():
    return SimpleNamespace(now=SPRING)


@pytest.fixture
def me(home, embedder, clock):
    profile = Profile.open(home, None, create=True, warn=lambda _: None)
    memory = Memory(profile, embedder, Settings(), clock=lambda: clock.now)
    with Assistant(FakeEngine(["ok"]), memory, Settings()) as opened:
        yield opened


def test_a_turn_and_the_facts_in_it_have_the_time_of_the_clock(me):
    reply = me.ask("I live in Lisbon.")
    turns = me.profile.turns.all()
    assert [turn.time for turn in turns] == [SPRING, SPRING]
    assert [fact.valid_from for fact in reply.receipt.saved] == [SPRING]


def test_the_prompt_names_the_day_of_the_clock(me, clock):
    me.ask("Hello.")
    clock.now += DAY
    me.session().ask("Hello.")
    days = [messages[0].content for messages, _ in me.engine.calls.chats]
    assert "Monday, 4 Mar 2024" in days[0] and "Tuesday, 5 Mar 2024" in days[1]


def test_a_fact_can_have_been_said_earlier_than_now(me):
    me.memory.keep("I have a cat called Mia.", said=SPRING - DAY)
    assert [fact.valid_from for fact in me.memory.list()] == [SPRING - DAY]
    me.memory.keep("I live in Lisbon.", said=SPRING - DAY)
    me.memory.keep("I live in Ghent.")
    (older,) = me.memory.list("superseded")
    assert older.valid_to == SPRING


def test_what_has_expired_by_the_clock_is_neither_found_nor_shown(me, clock):
    clock.now = time.time()  # what has expired by the day of the machine is deleted
    fact = me.remember("I live in Lisbon.")
    me.memory.edit(fact.id, expires=clock.now + DAY)
    assert me.recall("Where do I live?")
    clock.now += 2 * DAY
    assert not me.recall("Where do I live?")
    me.session(memory="read-only").ask("Where do I live?")
    assert "Lisbon" not in "".join(message.content for message in me.engine.calls.chats[-1][0])
