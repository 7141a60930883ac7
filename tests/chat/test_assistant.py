"""The facade: what a turn reads, writes, shows and drops.

The scripted engine stands in where the model is not what is tested.
"""

import threading
import time

import pytest
from fake_engine import FakeEngine
from memories import add_text

from ondevice.chat import Assistant
from ondevice.engine.protocol import ChatOptions
from ondevice.errors import AdapterNotFoundError, AdapterStaleError, RecordNotFoundError
from ondevice.memory.service import Memory
from ondevice.settings import Settings
from ondevice.store import ids
from ondevice.store.profile import Profile

GREEDY = ChatOptions(temperature=0.0, repeat_penalty=1.0, max_tokens=24)


@pytest.fixture
def open_assistant(home, embedder):
    opened = []

    def make(script=("All right.",), *, scope=None, **options):
        profile = Profile.open(home, None, create=True, warn=lambda _: None)
        memory = Memory(profile, embedder, scope=scope)
        me = Assistant(FakeEngine(script), memory, Settings(), **options)
        opened.append(me)
        return me

    yield make
    for me in opened:
        me.close()


def _shown(me):
    """Return all text that the engine was shown at the last turn."""
    messages, _ = me.engine.calls.chats[-1]
    return "\n".join(message.content for message in messages)


def test_a_remembered_fact_is_shown_to_the_model(open_assistant):
    me = open_assistant()
    fact = me.remember("My dog is called Biscuit.")
    reply = me.ask("What is my dog called?")
    assert "Biscuit" in _shown(me)
    assert fact.id in [memory.id for memory in reply.receipt.used]


def test_a_fact_in_a_turn_is_saved_and_found_in_the_next_conversation(open_assistant):
    me = open_assistant()
    reply = me.ask("Hello! My cat is called Mia and I live in Porto.")
    assert {"Mia", "Porto"} <= {
        word.strip(".") for f in reply.receipt.saved for word in f.text.split()
    }
    me.new_conversation()
    me.ask("Where do I live?")
    assert "Porto" in _shown(me)


def test_later_turns_only_append_so_that_the_cache_stays_warm(open_assistant):
    me = open_assistant()
    me.remember("My dog is called Biscuit.")
    me.ask("What is my dog called?")
    first, _ = me.engine.calls.chats[-1]
    me.ask("And what does he like?")
    second, _ = me.engine.calls.chats[-1]
    assert second[: len(first)] == first


def test_forgetting_drops_transcript_text_and_cache(open_assistant):
    me = open_assistant()
    fact = me.remember("My safe word is Quixotry.")
    me.ask("What is my safe word?")
    assert "Quixotry" in _shown(me)
    resets = me.engine.calls.resets
    report = me.forget(fact.id).report
    assert fact.id in report.records
    assert me.engine.calls.resets > resets
    me.ask("And now?")
    assert "Quixotry" not in _shown(me)


def test_forgetting_a_fact_takes_the_turn_it_came_from_and_answers_that_repeat_it(open_assistant):
    me = open_assistant(["Nice to meet Mia.", "Bread takes flour.", "Your cat is Mia."])
    cat = me.ask("Hello! My cat is called Mia.").receipt.saved[0]
    me.ask("How do I bake bread?")
    me.ask("What is my cat called?")
    me.forget(cat.id)
    left = [turn.text for turn in me.profile.turns.all(me.profile.turns.last_conversation())]
    assert left == ["How do I bake bread?", "Bread takes flour.", "What is my cat called?"]
    me.ask("What is my cat called?")
    assert "Mia" not in _shown(me)


def test_forgetting_can_keep_the_turns(open_assistant):
    me = open_assistant()
    cat = me.ask("Hello! My cat is called Mia.").receipt.saved[0]
    me.forget(cat.id, keep_turns=True)
    turns = me.profile.turns.all(me.profile.turns.last_conversation())
    assert turns[0].text == "Hello! My cat is called Mia."


def _import(me, tmp_path, *lines, name="WhatsApp Chat with Ben.txt"):
    file = tmp_path / name
    file.write_text("".join(f"31.12.23, 2{n}:00 - {line}\n" for n, line in enumerate(lines)))
    me.memory.import_paths([file])


