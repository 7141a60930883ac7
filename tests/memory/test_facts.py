"""Which sentences are facts about the person, and which only look like it."""

from __future__ import annotations

import json
import time

import pytest

from ondevice.memory.facts import (
    PROPOSAL_GRAMMAR,
    FactCandidate,
    candidate_for,
    facts_in,
    propose,
    subject_of,
)
from ondevice.memory.third_person import third_person

POSITIVE = {
    "My dog is called Biscuit.": ("The user's dog is called Biscuit.", "dog name"),
    "I live in Lisbon.": ("The user lives in Lisbon.", "home"),
    "I work as a nurse.": ("The user works as a nurse.", "job"),
    "I'm a software engineer at Acme": ("The user is a software engineer at Acme.", "job"),
    "I work at Hartwell Logistics.": ("The user works at Hartwell Logistics.", "employer"),
    "My sister's name is Clara.": ("The user's sister is called Clara.", "sister name"),
    "My favorite colour is green.": ("The user's favourite colour is green.", None),
    "I’m allergic to peanuts.": ("The user is allergic to peanuts.", "allergy peanut"),
    "My birthday is on the 3rd of May.": ("The user's birthday is 3rd of May.", "birthday"),
    "My name is Marek.": ("The user's name is Marek.", "name"),
    "Hi, I'm Marek!": ("The user's name is Marek.", "name"),
    "Please call me Jo": ("The user's name is Jo.", "name"),
    "I am a vegetarian.": ("The user is vegetarian.", "diet"),
    "I'm no longer vegetarian.": ("The user is no longer vegetarian.", "diet"),
    "I am 41 years old.": ("The user is 41 years old.", "age"),
    "I was born in Graz.": ("The user was born in Graz.", "birth place"),
    "I love my garden": ("The user loves their garden.", "taste garden"),
    "I don't eat pork, by the way.": ("The user doesn't eat pork.", "taste pork"),
    "I hate cilantro": ("The user hates cilantro.", "taste cilantro"),
    "I have a dog named Rex": ("The user has a dog called Rex.", "dog name"),
    "I'm married": ("The user is married.", "status marital"),
    "I moved to Berlin last year": ("The user lives in Berlin.", "home"),
    "My wife is a doctor.": ("The user's wife is a doctor.", "wife job"),
    "By the way, I play the cello.": ("The user plays the cello.", "play cello"),
    "remember that my wifi code is heron-47": ("The user's wifi code is heron-47.", "wifi code"),
    "Please remember: the bins go out on Tuesdays": ("The bins go out on Tuesdays.", None),
    "Ich heiße Jonas.": ("The user's name is Jonas.", "name"),
    "Ich wohne in Hamburg.": ("The user lives in Hamburg.", "home"),
    "Mein Hund heißt Bello.": ("The user's dog is called Bello.", "dog name"),
    "Ich bin Vegetarierin.": ("The user is vegetarian.", "diet"),
    "Ich mag keinen Fisch.": ("The user dislikes Fisch.", "taste fisch"),
    "Ich esse kein Fleisch.": ("The user doesn't eat Fleisch.", "taste fleisch"),
    "Ich bin 35 Jahre alt": ("The user is 35 years old.", "age"),
    "Me llamo Lucía.": ("The user's name is Lucía.", "name"),
    "Vivo en Sevilla.": ("The user lives in Sevilla.", "home"),
    "Mi perro se llama Toby.": ("The user's dog is called Toby.", "dog name"),
    "No me gusta el pescado.": ("The user dislikes pescado.", "taste pescado"),
    "Soy enfermera.": ("The user is an enfermera.", "job"),
    "Tengo 34 años.": ("The user is 34 years old.", "age"),
    "Tengo dos hijos.": ("The user has two sons.", "has son"),
}

