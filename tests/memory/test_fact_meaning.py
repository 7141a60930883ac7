"""A note says what was said: nothing that limits or denies it gets lost, whatever the word is."""

from __future__ import annotations

import re
import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ondevice.memory.fact_rules import ENGLISH
from ondevice.memory.fact_rules_de_es import GERMAN, SPANISH
from ondevice.memory.facts import candidate_for, endings_in, facts_in, replaces, subject_of
from ondevice.memory.third_person import first_person, spelled, third_person

RULES = (*ENGLISH, *GERMAN, *SPANISH)

AS_SAID = {
    "I am not allergic to penicillin.": "The user is not allergic to penicillin.",
    "The user is never allergic to cats.": "The user is never allergic to cats.",
    "I am hardly allergic to cats": "The user is hardly allergic to cats.",
    "I am formerly allergic to cats": "The user is formerly allergic to cats.",
    "I no longer work at Acme": "The user no longer works at Acme.",
    "I barely speak Spanish": "The user barely speaks Spanish.",
    "I usually like tea": "The user usually likes tea.",
    "I only like tea": "The user only likes tea.",
    "I used to live in Rome.": "The user used to live in Rome.",
    "I don't like tea any more": "The user doesn't like tea any more.",
    "I'm not tired anymore.": "The user is not tired anymore.",
    "I am no longer a member there.": "The user is no longer a member there.",
    "I quit smoking": "The user quit smoking.",
    "I am lactose intolerant, probably": "The user is lactose intolerant, probably.",
    "In theory, I work as a nurse": "In theory, the user works as a nurse.",
    "I like tea, but only in the morning": "The user likes tea, but only in the morning.",
    "I play the cello, but not well": "The user plays the cello, but not well.",
    "My son is not allergic to nuts.": "The user's son is not allergic to nuts.",
    "My daughter isn't a swimmer": "The user's daughter isn't a swimmer.",
    "Ich bin nicht allergisch gegen Nüsse.": "Ich bin nicht allergisch gegen Nüsse.",
    "Ich bin kaum allergisch gegen Nüsse.": "Ich bin kaum allergisch gegen Nüsse.",
    "Ich bin nie nach Berlin gezogen.": "Ich bin nie nach Berlin gezogen.",
    "Ich mag Tee nicht besonders": "Ich mag Tee nicht besonders.",
    "Ich mag keinen Tee mehr": "Ich mag keinen Tee mehr.",
    "No soy alérgico a la leche": "No soy alérgico a la leche.",
    "Soy apenas alérgico a la leche": "Soy apenas alérgico a la leche.",
    "Ya no vivo en Sevilla": "Ya no vivo en Sevilla.",
    "Nunca me gusta el té": "Nunca me gusta el té.",
    "No me gusta mucho el té": "No me gusta mucho el té.",
    "Mi perro ya no se llama Toby": "Mi perro ya no se llama Toby.",
    "Mein Hund heißt nicht mehr Bello": "Mein Hund heißt nicht mehr Bello.",
    "I have a suspected nut allergy": "The user has a suspected nut allergy.",
    "User does not like tea": "The user does not like tea.",
    "i dont like tea": "The user doesn't like tea.",
    "im not vegetarian": "The user is not vegetarian.",
    "ive never smoked": "The user has never smoked.",
    "I cant stand olives": "The user can't stand olives.",
    "I ain't allergic to nuts": "The user ain't allergic to nuts.",
    "Ich hasse Tee nicht": "Ich hasse Tee nicht.",
    "Ich liebe Tee nicht": "Ich liebe Tee nicht.",
    "Ich hasse keinen Tee": "Ich hasse keinen Tee.",
    "No me encanta el té": "No me encanta el té.",
}


@pytest.mark.parametrize("said", AS_SAID)
def test_what_limits_a_statement_stays_in_the_note(said: str) -> None:
    assert candidate_for(said).text == AS_SAID[said]
    for found in (*facts_in(said), *endings_in(said)):
        assert found.text == AS_SAID[said]


@pytest.mark.parametrize("said", AS_SAID)
def test_a_note_kept_as_said_is_read_again_as_the_same(said: str) -> None:
    note = candidate_for(said)
    again = candidate_for(note.text)
    assert (again.text, again.subject, again.about) == (note.text, note.subject, note.about)


PLAIN = (
    "{} allergic to nuts", "{} vegetarian", "{} living in Rome", "{} a nurse", "{} learning Welsh",
    "{} married", "{} 41 years old", "{} Finnish", "{} lactose intolerant", "{} working at Acme",
)  # fmt: skip


