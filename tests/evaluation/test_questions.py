import pytest

from ondevice.evaluation.questions import options_for, question_for, questions_for
from ondevice.evaluation.split import words_of


@pytest.mark.parametrize(
    ("fact", "question", "answer", "kind"),
    [
        ("My dog is called Biscuit.", "What is my dog called?", "Biscuit", "name"),
        ("The user lives in Leipzig.", "Where do I live?", "Leipzig", "place"),
        ("I am a nurse", "What is my job?", "nurse", "job"),
        ("My favourite colour is green", "What is my favourite colour?", "green", "colour"),
        ("I hate coriander", "What do I dislike?", "coriander", "liked"),
        ("I prefer tea to coffee", "What do I prefer, coffee or tea?", "tea", ""),
        ("I'm learning Swedish", "What am I learning at the moment?", "Swedish", "skill"),
        ("I was born in 1984", "When was I born?", "1984", "year"),
        ("I'm vegetarian", "What is my diet?", "vegetarian", "diet"),
    ],
)
def test_a_fact_becomes_a_question(fact: str, question: str, answer: str, kind: str) -> None:
    made = question_for(fact)
    assert (made.text, made.answer, made.kind) == (question, answer, kind)


def test_other_facts_become_statements() -> None:
    made = question_for("I have a meeting with the tax office on Friday")
    assert made.kind == "statement"
    assert made.answer == "I have a meeting with the tax office on Friday."
    assert not made.single


def test_a_question_with_two_right_answers_is_not_asked_alone() -> None:
    made = questions_for(["I play the cello", "I play tennis", "My cat is called Momo"])
    assert [question.single for question in made] == [False, False, True]


def test_options_are_of_the_same_kind_and_wrong() -> None:
    facts = ["I live in Leipzig", "I grew up in Ghent", "I love Porto and Bergen"]
    questions = questions_for(facts)
    options = options_for(questions[0], questions, facts)
    assert options[0] == "Leipzig"
    assert len(options) == len(set(options)) == 4
    assert "Ghent" in options  # right elsewhere, wrong here
    assert not {"Porto", "Bergen"} & set(options)


def test_what_is_liked_is_no_wrong_answer_to_what_is_liked() -> None:
    facts = ["I love hiking", "I enjoy sailing and karaoke", "I hate funfairs"]
    questions = questions_for(facts)
    for question in questions[:2]:
        options = options_for(question, questions, facts)
        assert not {"hiking", "sailing", "karaoke"} & set(options[1:])
        assert "funfairs" in options


def test_a_preference_names_both_options() -> None:
    questions = questions_for(["I prefer tea to coffee"])
    assert options_for(questions[0], questions, []) == ["tea", "coffee"]


def test_options_do_not_depend_on_order() -> None:
    facts = [
        "I live in Leipzig",
        "I grew up in Ghent",
        "My sister lives in Rome",
        "I was born in Graz",
    ]
    questions = questions_for(facts)
    forwards = options_for(questions[0], questions, facts)
    assert forwards == options_for(questions[0], questions[::-1], facts[::-1])
    assert all(words_of(option) for option in forwards)