NEGATIVE = """Am I a nurse?
If I am a nurse, what then
When my dog is sick, I am sad
He said I am a doctor.
He said, I am a doctor
"I am a doctor", she wrote.
My friend thinks I am a genius
I am sorry.
I'm sure.
I am going to the shop.
I'm tired.
I'm not a doctor.
My question is simple
I like it
I like that
I like how you did that
I love you
I'd like a coffee
Translate: I am a doctor
Please translate this. I am a doctor.
Write a story: I am a king
What is my name?
I'm a bit lost
I am in a hurry
I live in fear
my computer is broken
my code is failing
I think I am a genius
Imagine I live in Paris
I would prefer tea
I wish I had a dog
Is my dog called Rex?
call me back later
call me tomorrow
I work from home today
I'm here
I'm working on a project
I don't know
I don't like it
I hate when this happens
She is a nurse
Your name is Bob
Maybe I am allergic to nuts
I'm trying to fix a bug
> I am a pirate
I'm afraid not
My dog is sick
I am on a train to Berlin
I'm 100% sure
I have a question
I had a dog called Rex
I used to live in Rome
Wenn ich in Berlin wohne, was dann
Wohne ich in Berlin?
Ich bin müde.
Ich bin sicher.
Ich bin nicht verheiratet.
Er sagte, ich bin Lehrer.
Soy yo
Estoy cansada.
Si vivo en Madrid, pago más
¿Vivo en Madrid?""".splitlines()


@pytest.mark.parametrize("said", POSITIVE)
def test_what_the_person_says_of_themselves_is_a_fact(said: str) -> None:
    text, subject = POSITIVE[said]
    (found,) = facts_in(said)
    assert found.text == text
    assert subject is None or found.subject == subject


@pytest.mark.parametrize("said", NEGATIVE)
def test_what_only_looks_like_a_fact_is_none(said: str) -> None:
    assert facts_in(said) == []


def test_one_turn_may_hold_several_facts() -> None:
    said = "Hello! I'm a baker and I live in Porto with my wife. What shall I cook?"
    assert [fact.text for fact in facts_in(said)] == [
        "The user is a baker.",
        "The user lives in Porto with their wife.",
    ]


def test_the_verb_after_und_belongs_to_the_same_speaker() -> None:
    found = facts_in("Ich wohne in Hamburg und arbeite als Lehrer.")
    assert {fact.subject for fact in found} == {"home", "job"}


def test_of_two_facts_on_a_subject_the_later_holds() -> None:
    (found,) = facts_in("My dog is called Rex. Sorry! My dog is called Max.")
    assert found.text == "The user's dog is called Max."


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("I love cilantro", "I can't stand cilantro"),
        ("I prefer tea to coffee", "I prefer coffee to tea"),
        ("I live in Rome", "Ich wohne in Berlin"),
        ("I'm single", "I'm married"),
        ("My favourite food is rice", "My favorite food is soup"),
    ],
)
def test_contradicting_facts_share_their_subject(older: str, newer: str) -> None:
    assert subject_of(older) == subject_of(newer) is not None


@pytest.mark.parametrize("said", [s for s in POSITIVE if s.isascii() and "Soy" not in s])
def test_a_note_read_again_stays_the_same(said: str) -> None:
    note = candidate_for(said)
    assert candidate_for(note.text).text == note.text


def test_third_person_keeps_sentences_whole() -> None:
    assert third_person("I always walk my dog") == "the user always walks their dog"
    assert third_person("I went home") == "the user went home"
    assert third_person("Die Katze schläft am Ofen") == "Die Katze schläft am Ofen"


def test_proposals_come_from_the_grammar_and_bad_answers_give_none() -> None:
    asked: list[str] = []

    def complete(prompt: str, grammar: str) -> str:
        asked.append(prompt)
        assert grammar == PROPOSAL_GRAMMAR
        return json.dumps([{"category": "preference", "note": "The user likes jazz"}])

    assert propose(complete, "I was at a jazz bar") == [
        FactCandidate("The user likes jazz.", "preference", "taste jazz")
    ]
    assert "I was at a jazz bar" in asked[0]
    assert propose(lambda prompt, grammar: '[{"category":"pre', "x") == []


def test_a_very_long_turn_is_read_in_time() -> None:
    started = time.perf_counter()
    assert facts_in("I like " + "long stories " * 20_000) == []
    assert facts_in("I am a " * 20_000) == []
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    "text",
    [
        "I live" + " " * 50_000 + "in Rome and I work as a nurse",
        "„" * 50_000 + " a",
        "i, " * 50_000,
    ],
)
def test_hostile_turns_cost_a_moment(text):
    """What takes quadratic time takes minutes at this length."""
    began = time.monotonic()
    facts_in(text)
    assert time.monotonic() - began < 2


def test_a_row_of_spaces_is_one():
    assert [fact.text for fact in facts_in("I  live\t in   Rome.")] == ["The user lives in Rome."]
