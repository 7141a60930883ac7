"""Which texts say a statement, and what becomes of it without them."""

from __future__ import annotations

import pytest

from ondevice.errors import RecordNotFoundError
from ondevice.store.profile import Profile
from ondevice.store.records import Fact, NewPassage, Passage


@pytest.fixture
def notes(profile: Profile) -> tuple[Passage, Passage]:
    first = profile.sources.add("import", "first.md")
    other = profile.sources.add("import", "other.md")
    (one,) = profile.passages.add(first.id, [NewPassage("Coeliac.")])
    (two,) = profile.passages.add(other.id, [NewPassage("No gluten.")])
    return one, two


def drawn(profile: Profile, passage: Passage) -> Fact:
    return profile.facts.add("Coeliac.", source_id=passage.source_id, origin=passage.id)


def test_a_statement_goes_with_the_only_text_that_says_it(profile, notes):
    fact = drawn(profile, notes[0])
    assert profile.get(fact.id) == fact and fact.origins == (notes[0].id,)
    assert profile.origins.drawn_from([notes[0].id]) == [fact.id]
    shown = profile.preview_forget([notes[0].id])
    assert {one.id for one in shown.records} == {notes[0].id, fact.id}
    report = profile.forget([notes[0].id])
    assert set(report.records) == {notes[0].id, fact.id}
    assert not profile.has(fact.id)


@pytest.mark.parametrize("whole", [False, True])
def test_what_another_text_says_too_stays(profile, notes, whole):
    fact = drawn(profile, notes[0])
    profile.facts.confirm(fact.id, notes[1].id)
    shown = profile.forget_shown(
        profile.preview_forget([notes[0].source_id if whole else notes[0].id])
    )
    assert fact.id not in shown.report.records
    left = profile.get(fact.id)
    assert left.origins == (notes[1].id,)
    assert left.source_id == (notes[1] if whole else notes[0]).source_id
    profile.forget([notes[1].id])
    assert not profile.has(fact.id)


def test_what_the_person_said_themselves_stays(profile, notes):
    fact = profile.facts.add("Coeliac.")
    profile.facts.confirm(fact.id, notes[0].id)
    assert set(profile.get(fact.id).origins) == {fact.id, notes[0].id}
    profile.forget([notes[0].source_id])
    assert profile.get(fact.id).origins == (fact.id,)
    reworded = profile.facts.edit(drawn(profile, notes[1]).id, text="Strictly no gluten.")
    profile.forget([notes[1].id])
    assert profile.has(reworded.id)
    profile.forget([fact.id])
    assert not profile.has(fact.id)


def test_a_fact_takes_its_turn_along_but_not_what_else_that_said(profile):
    talk = profile.turns.new_conversation()
    turn = profile.turns.add(talk, "user", "I am a nurse and like tea.")
    tea = profile.facts.add("likes tea", source_id=talk, origin=turn.id)
    nurse = profile.facts.add("is a nurse", source_id=talk, origin=turn.id)
    shown = profile.preview_forget([tea.id])
    assert {one.id for one in shown.records} == {tea.id, turn.id}
    profile.forget_shown(shown)
    assert profile.has(nurse.id) and not profile.has(turn.id)


def test_a_newer_version_of_a_file_keeps_what_it_still_says(profile, notes):
    fact = drawn(profile, notes[0])
    newer = profile.sources.add("import", "first.md")
    profile.passages.add(newer.id, [NewPassage("Coeliac."), NewPassage("And more.")])
    profile.replace_source(notes[0].source_id, newer.id)
    left = profile.get(fact.id)
    assert left.source_id == newer.id and left.origins == (notes[0].id,)
    profile.check()


def test_origins_must_be_there(profile, notes):
    with pytest.raises(RecordNotFoundError):
        profile.facts.add("x", origin="0" * 16)
    assert profile.facts.all() == []
    with pytest.raises(RecordNotFoundError):
        profile.facts.confirm(drawn(profile, notes[0]).id, "0" * 16)


def test_own_words_wait_to_be_read(profile, notes):
    profile.passages.add(
        notes[0].source_id,
        [NewPassage("Hi", speaker="Ben"), NewPassage("Hello", speaker="user")],
    )
    talk = profile.turns.new_conversation()
    said = profile.turns.add(talk, "user", "I row.")
    profile.turns.add(talk, "assistant", "I do not.")
    unread = profile.origins.unread(10)
    assert [one.text for one in unread] == ["Coeliac.", "No gluten.", "Hello", "I row."]
    assert profile.origins.count_unread() == 4
    profile.origins.read([notes[0].id, said.id])
    assert [one.text for one in profile.origins.unread(1)] == ["No gluten."]
    profile.forget([notes[1].id])
    assert profile.origins.count_unread() == 1
