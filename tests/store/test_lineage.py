"""Whatever removes or changes a record takes the files of what learned it along."""

import time

import pytest

from ondevice.store.records import NewPassage

DAY = 86_400.0


def by_forgetting(profile, fact, passage, turn):
    profile.forget([fact.id])


def by_forgetting_its_source(profile, fact, passage, turn):
    profile.forget([passage.source_id])


def by_forgetting_its_conversation(profile, fact, passage, turn):
    profile.forget([turn.source_id])


def by_forgetting_what_was_shown(profile, fact, passage, turn):
    profile.forget_shown(profile.preview_forget([fact.id]))


def by_replacing_its_source(profile, fact, passage, turn):
    newer = profile.sources.add("import", "notes", key="file:notes")
    profile.passages.add(newer.id, [NewPassage("Something else.")])
    profile.replace_source(passage.source_id, newer.id)


def by_its_own_end(profile, fact, passage, turn):
    profile.facts.edit(fact.id, expires=time.time() - 1)
    assert not profile.has(fact.id)
    profile.purge_due()


def by_retention(profile, fact, passage, turn):
    profile.retention.set(turn_days=1)
    profile.retention.clock = lambda: time.time() + 2 * DAY
    profile.purge_due()


def by_correcting(profile, fact, passage, turn):
    profile.facts.edit(fact.id, text="The user lives in Bonn.")


def by_a_newer_fact(profile, fact, passage, turn):
    profile.facts.add("The user lives in Bonn.", supersedes=[fact.id])


def by_approving_a_newer_fact(profile, fact, passage, turn):
    newer = profile.facts.add("The user lives in Bonn.", state="pending")
    profile.facts.approve(newer.id, supersedes=[fact.id])


def by_superseding(profile, fact, passage, turn):
    profile.facts.supersede([fact.id])


def by_taking_an_approval_back(profile, fact, passage, turn):
    profile.facts.unapprove(fact.id)


def by_doing_it_in_a_transaction(profile, fact, passage, turn):
    with profile.transaction():
        profile.forget([fact.id])
        assert any((profile.folder / "adapters").iterdir())  # it may be rolled back yet


WAYS = [value for name, value in sorted(globals().items()) if name.startswith("by_")]


@pytest.fixture
def learned(profile):
    """Return a fact, a passage and a turn, and an adapter that has learned all three."""
    fact = profile.facts.add("The user lives in Ulm.")
    source = profile.sources.add("import", "notes", key="file:notes")
    (passage,) = profile.passages.add(source.id, [NewPassage("The shed key hangs there.")])
    turn = profile.turns.add(profile.turns.new_conversation(), "user", "Where is the key?")
    row = profile.adapters.add(
        "mine", file_sha256="0" * 64, base_sha256="1" * 64, rank=4, alpha=8.0, state="active",
        records=[fact.id, passage.id, turn.id],
    )  # fmt: skip
    profile.adapters.files.write(row.id, row.file_sha256, b"weights")
    return fact, passage, turn


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_no_stale_file_stays(profile, learned, way):
    way(profile, *learned)
    assert profile.adapters.get("mine").state == "stale"
    assert list((profile.folder / "adapters").glob("*.enc")) == []


def test_what_is_rolled_back_shreds_nothing(profile, learned):
    fact, _, _ = learned
    with pytest.raises(RuntimeError), profile.transaction():
        profile.forget([fact.id])
        raise RuntimeError
    row = profile.adapters.get("mine")
    assert row.state == "active" and profile.adapters.files.exists(row.id)


def test_what_is_due_is_invisible_to_every_read(profile):
    source = profile.sources.add("import", "notes")
    (passage,) = profile.passages.add(source.id, [NewPassage("The shed key.")])
    talk = profile.turns.new_conversation()
    profile.turns.add(talk, "user", "Where is the shed key?")
    answer = profile.turns.add(talk, "assistant", "In the shed.")
    profile.feedback.add(answer.id, "accept")
    fact = profile.facts.add("The user has a shed.")
    profile.retention.set(fact_days=1, sample_days=1, turn_days=1)
    profile.retention.clock = lambda: time.time() + 2 * DAY
    assert profile.facts.all() == [] and list(profile.passages.all()) == []
    assert profile.turns.all() == [] and profile.turns.last_answer() is None
    assert profile.feedback.all() == [] and profile.sources.members(source.id) == []
    assert not any(map(profile.has, (fact.id, passage.id, answer.id)))
    assert profile.records([fact.id, passage.id, answer.id]) == {}
    assert profile.search_tables.outline() is None
    assert profile.matching(words="shed") == [] and profile.sources.count_records() == 0