@given(
    clause=st.sampled_from(PLAIN),
    word=st.text(string.ascii_lowercase, min_size=2, max_size=12),
    place=st.sampled_from(("middle", "end")),
)
def test_no_word_that_nobody_listed_gets_lost(clause: str, word: str, place: str) -> None:
    """Whatever word is put into a statement, the note has it or says no more than before."""
    plain = clause.format("I am")
    said = clause.format(f"I am {word}") if place == "middle" else f"{plain}, {word}"
    note = candidate_for(said).text
    harmless = {"also", "now", "still", "actually", "the", "an", "please", "haha", "lol", "btw",
                "anyway", "strict", "called", "type"}  # fmt: skip
    # "my" is "their" in a note, and "dont" is "don't".
    rewritten = third_person(word) != word or spelled(f"I {word}") != f"I {word}"
    assert word in re.findall(r"[\w-]+", note.lower()) or word in harmless or rewritten


LIMITS = ["not", "never", "no longer", "hardly", "barely", "rarely", "sometimes", "only",
          "probably", "almost", "not really", "a bit", "partly", "supposedly", "too"]  # fmt: skip


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize(
    "said",
    ["I am {} allergic to nuts", "I {} like tea", "I {} live in Rome", "I {} speak Welsh",
     "I {} work as a nurse", "I {} play chess", "My son is {} allergic to eggs",
     "My wife is {} a nurse", "My favourite colour is {} green", "I am {} vegan",
     "Ich bin {} allergisch gegen Eier", "Soy {} alérgico a la leche"],
)  # fmt: skip
def test_every_limit_stays_wherever_it_stands(said: str, limit: str) -> None:
    for note in (candidate_for(said.format(limit)), *facts_in(said.format(limit))):
        assert limit in note.text


def _wildcards(parsed, inside: bool = False) -> list[str]:
    """Return the "any word" parts of an expression that stand in no named group."""
    found: list[str] = []
    for operation, argument in parsed:
        name = str(operation)
        if name in ("ASSERT", "ASSERT_NOT"):
            continue
        if name == "SUBPATTERN":
            found += _wildcards(argument[3], inside or argument[0] is not None)
        elif name == "BRANCH":
            for branch in argument[1]:
                found += _wildcards(branch, inside)
        elif name == "GROUPREF_EXISTS":
            for branch in argument[1:]:
                found += _wildcards(branch or [], inside)
        elif name in ("MAX_REPEAT", "MIN_REPEAT"):
            found += _wildcards(argument[2], inside)
        elif not inside and name in ("ANY", "IN", "CATEGORY"):
            text = str(argument)
            if name == "ANY" or "WORD" in text or "NOT_SPACE" in text or "RANGE" in text:
                found.append(f"{name} {text}")
    return found


@pytest.mark.parametrize("number", range(len(RULES)))
def test_a_rule_takes_no_word_that_it_does_not_name(number: int) -> None:
    """By construction: a word outside of the groups is one that the pattern spells out."""
    from re import _parser  # type: ignore[attr-defined]

    assert _wildcards(_parser.parse(RULES[number].pattern.pattern, re.IGNORECASE)) == []


@pytest.mark.parametrize("number", range(len(RULES)))
def test_a_rule_fills_its_note_from_its_own_groups(number: int) -> None:
    rule = RULES[number]
    for template in (rule.note, rule.subject, rule.value):
        for field in re.findall(r"\{(\w+)", template):
            assert field in {*rule.pattern.groupindex, "x"}


# --- what replaces what -----------------------------------------------------------------


