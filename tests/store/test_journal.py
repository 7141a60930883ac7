"""The log without texts, retention, and sources that change."""

from __future__ import annotations

import json
import time

import pytest

from ondevice.adapters.registry import AdapterRegistry
from ondevice.errors import ProfileError, ProfileExistsError
from ondevice.settings import RetentionSettings
from ondevice.store.exchange import readable
from ondevice.store.records import NewPassage


def store(profile, key, version, texts):
    source = profile.sources.add("import", "diary.md", key=key)
    made = profile.passages.add(source.id, [NewPassage(text) for text in texts])
    profile.sources.complete(source.id, version)
    return source, made


def test_a_changed_import_is_updated_and_what_is_the_same_stays(profile):
    old, was = store(profile, "file:diary.md", "a" * 64, ["one", "two", "three", "two"])
    fresh = profile.adapters.add(
        "fresh", file_sha256="0" * 64, base_sha256="1" * 64, rank=4, alpha=8.0, records=[was[0].id]
    )
    stale = profile.adapters.add(
        "stale", file_sha256="2" * 64, base_sha256="1" * 64, rank=4, alpha=8.0, records=[was[2].id]
    )
    new, _ = store(profile, "file:diary.md", "b" * 64, ["zero", "two", "one", "two", "four"])
    assert [s.id for s in profile.sources.by_key("file:diary.md")] == [old.id, new.id]
    report = profile.replace_source(old.id, new.id)
    assert report.adapters_stale == ("stale",)
    assert [s.id for s in profile.sources.all()] == [new.id]
    now = profile.sources.members(new.id)
    assert [p.text for p in now] == ["zero", "two", "one", "two", "four"]
    assert {was[0].id, was[1].id, was[3].id} < {p.id for p in now}
    assert not profile.has(was[2].id)
    assert profile.adapters.get(fresh.id).state == "off"
    assert profile.adapters.get(stale.id).state == "stale"
    profile.check()


def test_the_log_holds_no_text(profile):
    source, made = store(profile, "file:x", "a" * 64, ["the blue shed key"])
    profile.adapters.add(
        "mine", file_sha256="0" * 64, base_sha256="1" * 64, rank=4, alpha=8.0, records=[made[0].id]
    )
    profile.forget([source.id])
    events = profile.journal.events()
    assert [event.kind for event in events] == ["imported", "learned", "forgotten"]
    said = json.dumps([event.about for event in events])
    assert "shed" not in said and "diary" not in said and "mine" not in said
    assert set(events[-1].about["ids"]) == {source.id, made[0].id}
    assert [event.kind for event in profile.journal.events(limit=1)] == ["forgotten"]


def test_retention_shreds_the_adapters_that_it_makes_stale(profile):
    fact = profile.facts.add("old", time=0.0)
    row = profile.adapters.add(
        "mine", file_sha256="0" * 64, base_sha256="1" * 64, rank=4, alpha=8.0, records=[fact.id]
    )
    path = profile.folder / "adapters" / f"{row.id}.gguf.enc"
    path.parent.mkdir()
    path.write_bytes(b"sealed")
    assert profile.retention.set(fact_days=30).fact_days == 30
    assert profile.retention.days() == RetentionSettings(30, 0, 0, 0)
    assert not profile.purge_due().records
    assert path.exists()
    profile.retention.clock = lambda: time.time() + 40 * 86400
    report = profile.purge_due()
    assert report.records == (fact.id,)
    assert not path.exists()
    assert AdapterRegistry(profile).get("mine").state == "stale"
    assert profile.journal.events()[-1].kind == "expired"
    with pytest.raises(ProfileError, match="fact_days"):
        profile.retention.set(cats=3)
    with pytest.raises(ProfileError):
        profile.retention.set(fact_days=-1)


def test_readable_export_says_everything(profile, tmp_path):
    profile.facts.add("My dog is called Biscuit.")
    source, _ = store(profile, "file:x", "a" * 64, ["the blue shed key", "hangs there"])
    talk = profile.turns.new_conversation()
    profile.turns.add(talk, "user", "Where is the key?")
    answer = profile.turns.add(talk, "assistant", "Behind the tank.")
    profile.feedback.add(answer.id, "edit", "Behind the water tank.")
    folder = tmp_path / "me"
    files = readable.export_readable(profile, folder)
    assert set(files) == {path for path in folder.rglob("*") if path.is_file()}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in files)
    everything = {path.relative_to(folder).as_posix(): path.read_text() for path in files}
    assert "not encrypted" in everything["README.md"]
    assert "Biscuit" in everything["facts.md"] and "Biscuit" in everything["facts.json"]
    assert json.loads(everything["feedback.json"])[0]["text"] == "Behind the water tank."
    imported = [text for name, text in everything.items() if name.startswith("imports/")]
    assert len(imported) == 2 and all("blue shed" in text for text in imported)
    assert any("Behind the tank." in text for text in everything.values())
    assert all(path.suffix != ".json" or json.loads(path.read_text()) is not None for path in files)
    assert [copy.kind for copy in profile.copies.all()] == ["readable"]
    assert source.id in everything["sources.json"]
    with pytest.raises(ProfileExistsError):
        readable.export_readable(profile, folder)


def test_readable_export_of_any_time_and_name(profile, tmp_path):
    """No day of the calendar, and a name of letters that take four bytes each."""
    source = profile.sources.add("import", "\U0001d4d0" * 200, time=1e12)
    profile.passages.add(source.id, [NewPassage("Long ago.", time=-9e10)])
    files = readable.export_readable(profile, tmp_path / "clear")
    page = next(f for f in files if f.parent.name == "imports" and f.suffix == ".md")
    assert "Long ago." in page.read_text() and "?" in page.read_text()
