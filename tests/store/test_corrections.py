"""Texts that were corrected: one wording holds, the others are kept to go back to."""

from __future__ import annotations

import json

import numpy as np
import pytest
from stamped import stamped

from ondevice.cli.memory.preview import preview_lines
from ondevice.errors import ProfileError, RecordNotFoundError
from ondevice.evaluation.evaluate import records_in_scope
from ondevice.learning.examples.selection import select
from ondevice.remedies import Remedy
from ondevice.store.access.passphrase import Cost
from ondevice.store.database import Database
from ondevice.store.exchange import readable, transfer
from ondevice.store.listing import Filter
from ondevice.store.migrations import MIGRATIONS, migrate
from ondevice.store.profile import Profile
from ondevice.store.records import NewPassage

OLD, NEW = "The kettle is in the blue shed.", "I keep the kettle in the red shed."


def chat(profile, *texts, key="chat:1", version="v1"):
    source = profile.sources.add("import", "chat", key=key)
    made = profile.passages.add(
        source.id,
        [NewPassage(text, 9.0, "user") for text in texts],
        stamped(np.eye(len(texts), 384)),
    )
    profile.sources.complete(source.id, version)
    return source, made


def trained_on(profile, *records):
    name = f"a{len(profile.adapters.all())}"
    return profile.adapters.add(
        name, file_sha256="0" * 64, base_sha256="1" * 64, rank=4, alpha=8.0, state="active",
        records=[record.id for record in records],
    ).name  # fmt: skip


def shown(profile):
    return [passage.text for passage in profile.passages.all()]


def test_a_correction_takes_the_place_of_what_it_corrects(profile):
    _, (first, old, last) = chat(profile, "One.", OLD, "Three.")
    stale, fresh = trained_on(profile, old), trained_on(profile, first)
    before = profile.generation()
    new = profile.corrections.correct(old.id, NEW, vector=stamped(np.ones(384)))
    assert (new.text, new.state, new.corrects) == (NEW, "active", old.id)
    assert (new.position, new.speaker, new.time, new.learn) == (1, "user", 9.0, True)
    was = profile.get(old.id)
    assert (was.text, was.state, was.replaced_by) == (OLD, "superseded", new.id)
    assert profile.generation() > before
    assert {row.name: row.state for row in profile.adapters.all()} == {
        stale: "stale",
        fresh: "active",
    }
    assert (
        profile.adapters.get(trained_on(profile, old)).state == "stale"
    )  # trained in the meantime
    assert shown(profile) == ["One.", "Three.", NEW]
    assert [p.id for p in profile.passages.neighbours(new.id, 1, 1)] == [first.id, last.id]
    assert profile.corrections.correct(old.id, NEW) == new, "what says so already stays"
    assert "corrected" in [event.kind for event in profile.journal.events()]
    assert "shed" not in json.dumps([event.about for event in profile.journal.events()])


def test_neither_the_old_wording_nor_what_it_taught_is_learned(profile):
    _, (old,) = chat(profile, OLD)
    new = profile.corrections.correct(old.id, NEW)
    records = records_in_scope(profile, None)
    assert [text.record.id for text in select(records).texts] == [new.id]
    assert OLD not in [getattr(record, "text", None) for record in records]


def test_there_is_a_way_back_and_forth(profile):
    _, (old,) = chat(profile, OLD)
    second = profile.corrections.correct(old.id, NEW)
    third = profile.corrections.correct(old.id, "Third.")  # by the id of the first one
    assert third.corrects == old.id and shown(profile) == ["Third."]
    assert [one.id for one in profile.corrections.wordings(second.id)] == [
        old.id,
        second.id,
        third.id,
    ]
    learned = trained_on(profile, third)
    assert profile.corrections.reinstate(old.id).state == "active"
    assert shown(profile) == [OLD]
    assert profile.adapters.get(learned).state == "stale"
    assert {profile.get(one.id).replaced_by for one in (second, third)} == {old.id}
    assert profile.corrections.reinstate(second.id).state == "active" and shown(profile) == [NEW]


def test_what_cannot_be_corrected_is_said(profile):
    fact = profile.facts.add("The user likes tea.")
    talk = profile.turns.new_conversation()
    profile.turns.add(talk, "user", "Hello.")
    answer = profile.turns.add(talk, "assistant", "Good day.")
    with pytest.raises(RecordNotFoundError, match="fact"):
        profile.corrections.correct(fact.id, "x")
    with pytest.raises(RecordNotFoundError, match="is an answer") as caught:
        profile.corrections.correct(answer.id, "x")
    assert caught.value.notice.steps == (Remedy.WRITE_BETTER(),)
    with pytest.raises(RecordNotFoundError):
        profile.corrections.correct(talk, "x")
    _, (old,) = chat(profile, OLD)
    with pytest.raises(ProfileError, match="needs a text"):
        profile.corrections.correct(old.id, " \n")
    assert profile.get(old.id) == old


