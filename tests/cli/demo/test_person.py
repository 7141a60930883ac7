"""The fictional person's records, and the demo's steps on a scripted model."""

from __future__ import annotations

from ondevice.cli.demo import person
from ondevice.cli.demo.show import CONTINUATIONS
from ondevice.evaluation.evaluate import records_in_scope
from ondevice.evaluation.split import split
from ondevice.home import Home
from ondevice.learning.examples.build import build
from ondevice.learning.examples.selection import select
from ondevice.memory.embedders.minilm import MiniLM
from ondevice.store.profile import Profile


def test_her_records_are_enough_to_learn_from_and_to_judge_by(tmp_path):
    with Profile.create(Home.below(tmp_path), passphrase="only for tests") as profile:
        count = person.store(profile, MiniLM())
        records = records_in_scope(profile, None)
        assert count == len(records) >= 140
        # Every fact is found by a rule, so that questions can be asked about it.
        assert all(fact.text.startswith("The user") for fact in profile.facts.all())
        assert len(split(records).held_out) >= 15
        made = build(select(records))
    assert made.personal >= 100
    assert len(made.preferences) >= 8
    assert "sensitive" not in made.left_out


def test_the_notes_whose_ends_are_shown_are_kept_back_from_training(tmp_path):
    with Profile.create(Home.below(tmp_path), passphrase="only for tests") as profile:
        person.store(profile, MiniLM())
        records = {record.id: record for record in records_in_scope(profile, None)}
        held_out = {records[i].text for i in split(records.values()).held_out}
        learned = {m.content for e in build(select(records.values())).examples for m in e.messages}
    for opening, own, other in CONTINUATIONS:
        assert f"{opening} {own}" in held_out
        assert not any(own in text or other in text for text in learned)


def test_her_texts_differ():
    texts = [row["text"] for row in person.rows() if row["kind"] == "note"]
    assert len(set(texts)) == len(texts) >= 70