def test_a_corrected_text_is_the_one_that_is_shown(open_assistant, tmp_path):
    me = open_assistant()
    _import(me, tmp_path, "Anna: The spare key hangs in the shed.", "Ben: Fine.")
    used = me.ask("Where does the spare key hang?").receipt.used
    assert "in the shed" in _shown(me)
    (old,) = [memory for memory in used if "key" in memory.text]
    new = me.memory.edit(old.id, text="the spare key hangs in the loft")
    me.ask("Where does the spare key hang?")
    assert "in the loft" in _shown(me) and "in the shed" not in _shown(me)
    assert me.profile.get(new.id).text == "the spare key hangs in the loft"
    assert me.memory.undo() == "a correction"
    me.ask("Where does the spare key hang?")
    assert "in the shed" in _shown(me) and "in the loft" not in _shown(me)


def test_a_corrected_message_and_its_facts_change_in_the_transcript(open_assistant):
    me = open_assistant()
    said = me.ask("My cat is called Mia.")
    me.ask("How do I bake bread?")
    me.memory.edit(said.receipt.user_turn_id, text="My cat is called Mona.")
    assert [f.text for f in me.profile.facts.all(state="active")] == [
        "The user's cat is called Mona."
    ]
    me.ask("What is my cat called?")
    assert "Mona" in _shown(me) and "Mia" not in _shown(me)
    shown = [exchange.user for exchange in me.conversation.exchanges]
    assert "My cat is called Mona." in shown[0] and len(shown) == 3


def test_what_others_say_of_themselves_is_not_the_users(open_assistant, tmp_path):
    me = open_assistant()
    _import(me, tmp_path, "Ben: My dog is called Rex", "Anna: How nice")
    mine = me.ask("What is my dog called?")
    assert "Rex" not in _shown(me)
    assert not [memory for memory in mine.receipt.used if "Rex" in memory.text]
    theirs = me.ask("What is Ben's dog called?")
    said = 'Ben wrote (31 Dec 2023, WhatsApp: WhatsApp Chat with Ben): "Ben\'s dog is called Rex"'
    assert said in _shown(me)
    (used,) = [memory for memory in theirs.receipt.used if "Rex" in memory.text]
    assert (used.speaker, used.shown) == ("Ben", "Ben: My dog is called Rex")


def test_forgetting_something_unknown_changes_nothing(open_assistant):
    me = open_assistant()
    fact = me.remember("I play the cello.")
    with pytest.raises(RecordNotFoundError):
        me.forget(fact.id, "nonsense")
    assert me.recall("cello")


def test_a_newer_fact_replaces_the_older_one_in_a_running_chat(open_assistant):
    me = open_assistant()
    me.remember("I live in Hamburg.")
    me.ask("Where do I live?")
    assert "Hamburg" in _shown(me)
    me.ask("I live in Lisbon now.")
    me.ask("Where is my home?")
    assert "Lisbon" in _shown(me)
    assert "lives in Hamburg" not in _shown(me)


def test_what_another_process_forgets_stops_the_answer_and_is_dropped(open_assistant, home):
    me = open_assistant(["one two three four five six seven"])
    fact = me.remember("My dog is called Biscuit.")
    other = Profile.open(home, None, warn=lambda _: None)
    reply = me.chat("What is my dog called?")
    said = []
    for piece in reply:
        said.append(piece)
        if len(said) == 2:
            other.forget([fact.id])
    other.close()
    assert len(said) == 2
    assert reply.receipt.forgotten_meanwhile
    me.ask("What is my dog called?")
    assert "Biscuit" not in _shown(me)


def test_a_conversation_that_is_forgotten_elsewhere_is_followed_by_a_new_one(open_assistant, home):
    me = open_assistant()
    me.ask("The first message.")
    first = me.conversation.id
    with Profile.open(home) as other:
        other.forget([first])
    me.ask("The second message.")
    assert me.conversation.id not in (None, first)
    assert [turn.text for turn in me.profile.turns.all()] == [
        "The second message.",
        "All right.",
    ]
    assert "first" not in _shown(me)