REPLACES = [
    ("I live in Porto", "I moved from Porto to Lisbon"),
    ("I live in Rome", "I live in Oslo now"),
    ("I live in Rome", "Ich wohne jetzt in Berlin"),
    ("I live in Rome", "I used to live in Rome"),
    ("I live in Rome with my wife", "I no longer live in Rome"),
    ("I live in Rome", "I moved away from Rome"),
    ("I am married", "I got divorced"),
    ("I am married to Ana", "I am divorced"),
    ("I am married", "My husband and I are divorced"),
    ("Mein Hund heißt Bello", "Mein Hund heißt nicht mehr Bello"),
    ("Mi color favorito es verde", "Mi color favorito ya no es verde"),
    ("I like tea", "I don't like tea any more"),
    ("I don't like tea", "I love tea"),
    ("I love tea", "I hate tea"),
    ("I smoke", "I quit smoking"),
    ("I smoke", "I no longer smoke"),
    ("I am a vegetarian", "I am vegan"),
    ("I am a vegetarian", "I'm not a vegetarian any more"),
    ("I am a nurse", "I'm not a nurse"),
    ("I am a nurse", "I work as a teacher"),
    ("I am allergic to nuts", "I am not allergic to nuts"),
    ("My wife is a nurse", "My wife is no longer a nurse"),
    ("My wife is called Ana", "My wife is called Eva"),
    ("My sister Clara is 30", "My sister Clara is 31 years old"),
    ("My wifi code is heron-47", "My wifi code is swan-12"),
    ("I have two children", "I have three children"),
    ("I am learning Spanish", "I'm no longer learning Spanish"),
    ("I am learning Spanish", "I stopped learning Spanish"),
    ("Ich wohne in Berlin", "Ich wohne nicht mehr in Berlin"),
    ("Ich rauche", "Ich rauche nicht mehr"),
    ("Ich mag Tee", "Ich mag keinen Tee mehr"),
    ("Vivo en Sevilla", "Me mudé de Sevilla a Madrid"),
    ("Vivo en Sevilla", "Ya no vivo en Sevilla"),
    ("Me gusta el té", "Ya no me gusta el té"),
    ("Mi perro se llama Rex", "Mi perro ya no se llama Rex"),
    ("I like tea", "i dont like tea"),
    ("My birthday is 3 May", "My birthday is 4 June"),
    ("I work as a waiter this month", "I no longer work as a waiter"),
]

STAYS = [
    ("I am vegetarian", "I'm lactose intolerant"),
    ("I am lactose intolerant", "I am a vegetarian"),
    ("My son is allergic to nuts", "My son is 7 years old"),
    ("My son is 7", "My son is 9"),
    ("My daughter is allergic to eggs", "My daughter is a swimmer"),
    ("I'm learning Spanish", "I'm learning to cook"),
    ("I'm learning Japanese", "I'm learning the piano"),
    ("My friend is called Tom", "My friend is called Ben"),
    ("My sister is called Clara", "My sister's name is Eva"),
    ("My sister Clara is a nurse", "My sister Eva is a teacher"),
    ("My dog is called Rex", "My dog is called Max"),
    ("I have a cat called Mia", "I have a cat called Tom"),
    ("I live in Lisbon", "I live in a flat"),
    ("I live in Germany", "I live in Berlin"),
    ("I live in Lisbon with my wife", "I live in Lisbon"),
    ("I live in Lisbon", "I don't live in Porto"),
    ("I live in Lisbon", "I used to live in Porto"),
    ("I live in Lisbon", "I sometimes live in Porto"),
    ("I live in Lisbon", "In theory, I live in Porto"),
    ("I live in Lisbon", "I live in Porto, but only in summer"),
    ("I speak Spanish", "I speak Welsh"),
    ("I play chess", "I play the cello"),
    ("I am allergic to nuts", "I am allergic to eggs"),
    ("I am allergic to nuts", "I am not allergic to eggs"),
    ("My favourite colour is green", "My favourite food is rice"),
    ("I am a nurse", "I am a student"),
    ("I work at Acme", "I work at Initech, on paper"),
    ("I am a nurse", "I am a former teacher"),
    ("I am a nurse", "I am a painter"),
    ("I work as a nurse", "I'm working as a waiter this month"),
    ("I work as a nurse", "I work as a waiter for now"),
    ("I work as a nurse", "I work as a waiter on Saturdays"),
    ("I work as a nurse", "I work as a waiter in the evenings"),
    ("I work as a nurse", "I'm working as a temp for two weeks"),
    ("I work as a nurse", "I work as a waiter over the summer"),
    ("I work as a nurse", "I work as a waiter on the side"),
    ("I work at Acme", "I'm working at Initech this week"),
    ("Ich arbeite als Arzt", "Ich arbeite als Kellner diese Woche"),
    ("Trabajo como médico", "Trabajo de camarero esta semana"),
    ("Trabajo como médico", "Trabajo de camarero por ahora"),
    ("My salary is 100", "My salary is 200 this month"),
    ("My favourite food is rice", "My favourite food is soup this week"),
    ("I am married to Ana", "I am married"),
    ("I am a father", "I am a keen cyclist"),
    ("My hobby is chess", "My hobby is sailing"),
    ("I love tea", "I don't hate tea"),
    ("I love meat", "I don't eat meat"),
    ("I am Finnish", "I am Swedish"),
    ("Meine Freundin heißt Anna", "Meine Freundin heißt Lena"),
    ("Mein Sohn ist 7 Jahre alt", "Mein Sohn ist allergisch gegen Nüsse"),
    ("Ich bin Vegetarier", "Ich bin allergisch gegen Nüsse"),
    ("Ich lerne Spanisch", "Ich lerne Klavier"),
    ("Mi hermana se llama Ana", "Mi hermana se llama Eva"),
    ("Tengo un perro llamado Toby", "Tengo un perro llamado Rex"),
    ("Soy vegetariano", "Soy celíaco"),
    ("The bins go out on Tuesdays", "The bins go out on Fridays"),
]