def test_forgetting_a_correction_forgets_the_former_wordings_and_says_so(profile):
    _, (old, other) = chat(profile, OLD, "Other.")
    second, third = (
        profile.corrections.correct(old.id, NEW),
        profile.corrections.correct(old.id, "Third."),
    )
    preview = profile.preview_forget([third.id])
    assert {record.id for record in preview.records} == {old.id, second.id, third.id}
    assert sum("(a former wording)" in line for line in preview_lines(preview)) == 2
    assert set(profile.forget([third.id]).records) == {old.id, second.id, third.id}
    assert shown(profile) == [other.text] and profile.check() is None


def test_a_former_wording_can_be_forgotten_alone(profile):
    source, (old,) = chat(profile, OLD)
    second, third = (
        profile.corrections.correct(old.id, NEW),
        profile.corrections.correct(old.id, "Third."),
    )
    assert profile.forget([old.id]).records == (old.id,)
    assert shown(profile) == ["Third."]
    assert profile.get(second.id).replaced_by == third.id
    assert {record.id for record in profile.preview_forget([third.id]).records} == {
        second.id, third.id,
    }  # fmt: skip
    profile.forget([source.id])
    assert profile.sources.count_records() == 0


def test_a_new_version_of_the_file_does_not_bring_the_old_wording_back(profile):
    _, (_, old) = chat(profile, "One.", OLD)
    new = profile.corrections.correct(old.id, NEW)
    before = profile.sources.all()[0].id
    source, _ = chat(profile, "Zero.", "One.", OLD, "Four.", version="v2")
    profile.replace_source(before, source.id)
    assert sorted(shown(profile)) == sorted(["Zero.", "One.", NEW, "Four."])
    assert profile.get(old.id).state == "superseded"
    assert (profile.get(new.id).position, profile.get(new.id).source_id) == (2, source.id)
    # The file was corrected, too.
    before = source.id
    source, _ = chat(profile, "One.", NEW, version="v3")
    profile.replace_source(before, source.id)
    assert shown(profile) == ["One.", NEW]
    assert profile.get(new.id).state == "active"
    profile.check()


def test_browsing_exports_and_backups_tell_the_wordings_apart(profile, home, tmp_path):
    source, (old,) = chat(profile, OLD)
    new = profile.corrections.correct(old.id, NEW)
    assert [r.id for r in profile.listing.page(Filter(state="superseded"))] == [old.id]
    assert [r.id for r in profile.listing.page(Filter(words="red", state="active"))] == [new.id]
    readable.export_readable(profile, tmp_path / "clear")
    (page,) = (tmp_path / "clear" / "imports").glob("*.md")
    assert "former wording" in page.read_text(encoding="utf-8")
    (values,) = (tmp_path / "clear" / "imports").glob("*.json")
    assert [one["replaced_by"] for one in json.loads(values.read_text())] == [new.id, None]
    quick = Cost(memory_kib=64, iterations=1, lanes=1)
    transfer.export_profile(profile, tmp_path / "x.odp", "secret", cost=quick)
    transfer.import_profile(
        home, tmp_path / "x.odp", name="there", ask_passphrase=lambda: "secret", cost=quick
    )
    with Profile.open(home, "there", ask_passphrase=lambda: "secret") as there:
        assert shown(there) == [NEW] and there.get(old.id).replaced_by == new.id
        assert source.id in [one.id for one in there.sources.all()]


def test_a_profile_of_before_is_brought_up_to_date(home, profile):
    path, key = profile.folder / "profile.db", profile.derive_key("database")
    profile.lock()
    for name in ("profile.db", "profile.db-wal", "profile.db-shm"):
        path.with_name(name).unlink(missing_ok=True)
    before = Database(path, key)
    assert migrate(before, MIGRATIONS[:3]) == 3
    with before.write() as run:
        run("INSERT INTO source (id, kind, name, time) VALUES (?, 'import', 'old', 1)", ("0" * 16,))
        run(
            "INSERT INTO record (id, kind, text, time, source_id, position)"
            " VALUES (?, 'passage', ?, 1, ?, 0)",
            ("1" * 16, OLD, "0" * 16),
        )
    before.close()
    with Profile.open(home) as again:
        assert again.get("1" * 16).text == OLD
        assert again.corrections.correct("1" * 16, NEW).corrects == "1" * 16
        again.check()