def test_an_answer_to_a_conversation_that_is_forgotten_meanwhile_is_not_kept(open_assistant, home):
    me = open_assistant(["one two three"])
    reply = me.chat("The first message.")
    pieces = iter(reply)
    assert next(pieces)
    with Profile.open(home) as other:
        other.forget([me.conversation.id])
    assert list(pieces) == []
    assert reply.receipt.forgotten_meanwhile
    assert me.profile.turns.all() == [] and me.conversation.id is None


def test_what_is_due_is_forgotten_by_a_program_that_runs_for_long(open_assistant, monkeypatch):
    monkeypatch.setattr(ids, "_last", ids._last)  # other tests go on in the present
    me = open_assistant()
    me.profile.retention.set(fact_days=1, turn_days=1)
    me.ask("I live in Ulm.")
    in_two_days = time.time() + 2 * 86_400
    monkeypatch.setattr(time, "time", lambda: in_two_days)
    me.profile.retention.clock = time.time
    assert me.profile.facts.all() == []
    me.profile.purge_due()
    me.ask("Where do I live?")
    assert me.profile.facts.all() == []
    assert [turn.text for turn in me.profile.turns.all()] == [
        "Where do I live?",
        "All right.",
    ]
    assert "Ulm" not in _shown(me)


def test_a_temporary_chat_goes_on_when_something_is_forgotten(open_assistant):
    me = open_assistant(temporary=True)
    fact = me.remember("My dog is called Biscuit.")
    me.ask("Think of a colour.")
    me.forget(fact.id)
    me.ask("Which colour was it?")
    assert "Think of a colour." in _shown(me)


@pytest.mark.parametrize("change", ["approve", "edit", "undo", "forget", "use_adapters"])
def test_changes_by_another_thread_wait_for_the_end_of_an_answer(open_assistant, change):
    me = open_assistant(["one two three"])
    fact = add_text(me.memory.recall, "My dog is called Biscuit.", state="pending")
    me.remember("My cat is called Mia.")
    changes = {
        "approve": lambda: me.memory.approve(fact.id),
        "edit": lambda: me.memory.edit(fact.id, text="My dog is called Toffee."),
        "undo": me.memory.undo,
        "forget": lambda: me.memory.forget(fact.id),
        "use_adapters": lambda: me.adapters.choose([]),
    }
    pieces = iter(me.chat("Count."))
    assert next(pieces)
    other = threading.Thread(target=changes[change])
    other.start()
    other.join(0.2)
    assert other.is_alive()
    assert "".join(pieces) == " two three"
    other.join(10)
    assert [turn.text for turn in me.profile.turns.all()] == ["Count.", "one two three"]
    assert [exchange.user for exchange in me.conversation.exchanges] == ["Count."]


def test_a_write_of_another_process_does_not_stop_an_answer(open_assistant, home):
    me = open_assistant(["one two three four"])
    other = Profile.open(home, None, warn=lambda _: None)
    reply = me.chat("Count.")
    for number, _ in enumerate(reply):
        other.facts.add(f"The user likes the number {number}.")
    other.close()
    assert reply.text == "one two three four"


def test_temporary_reads_and_writes_nothing(open_assistant, home):
    me = open_assistant()
    me.remember("My dog is called Biscuit.")
    me.new_conversation(memory="off")
    reply = me.ask("My name is Zoe. What is my dog called?")
    assert "Biscuit" not in _shown(me)
    assert reply.receipt.saved == [] and reply.receipt.used == []
    assert me.profile.turns.last_conversation() is None
    assert len(me.profile.facts.all()) == 1


def test_a_stopped_answer_is_kept_as_far_as_it_went(open_assistant):
    me = open_assistant(["one two three four five"])
    pieces = iter(me.chat("Count."))
    said = next(pieces) + next(pieces)
    pieces.close()
    turns = me.profile.turns.all(me.profile.turns.last_conversation())
    assert [turn.role for turn in turns] == ["user", "assistant"]
    assert turns[1].text == said


def test_continue_takes_up_the_last_conversation(open_assistant):
    open_assistant(["Nice."]).ask("I baked bread today, it rose well.")
    me = open_assistant()
    assert len(me.continue_conversation().exchanges) == 1
    me.ask("Was it good?")
    assert "I baked bread today" in _shown(me)
    assert len(me.profile.turns.all(me.profile.turns.last_conversation())) == 4