@pytest.mark.parametrize(("older", "newer"), REPLACES)
def test_the_same_attribute_of_the_same_one_is_replaced(older: str, newer: str) -> None:
    assert replaces(candidate_for(newer).text, candidate_for(older).text)


@pytest.mark.parametrize(("older", "newer"), STAYS)
def test_what_can_both_hold_stays(older: str, newer: str) -> None:
    assert not replaces(candidate_for(newer).text, candidate_for(older).text)


def test_what_is_only_added_does_not_hang_on_a_statement() -> None:
    for said in ("My name is Marta and I keep bees.", "I keep bees, and my name is Marta."):
        assert [fact.text for fact in facts_in(said)] == ["The user's name is Marta."]
    assert [fact.subject for fact in facts_in("Ich wohne in Oslo und ich mag es.")] == ["home"]
    (hedged,) = facts_in("I live in Oslo, I think.")
    assert hedged.text == "The user lives in Oslo, the user thinks."


def test_a_bracket_that_was_opened_is_closed_in_the_note() -> None:
    for said, note in (
        ("I live in Rome (Italy).", "The user lives in Rome (Italy)."),
        ("I am a nurse (not).", "The user is a nurse (not)."),
        ("(I live in Rome.)", "The user lives in Rome."),
    ):
        assert [fact.text for fact in facts_in(said)] == [note]


def test_two_of_a_kind_in_one_turn_both_stay() -> None:
    found = facts_in("My dog is called Rex. My dog is called Max.")
    assert [fact.text for fact in found] == [
        "The user's dog is called Rex.",
        "The user's dog is called Max.",
    ]


def test_a_subject_is_an_attribute_of_somebody() -> None:
    assert subject_of("My son is 7 years old") == "son age"
    assert subject_of("My sister Clara is a nurse") == "sister clara job"
    assert subject_of("I'm lactose intolerant") != subject_of("I am vegan") == "diet"


def test_a_denial_nobody_asked_for_is_only_an_ending() -> None:
    for said in ("I'm not a doctor.", "I used to live in Rome", "I left Rome"):
        assert facts_in(said) == []
        assert len(endings_in(said)) == 1
    assert endings_in("I'm no longer vegetarian.") == []


# --- any text ----------------------------------------------------------------------------

WORD_LIST = """
    I I'm i am not no longer never my son dog is are any more anymore used to be live in Rome
    don't like tea a nurse and but , . ; — if because ich bin nicht mehr kein mag wohne Berlin yo
    soy ya vivo en the user The user's isn't allergic to 7 years old quit smoking “ " ( ) remember
    that: called Rex moved from x"""
WORDS = st.sampled_from(WORD_LIST.split())


@given(st.one_of(st.text(max_size=400), st.lists(WORDS, max_size=40).map(" ".join)))
@settings(max_examples=400, deadline=None)
def test_every_text_gives_a_list(text: str) -> None:
    for found in (*facts_in(text), *endings_in(text), candidate_for(text)):
        assert found.subject is None or found.about is not None
    assert isinstance(third_person(first_person(text)), str)


@given(st.lists(WORDS, min_size=1, max_size=12).map(" ".join))
@settings(max_examples=400, deadline=None)
def test_a_note_is_read_again_as_the_same(said: str) -> None:
    note = candidate_for(said)
    assert candidate_for(note.text).text == note.text


@pytest.mark.parametrize(
    "words",
    ["no longer ", "I am no longer ", "I'm not tired any more. ", "not ", "I am not ", "i, ",
     "I live in Rome. ", "The user is ", "my son is not ", "I moved from Rome to ",
     "ich bin nicht ", "ya no ", "remember that ", ", ", "i am, ", "I like tea, but "],
)  # fmt: skip
def test_a_hundred_kilobytes_of_the_same_are_read_in_a_moment(words: str) -> None:
    text = words * (100_000 // len(words))
    began = time.process_time()
    facts_in(text)
    candidate_for(text)
    assert time.process_time() - began < 1
