"""Dialogues and probes: the same seed gives the same, and the answers follow from the notes."""

import itertools
import random
from collections.abc import Sequence

from reader_probes import Probe, ProbeMaker, is_right, question_alone, says_unknown

from ondevice.learning.reader.dialogues import Answer, Dialogue, DialogueMaker, DialogueSettings
from ondevice.learning.reader.preferences import SUGGESTIONS
from ondevice.learning.reader.requests import NEUTRAL, ORDERS, UNKNOWN
from ondevice.learning.reader.scene import Maker, prefix_of
from ondevice.learning.reader.statements import Owner, fill
from ondevice.memory.form import TAUGHT
from ondevice.models.messages import Message

OWN = {
    request: Answer(f"Own answer to: {request}", n % 3 > 0)
    for n, request in enumerate(NEUTRAL["train"])
}


def count(text: str) -> int:
    return len(text.split())


def made(n: int, **settings: int) -> list[Dialogue]:
    maker = DialogueMaker(count, OWN, DialogueSettings(**settings))
    return list(itertools.islice(maker.dialogues(10**9), n))


def test_the_seed_decides_everything() -> None:
    assert made(30) == made(30)
    assert made(30) != made(30, seed=1)
    assert ProbeMaker(count).superseded(20) == ProbeMaker(count).superseded(20)


def test_voices() -> None:
    template = (
        "{s} [plays|play] the {x} and {s} [is|am|are] tired; nothing pleases {m} in {p} home."
    )
    user, sister, ines = Owner(), Owner(relation="sister"), Owner(name="Ines")
    assert fill(template, user, "note", "cello").startswith(
        "The user plays the cello and the user is"
    )
    assert fill(template, user, "speech", "cello") == (
        "I play the cello and I am tired; nothing pleases me in my home."
    )
    assert fill(template, user, "answer", "cello").startswith(
        "You play the cello and you are tired"
    )
    assert fill("{p} dog", sister, "speech") == "My sister's dog"
    assert fill("{p} dog", ines, "answer") == "Ines's dog"
    assert fill("{s} [drives|drive] a {x}.", user, "answer", "old Saab") == "You drive an old Saab."


def turns(dialogue: Dialogue) -> list[tuple[str, str]]:
    contents = [m.content for m in dialogue.messages]
    assert [m.role for m in dialogue.messages] == ["user", "assistant"] * (len(contents) // 2)
    return list(zip(contents[::2], contents[1::2], strict=True))


def test_answers_follow_from_what_was_shown() -> None:
    starts = tuple(text.split("{")[0] for text in SUGGESTIONS["train"] if not text.startswith("{"))
    kinds = {"unknown": 0, "own": 0, "read": 0, "suggested": 0}
    for dialogue in made(150):
        shown = ""
        for user, answer in turns(dialogue):
            shown += user
            if answer == UNKNOWN:
                kinds["unknown"] += 1
            elif answer in {own.text for own in OWN.values()}:
                kinds["own"] += 1
            elif answer.startswith(starts):
                kinds["suggested"] += 1
            else:  # its rarest word stands in what the model was shown
                kinds["read"] += 1
                assert any(word.strip(".,:") in shown for word in answer.split()[1:]), answer
    assert min(kinds.values()) > 20 and kinds["read"] > kinds["unknown"]


def test_a_cut_answer_is_the_last_one() -> None:
    cut = [d for d in made(200) if d.cut]
    assert cut
    whole = {own.text: own.whole for own in OWN.values()}
    for dialogue in cut:
        assert whole[dialogue.messages[-1].content] is False
        assert all(whole.get(m.content, True) for m in dialogue.messages[:-1])


def test_prompts_are_in_the_form_of_the_assistant() -> None:
    texts = [user for d in made(100) for user, _ in turns(d)]
    assert any(text.startswith(TAUGHT.prefix_head) for text in texts)
    assert any(TAUGHT.turn_head in text for text in texts)
    assert any('The user once said: "' in text for text in texts)
    assert any('From notes: "' in text for text in texts)
    prefix = prefix_of(["The user plays the oboe."], count)
    assert prefix == f"{TAUGHT.prefix_head}\n- The user plays the oboe."


def test_notes_grow_to_twenty_five_and_dialogues_keep_to_their_limit() -> None:
    sizes = {d.messages[0].content.split("\n\n")[0].count("\n- ") for d in made(400)}
    assert max(sizes) in (24, 25, 26) and 0 in sizes and 1 in sizes
    longest = max(sum(count(m.content) for m in d.messages) for d in made(200, max_tokens=150))
    assert longest <= 150


def test_orders_never_change_an_answer() -> None:
    heads = [order.split("{w}")[0].strip() for order in ORDERS["train"]]
    told = [d for d in made(300) if any(head in m.content for m in d.messages for head in heads)]
    assert len(told) > 10
    assert not any(
        head in m.content
        for d in told
        for m in d.messages
        if m.role == "assistant"
        for head in heads
    )


def test_what_is_not_known_is_not_in_the_notes() -> None:
    maker = Maker("train", random.Random(0))
    for _ in range(200):
        world = maker.world(12)
        what, who = maker.place(s.place for s in world)
        said = {s.place for s in world}
        assert not any((key, who) in said for key in maker.alike(what.key))


def prompt(messages: Sequence[Message]) -> str:
    return "\n".join(m.content for m in messages)


def test_probes_hold_their_answers_and_say_so() -> None:
    maker = ProbeMaker(count)
    for n_facts in (1, 5, 25):
        probes = maker.direct(n_facts, 40)
        assert len(probes) == 40
        for probe in probes:
            notes = prompt(probe.messages)
            assert probe.right in notes and notes.count("\n- ") == n_facts
    for probe in (*maker.indirect(40), *maker.later(20)):
        assert probe.right.lower() in prompt(probe.messages).lower()
    for probe in maker.preferences(24):
        assert len(set(probe.options)) == 4
    for probe in maker.orders(12):
        assert probe.wrong[0] in prompt(probe.messages)
        assert probe.wrong[0] not in prompt(question_alone(probe).messages)


def test_what_counts_as_right() -> None:
    probe = Probe("superseded", (), "Porto", ("Lisbon",))
    assert is_right(probe, "You live in porto.")
    assert not is_right(probe, "You live in Lisbon, no, Porto.")
    assert is_right(Probe("unknown", ()), UNKNOWN) and says_unknown("I don’t know that.")
    assert not is_right(Probe("unknown", ()), "You live in Porto.")