def test_contexts_are_kept_apart(open_assistant):
    open_assistant(scope="work").remember("My boss is called Ramona.")
    home_side = open_assistant()
    assert all("Ramona" not in m.text for m in home_side.recall("boss"))
    home_side.ask("Who is my boss?")
    assert "Ramona" not in _shown(home_side)
    work_side = open_assistant(scope="work")
    work_side.ask("Who is my boss?")
    assert "Ramona" in _shown(work_side)


def test_questions_and_answers_of_before_are_no_evidence(open_assistant):
    me = open_assistant(["Your dog is called Rex, I guess."])
    me.ask("What is my dog called?")
    me.new_conversation()
    reply = me.ask("What is my dog called?")
    assert reply.receipt.used == []


def test_a_stale_adapter_is_refused_by_name(open_assistant, make_adapter, default_model):
    from ondevice.adapters.registry import AdapterRegistry

    me = open_assistant()
    fact = me.remember("I play the cello.")
    path, _ = make_adapter(1)
    registry = AdapterRegistry(me.profile)
    registry.add(path, default_model, name="mine", records=[fact.id])
    registry.use("mine", 1.0)
    me.forget(fact.id)
    assert me.engine.active_adapters == []
    with pytest.raises(AdapterStaleError):
        me.adapters.choose([("mine", 1.0)])


def test_proposed_facts_wait_for_approval(open_assistant):
    me = open_assistant(['[{"category":"preference","note":"The user lives in Lisbon"}]'])
    me.remember("I live in Hamburg.")
    (pending,) = me.propose("Lisbon has been my home since May.")
    assert pending.state == "pending"
    assert all("Lisbon" not in memory.text for memory in me.recall("Where do I live?"))
    me.memory.recall.approve(pending.id)
    states = {fact.text: fact.state for fact in me.profile.facts.all()}
    assert states == {
        "The user lives in Hamburg.": "superseded",
        "The user lives in Lisbon.": "active",
    }


def test_the_real_model_proposes_within_the_grammar(home):
    with Assistant.open(home=home, warn=lambda _: None) as me:
        facts = me.propose("I moved to Lisbon and I play the cello.")
        assert facts
        assert all(f.state == "pending" and f.text.startswith("The user") for f in facts)


def test_threads_take_turns(open_assistant):
    me = open_assistant(lambda messages: f"echo {messages[-1].content.split()[-1]}")
    answers = {}

    def ask(number):
        answers[number] = me.ask(f"Say {number}").text

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {n: f"echo {n}" for n in range(6)}
    roles = [turn.role for turn in me.profile.turns.all(me.profile.turns.last_conversation())]
    assert roles == ["user", "assistant"] * 6


def test_the_real_model_is_given_what_was_said(home):
    with Assistant.open(home=home, warn=lambda _: None) as me:
        me.remember("My dog is called Biscuit.")
        first = me.ask("What is the name of my dog?")
        second = me.ask("Tell me a short joke.")
        assert "Biscuit" in first.text
        assert second.usage.cached_tokens >= first.usage.prompt_tokens


def test_the_real_model_tells_nobody_that_anothers_dog_is_theirs(home, tmp_path):
    with Assistant.open(home=home, warn=lambda _: None) as me:
        _import(me, tmp_path, "Ben: My dog is called Rex", "Anna: How nice", "Ben: I live in Graz")
        for question, value in (("What is my dog called?", "Rex"), ("Where do I live?", "Graz")):
            me.new_conversation()
            assert value not in me.ask(question, GREEDY).text
        for question, value in (("What is Ben's dog called?", "Rex"),
                                ("Where does Ben live?", "Graz")):  # fmt: skip
            me.new_conversation()
            assert value in me.ask(question, GREEDY).text


def test_an_adapter_that_cannot_be_used_spoils_no_later_answer(open_assistant):
    me = open_assistant()
    with pytest.raises(AdapterNotFoundError):
        me.adapters.choose([("mistyped", None)])
    assert me.ask("Hello!").text == "All right."
