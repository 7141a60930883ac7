"""What the graders of the benchmark of memory and answers count, and what they do not."""

import pytest
from answering.grading import (
    Evidence,
    Share,
    holds_one,
    is_marked,
    is_right,
    respects,
    says_unknown,
    sentence_of,
)
from answering.items import groups_of, items_of, some_of

FILES = (
    "indirect", "fillers", "plain", "direct", "when", "newer", "never", "others", "third",
    "claims", "same_talk", "small_talk",
)  # fmt: skip


@pytest.mark.parametrize(
    "answer",
    [
        "You have not told me that yet.",
        "You haven't told me the name of your first teacher.",
        "I’m sorry, but you didn’t mention that.",
        "You never told me which side you sleep on.",
        "I don't know which hospital you were treated in.",
        "I do not have that information.",
        "I'm sorry, but I don't have access to your personal information.",
        "I have not been told the name of your first teacher.",
        "That has not been mentioned in the notes.",
        "The notes don't say which colleague that is.",
        "It is not specified in your notes.",
        "There is no information about your colleagues in the notes.",
        "There's no mention of a glass eye.",
        "I have no record of that.",
        "I'm not sure which side of the bed you sleep on.",
        "I cannot determine that from the notes provided.",
        "I can't tell from what you have told me.",
        "Your blood type is unknown.",
        "As an AI language model, I don't have personal information about you.",
        "Could you please tell me more about it?",
        "Please provide more details about the hospital.",
        "Not sure.",
    ],
)
def test_an_answer_says_that_it_was_not_told(answer):
    assert says_unknown(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Your first teacher was called Mrs Brown.",
        "You sleep on the left side of the bed.",
        "You don't have a brother.",
        "You do not eat meat.",
        "No, you told me that you are allergic to nuts.",
        "You told me that it is Biscuit.",
        "Your dog is called Biscuit, as you have told me.",
        "You have given your number as 4418820.",
        "You don't know her well.",
        "He is not sure-footed.",
        "It was not a good year.",
        "Your passport has been renewed and is not lost.",
    ],
)
def test_a_claim_is_not_taken_for_not_knowing(answer):
    assert not says_unknown(answer)


def test_one_of_the_expected_and_nothing_wrong_makes_an_answer_right():
    item = {"expected": [r"\bGhent\b"], "wrong": ["Lisbon"]}
    assert is_right(item, "You live in ghent now.")
    assert not is_right(item, "You live in Ghent, and before in Lisbon.")
    assert not is_right(item, "You live in Lisbon.")
    assert not is_right(item, "")


def test_patterns_meet_typographic_apostrophes_and_narrow_spaces():
    assert holds_one(["^it's 4 p"], "  It’s 4\u202fp.m.")


def test_an_answer_respects_a_fact_by_its_signs():
    item = {"respects": {"any": ["sorbet", "dairy[- ]free"], "none": ["tiramisu"]}}
    assert respects(item, "How about a lemon sorbet?")
    assert not respects(item, "How about a cake?")
    assert not respects(item, "A sorbet or a tiramisu.")
    assert not respects({"respects": {"any": [], "none": ["x"]}}, " ")
    assert respects({"respects": {"any": [], "none": ["tiramisu"]}}, "A cake.")


def test_a_line_holds_a_statement_in_whatever_person_and_form():
    fact = "I work nights on the ward."
    said = "Sorry, I was asleep. I do nights on the ward. Can you check this?"
    assert sentence_of(fact, said) == "I do nights on the ward."
    signs = Evidence((), (fact, sentence_of(fact, said)))
    for line in (
        "- The user works nights on the ward.",
        f'- The user once said: "{said}"',
        '- The user wrote (3 May 2026): "I do nights on the ward."',
    ):
        assert signs.stands_in([line])
    for line in ("", "- The user works on the third floor.", "- Good nights, everybody."):
        assert not signs.stands_in([line])


def test_a_kept_statement_is_found_as_the_prompt_writes_it():
    signs = Evidence(("The user's cat  is called\nMia.",), ())
    assert signs.stands_in(["- The user's cat is called Mia. (3 May 2026)"])
    assert not Evidence(("",), ("",)).stands_in(["- anything"])


def test_words_that_mean_something_in_common_are_not_enough():
    signs = Evidence((), ("I was a midwife for forty years.",))
    assert not signs.stands_in(["- The sundial was mounted upside down for forty years."])


def test_a_line_shows_that_it_holds_no_longer():
    assert is_marked("- Until 2025: the user lives in Lisbon.")
    assert is_marked("- The user lives in Lisbon (no longer).")
    assert not is_marked("- The user lives in Lisbon (3 May 2026).")


def test_wilsons_interval():
    low, high = Share(90, 100).interval()
    assert (round(low, 3), round(high, 3)) == (0.826, 0.945)
    assert Share(0, 0).interval() is not None


@pytest.mark.parametrize("name", FILES)
def test_the_items_of_both_halves_are_there(name):
    tune, test = items_of(name, "tune"), items_of(name, "test")
    assert tune and len(test) >= 60
    assert not {item["id"] for item in tune} & {item["id"] for item in test}


def test_a_part_of_the_items_is_the_same_every_time_and_in_order():
    items = items_of("direct", "test")
    part = some_of(items, 20, "direct")
    assert part == some_of(items, 20, "direct") and len(part) == 20
    assert part == [item for item in items if item in part]
    assert some_of(items, None, "direct") == items
    assert [len(group) for group in groups_of(items, 40)] == [40, 40, 20]


def test_every_indirect_fact_is_found_in_each_of_its_shapes_and_in_nobodys_else():
    items = items_of("indirect", "test")
    fillers = [item["text"] for item in items_of("fillers", "test")]
    for item in items:
        for shape in ("fact", "said", "note", "diary"):
            line = item[shape].replace("\n", " ")
            signs = Evidence((), (item["fact"], sentence_of(item["fact"], item[shape])))
            assert signs.stands_in([line]), item["id"]
            assert not signs.stands_in(fillers), (item["id"], shape)
