"""The transcript: what stays where, and what goes when the context fills."""

import pytest

from ondevice.errors import ContextOverflowError
from ondevice.memory.transcript import Exchange, Transcript


def _words(messages):
    return sum(len(message.content.split()) for message in messages)


def _conversation(n):
    talk = Transcript(system="be kind", prefix="notes about you")
    talk.exchanges = [
        Exchange(f"question {i}", f"answer {i}", frozenset({f"m{i}"})) for i in range(n)
    ]
    return talk


def test_a_new_turn_only_appends():
    talk = _conversation(2)
    before = talk.messages("new question")
    talk.exchanges.append(Exchange("new question", "new answer"))
    after = talk.messages("newer question")
    assert after[: len(before)] == before


def test_prefix_stays_when_the_oldest_turns_go():
    talk = _conversation(20)
    dropped = talk.make_room("what now", _words, 60)
    assert dropped > 0
    messages = talk.messages("what now")
    assert _words(messages) <= 60
    assert sum("notes about you" in m.content for m in messages) == 1
    assert sum("be kind" in m.content for m in messages) == 1
    assert talk.exchanges[-1].answer == "answer 19"
    assert talk.exchanges[0].user == f"question {dropped}"
    assert talk.sent_ids(2) == {"m18", "m19"}


def test_a_drop_makes_room_for_several_turns():
    talk = _conversation(20)
    talk.make_room("what now", _words, 60)
    talk.exchanges.append(Exchange("one more", "and its answer"))
    assert talk.make_room("what now", _words, 60) == 0


def test_nothing_is_dropped_while_it_fits():
    talk = _conversation(3)
    assert talk.make_room("hello", _words, 1000) == 0
    assert len(talk.exchanges) == 3


def test_a_turn_too_long_is_refused():
    with pytest.raises(ContextOverflowError, match="room for 20"):
        _conversation(1).make_room("word " * 50, _words, 20)
