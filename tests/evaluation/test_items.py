import pytest

from ondevice.evaluation.items import (
    ItemSettings,
    build_items,
    continue_request,
    load,
    neutral_items,
    reply_request,
)
from ondevice.evaluation.measure import exact_match, is_right, token_f1
from ondevice.evaluation.split import split
from ondevice.store.records import AnyRecord, Fact, Feedback, Passage, Turn

DAY = 86_400.0
WORDS = ["stone", "river", "lamp", "bread", "window", "letter", "garden", "winter", "coat", "bell"]


def text(i: int) -> str:
    return " ".join(WORDS[(i * 7 + j * j + j) % 10] + str(i * 31 + j) for j in range(24))


def passage(i: int, words: str | None = None, speaker: str | None = None) -> Passage:
    return Passage(f"p{i}", f"s{i}", words or text(i), 0, DAY * i, None, speaker)


def turn(i: int, role: str, words: str, conversation: str = "c") -> Turn:
    return Turn(f"t{i}", conversation, role, words, DAY * i, conversation, (), position=i)


def fact(i: int, words: str) -> Fact:
    return Fact(
        f"f{i}", words, "preference", None, "active", None, 0, 0, None, False, None, True, None
    )


def test_held_out_texts_are_continued_from_their_beginning() -> None:
    records = [passage(i) for i in range(40)]
    items = build_items(records, split(records).held_out)
    assert len(items.texts) == 8
    assert {item.record_id for item in items.texts} == set(split(records).held_out)
    for item in items.texts:
        whole = next(r.text for r in records if r.id == item.record_id)
        assert item.request == continue_request(item.query)
        assert f"{item.query} {item.text}" == whole
        assert 3 <= len(item.query.split()) <= 16


def test_a_turn_is_given_with_the_message_that_it_answers() -> None:
    records: list[AnyRecord] = []
    for i in range(30):
        records.append(turn(2 * i, "user", text(i)))
        records.append(turn(2 * i + 1, "assistant", f"And then {i}?"))
    items = build_items(records, split(records).held_out)
    last = next(item for item in items.texts if item.record_id == "t58")
    assert last.request == reply_request("And then 28?")
    assert last.text == text(29)
    assert last.conversation_id == "c"


def test_what_the_adapter_has_seen_judges_nothing() -> None:
    records = [passage(i) for i in range(40)]
    held_out = split(records).held_out
    items = build_items(records, held_out, trained_on=held_out[:3])
    assert not {item.record_id for item in items.texts} & set(held_out[:3])
    assert items.notes == ["3 held-out records left out: the adapter has seen them."]


def test_near_copies_of_other_records_judge_nothing() -> None:
    records = [passage(i) for i in range(40)]
    records.append(passage(90, words=text(39) + " again", speaker="Robin"))
    items = build_items(records, split(records).held_out)
    assert "p39" not in {item.record_id for item in items.texts}
    assert items.notes == ["1 held-out texts left out: something else says nearly the same."]


def test_short_and_repeated_texts_are_left_out_and_long_ones_cut() -> None:
    records = [passage(i) for i in range(40)]
    records[39] = passage(39, words="too short to say anything")
    records[38] = passage(38, words=" ".join(f"word{i}" for i in range(500)))
    items = build_items(records, split(records).held_out)
    by_id = {item.record_id: item for item in items.texts}
    assert "p39" not in by_id
    assert len(by_id["p38"].text.split()) == ItemSettings().max_words


def test_items_depend_on_content_alone() -> None:
    records = [passage(i) for i in range(60)]
    held_out = split(records).held_out
    first = build_items(records, held_out, settings=ItemSettings(texts=5))
    second = build_items(records[::-1], held_out, settings=ItemSettings(texts=5))
    assert first.texts == second.texts
    assert len(first.texts) == 5


def test_texts_of_one_source_are_one_cluster_where_there_are_many_sources() -> None:
    records = [passage(i) for i in range(80)]
    items = build_items(records, split(records).held_out)
    assert len({item.cluster for item in items.texts}) == 16
    one_source = [Passage(p.id, "s", p.text, 0, p.time, None, None) for p in records]
    items = build_items(one_source, split(one_source).held_out)
    assert len({item.cluster for item in items.texts}) == 16


def test_facts_give_choices_and_questions_but_held_out_ones_do_not() -> None:
    facts = [fact(1, "The user lives in Ulm."), fact(2, "The user's dog is called Biscuit.")]
    items = build_items(facts, ["f1"])
    assert [q.answer for q in items.questions] == ["Biscuit"]
    assert [choice.options[0] for choice in items.choices] == ["Biscuit"]
    assert all("Answer in a few words" in q.question for q in items.questions)


def test_a_held_out_edit_is_a_choice_between_what_was_wanted_and_what_was_said() -> None:
    records: list[AnyRecord] = []
    for i in range(25):
        records.append(turn(2 * i, "user", f"Question {i}?", conversation=f"c{i}"))
        records.append(turn(2 * i + 1, "assistant", f"Long answer {i}.", conversation=f"c{i}"))
        records.append(Feedback(f"v{i}", f"t{2 * i + 1}", "edit", f"Short {i}.", DAY * i))
    items = build_items(records, split(records).held_out)
    assert len(items.choices) == 5
    assert ("Short 24.", "Long answer 24.") in [choice.options for choice in items.choices]


def test_an_empty_profile_gives_only_neutral_text() -> None:
    items = build_items([], [])
    assert (items.texts, items.choices, items.questions) == ([], [], [])
    assert len(items.neutral) == ItemSettings().neutral


def test_the_banks_are_large_enough_and_without_repetition() -> None:
    assert len(neutral_items()) >= 50
    assert sum(len(item.text.split()) for item in neutral_items()) > 4000
    for name, key in (
        ("wrong_claims", "claim"),
        ("open_questions", "question"),
        ("paired_groups", "situation"),
    ):
        entries = [f"{entry[key]}{entry.get('groups')}" for entry in load(name)]
        assert len(entries) >= 50
        assert len(set(entries)) == len(entries)
    assert all("{x}" in entry["situation"] for entry in load("paired_groups"))


@pytest.mark.parametrize(
    ("answer", "right", "exact", "f1"),
    [
        ("Biscuit", "Biscuit", 1, 1),
        ("the biscuit.", "Biscuit", 1, 1),
        ("Your dog's name is Biscuit", "Biscuit", 0, 1 / 3),
        ("Rex", "Biscuit", 0, 0),
        ("", "Biscuit", 0, 0),
    ],
)
def test_answers_are_compared_by_words(answer: str, right: str, exact: float, f1: float) -> None:
    assert exact_match(answer, right) == exact
    assert token_f1(answer, right) == pytest.approx(f1)


def test_the_first_option_is_right_if_it_is_likeliest() -> None:
    assert is_right([-1.0, -2.0]) == 1
    assert is_right([-2.0, -1.0]) == 0
    assert is_right([-1.0, -1.0, -3.0]) == 0.5
