"""Opening, locking, checking and wiping; migrations; search; the records."""

from __future__ import annotations

import os
import stat
import threading
import time

import numpy as np
import pytest
import sqlcipher3
from stamped import stamped

from ondevice.errors import (
    ProfileDamagedError,
    ProfileError,
    ProfileExistsError,
    ProfileLockedError,
    ProfileNotFoundError,
    RecordNotFoundError,
)
from ondevice.store import profiles as store
from ondevice.store.access.passphrase import Cost
from ondevice.store.database import PAGE_BYTES
from ondevice.store.exchange import transfer
from ondevice.store.migrations import MIGRATIONS, Migration, migrate
from ondevice.store.profile import Profile
from ondevice.store.profiles import wipe_profile
from ondevice.store.records import NewPassage
from ondevice.store.vectors import UNSTAMPED_SHA256, Embedded

QUICK = Cost(memory_kib=64, iterations=1, lanes=1)


def test_records_survive_reopening(home, profile):
    fact = profile.facts.add("Ich mag Käse.", category="preference", pinned=True, scope="work")
    talk = profile.turns.new_conversation()
    turn = profile.turns.add(talk, "user", "hello", memories_used=[fact.id])
    feedback = profile.feedback.add(turn.id, "accept")
    profile.lock()
    with Profile.open(home) as again:
        assert again.get(fact.id) == fact
        assert again.get(turn.id) == turn
        assert turn.memories_used == (fact.id,)
        assert again.feedback.all(turn.id) == [feedback]
        assert again.turns.last_conversation() == talk
        assert again.get(fact.id[:-2]) in (fact, turn)


def test_files_are_private(profile):
    profile.facts.add("x")
    names = {path.name for path in profile.folder.iterdir()}
    assert {"profile.db", "profile.db-wal", "profile.db-shm", "keys.json"} <= names
    for path in profile.folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    home_folder = profile.folder.parent
    assert stat.S_IMODE(home_folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(profile.folder.stat().st_mode) == 0o700


def test_locked_profile_refuses(profile):
    profile.lock()
    profile.lock()
    with pytest.raises(ProfileLockedError, match="locked"):
        profile.facts.add("x")
    with pytest.raises(ProfileLockedError, match="locked"):
        profile.derive_key("adapters")


@pytest.mark.parametrize("name", ["", "..", "../up", "a/b", "a\\b", ".x", "a b", "con", "x" * 65])
def test_bad_names(home, name):
    with pytest.raises(ProfileError):
        Profile.create(home, name)
    with pytest.raises(ProfileError):
        store.wipe_profile(home, name)
    assert not home.profiles.exists()


def test_profiles_of_a_home(home):
    assert store.list_profiles(home) == []
    with pytest.raises(ProfileNotFoundError):
        Profile.open(home)
    Profile.create(home, "ben").close()
    with pytest.raises(ProfileExistsError):
        Profile.create(home, "ben")
    with pytest.raises(ProfileNotFoundError):
        store.use_profile(home, "anna")
    store.use_profile(home, "ben")
    with Profile.open(home) as ben:
        assert ben.name == "ben"
    assert store.list_profiles(home) == ["ben"]
    store.wipe_profile(home, "ben")
    assert store.profile_in_use(home) == "default"
    assert list(home.config.rglob("*.key")) == []
    assert store.list_profiles(home) == []


def test_flipped_bit_is_found(home, profile):
    source = profile.sources.add("import", "x")
    profile.passages.add(source.id, [NewPassage(f"words {i} " * 40) for i in range(300)])
    profile.check()
    profile.lock()
    path = home.profile("default") / "profile.db"
    good = path.read_bytes()
    pages = len(good) // PAGE_BYTES
    assert pages > 10
    for page in range(0, pages, max(1, pages // 8)):
        damaged = bytearray(good)
        damaged[page * PAGE_BYTES + PAGE_BYTES // 2] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ProfileDamagedError, match=r"profile\.db"), Profile.open(home) as opened:
            opened.check()
    path.write_bytes(good)
    with Profile.open(home) as opened:
        opened.check()


def test_missing_or_damaged_files(home, profile):
    profile.lock()
    folder = home.profile("default")
    keys = folder / "keys.json"
    good = keys.read_bytes()
    for bad in (b"", b"{", b"[]", b'{"format": 1, "id": "x", "wraps": [{"kind": "file"}]}'):
        keys.write_bytes(bad)
        with pytest.raises(ProfileDamagedError, match=r"keys\.json"):
            Profile.open(home)
    keys.write_bytes(good)
    (folder / "profile.db").unlink()
    with pytest.raises(ProfileDamagedError, match="missing"):
        Profile.open(home, create=True)
    (folder / "profile.db").write_bytes(b"")  # cut off: not a profile that knows nothing
    with pytest.raises(ProfileDamagedError, match="empty"):
        Profile.open(home, create=True)


@pytest.mark.parametrize("name", [None, "default"])
def test_a_database_whose_keys_are_missing_is_not_deleted(home, profile, tmp_path, name):
    """A new one in its place would be the end of it, though the keys may lie in a backup."""
    profile.facts.add("I live in Lisbon.")
    transfer.backup_profile(profile, tmp_path / "backup")
    transfer.export_profile(profile, tmp_path / "export", "word", cost=QUICK)
    profile.close()
    keys = home.profile("default") / "keys.json"
    kept = keys.read_bytes()
    keys.unlink()
    for attempt in (
        lambda: Profile.open(home, name, create=name is None),
        lambda: Profile.create(home, "default"),
        lambda: transfer.restore_backup(home, tmp_path / "backup", ask_passphrase=None),
        lambda: transfer.import_profile(home, tmp_path / "export", ask_passphrase=lambda: "word"),
    ):
        with pytest.raises(ProfileDamagedError, match=r"keys\.json is missing"):
            attempt()
    keys.write_bytes(kept)
    with Profile.open(home) as opened:
        assert len(opened.facts.all()) == 1
    keys.unlink()
    transfer.restore_backup(home, tmp_path / "backup", replace=True, ask_passphrase=None)
    with Profile.open(home) as opened:
        assert len(opened.facts.all()) == 1
    keys.unlink()
    wipe_profile(home, "default")
    Profile.create(home, "default").close()


def test_a_wipe_that_was_interrupted_leaves_nothing_in_the_way(home, profile, monkeypatch):
    profile.close()

    def dies(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", dies)
        with pytest.raises(KeyboardInterrupt):
            wipe_profile(home, "default")
    with Profile.open(home, create=True) as opened:
        assert opened.facts.all() == []


def test_who_opens_a_profile_while_it_is_being_made_waits(home, monkeypatch):
    """Between its keys and its database another process may come."""
    ready, opened = threading.Event(), []
    made = Profile.__init__

    def slow(self, *values, **options):
        if not opened:
            ready.set()
            time.sleep(0.3)
        made(self, *values, **options)

    monkeypatch.setattr(Profile, "__init__", slow)
    first = threading.Thread(target=lambda: Profile.open(home, create=True).close())
    first.start()
    assert ready.wait(10)
    opened.append(1)
    Profile.open(home, create=True).close()
    first.join()


def test_migration_commits_with_its_record(profile):
    database = profile._db  # migrations are no matter of a profile
    first = MIGRATIONS[-1].number
    bad = [*MIGRATIONS, Migration(first + 1, "half", "CREATE TABLE t (x);\nINSERT INTO nowhere;")]
    with pytest.raises(ProfileError):
        migrate(database, bad)
    assert database.rows("SELECT 1 FROM sqlite_master WHERE name = 't'") == []
    good = [*MIGRATIONS, Migration(first + 1, "whole", "CREATE TABLE t (x);")]
    assert migrate(database, good) == 1
    assert migrate(database, good) == 0
    with pytest.raises(ProfileError, match="newer"):
        migrate(database)


def test_wrong_database_key_is_damage_not_an_empty_profile(home, profile):
    profile.lock()
    connection = sqlcipher3.connect(str(home.profile("default") / "profile.db"))
    with pytest.raises(sqlcipher3.DatabaseError):
        connection.execute("SELECT * FROM record")
    connection.close()


def hits(profile, *terms, k=10):
    """Return ids and scores of what full-text search finds, best first."""
    outline = profile.search_tables.outline()
    ids = dict(zip(outline.number.tolist(), outline.id, strict=True))
    numbers, scores = profile.search_tables.rank_text(terms, k)
    return [(ids[n], score) for n, score in zip(numbers.tolist(), scores.tolist(), strict=True)]


def test_full_text_ranks_and_stems(profile):
    best = profile.facts.add("My dogs love running, dogs of all kinds.")
    other = profile.facts.add("A dog barked somewhere in a very long and winding sentence.")
    accent = profile.facts.add("El niño canta.")
    found = hits(profile, "dog")
    assert [record_id for record_id, _ in found] == [best.id, other.id]
    assert found[0][1] > found[1][1] > 0
    assert [record_id for record_id, _ in hits(profile, "nino")] == [accent.id]
    assert [record_id for record_id, _ in hits(profile, "very long", "nino")] != []
    assert len(hits(profile, "dog", k=1)) == 1


@pytest.mark.parametrize(
    "term", ['"', 'x" OR text:y', "NEAR(", "*", "-", "a AND", "", "\0", "^x", "{", "'; DROP"]
)
def test_search_terms_are_only_words(profile, term):
    profile.facts.add("something")
    assert hits(profile, term) == []
    assert len(hits(profile, term, "something")) == 1


def test_vectors_and_outline(profile):
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((3, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    source = profile.sources.add("import", "x")
    made = profile.passages.add(source.id, [NewPassage(str(i)) for i in range(3)], stamped(vectors))
    bare = profile.facts.add("without", pinned=True)
    outline = profile.search_tables.outline()
    assert list(outline.id) == [*(p.id for p in made), bare.id]
    stored = profile.vectors.since(UNSTAMPED_SHA256)
    assert stored.number.tolist() == outline.number.tolist()[:3]
    assert np.abs(stored.values - vectors).max() < 1e-3
    assert list(map(bool, outline.pinned)) == [False, False, False, True]
    later = profile.search_tables.outline(after=int(outline.number[2]))
    assert list(later.id) == [bare.id]
    assert not len(profile.vectors.since(UNSTAMPED_SHA256, after=stored.last).number)
    assert profile.vectors.count_missing(UNSTAMPED_SHA256) == 1
    assert profile.vectors.missing(UNSTAMPED_SHA256, 9)[0][1:] == (bare.id, "without")
    profile.vectors.fill([(bare.id, "without")], stamped(vectors[0]))
    late = profile.vectors.since(UNSTAMPED_SHA256, after=stored.last)
    assert late.number.tolist() == outline.number.tolist()[3:]
    assert profile.vectors.all(UNSTAMPED_SHA256)[0] == list(outline.id)
    with pytest.raises(ProfileError, match="384"):
        profile.facts.add("shorter", vector=stamped(np.ones(5)))
    assert len(profile.facts.all()) == 1
    with pytest.raises(RecordNotFoundError), profile.transaction():
        profile.vectors.add(["z" * 16], stamped(vectors[0]))


def test_vectors_of_several_embedders(profile):
    one, other = np.eye(2, 384, dtype=np.float32), np.eye(2, 5, dtype=np.float32)
    facts = [profile.facts.add(text, vector=stamped(v)) for text, v in zip("ab", one, strict=True)]
    profile.vectors.fill([(facts[0].id, "a")], Embedded("f" * 64, "other", other[:1]))
    known = [(e.name, e.dimensions, e.vectors) for e in profile.vectors.embedders()]
    assert known == [("minilm", 384, 2), ("other", 5, 1)]
    assert not profile.vectors.keep_only("f" * 64)  # one is not done
    before = profile.generation()
    profile.vectors.fill(
        [(fact.id, fact.text) for fact in facts], Embedded("f" * 64, "other", other)
    )
    assert profile.generation() == before
    assert profile.vectors.keep_only("f" * 64)
    assert profile.generation() > before
    assert [e.sha256 for e in profile.vectors.embedders()] == ["f" * 64]
    ids, values = profile.vectors.all("f" * 64)
    assert ids == [fact.id for fact in facts] and np.array_equal(values, other)
    assert profile.vectors.all(UNSTAMPED_SHA256)[0] == []


def test_answers_need_no_vector(profile):
    talk = profile.turns.new_conversation()
    question = profile.turns.add(talk, "user", "Where?")
    profile.turns.add(talk, "assistant", "There.")
    assert [one[1] for one in profile.vectors.missing(UNSTAMPED_SHA256, 9)] == [question.id]


def test_scopes_of_facts(profile):
    everywhere = profile.facts.add("everywhere")
    work = profile.facts.add("work", scope="work")
    assert profile.facts.all(scope=None) == [everywhere]
    assert profile.facts.all(scope="work") == [everywhere, work]
    assert profile.facts.all(scope="home") == [everywhere]
    assert profile.facts.all() == [everywhere, work]


def test_superseding_keeps_the_older_fact_visible(profile):
    old = profile.facts.add("I live in Ulm.", subject="home")
    new = profile.facts.add("I live in Bonn.", subject="home", supersedes=[old.id])
    assert profile.facts.all(state="active") == [new]
    (older,) = profile.facts.all(state="superseded")
    assert older.id == old.id
    assert older.valid_to is not None
    assert older.valid_to <= time.time()
    with pytest.raises(ProfileError, match="superseded"):
        profile.facts.approve(old.id)
    with pytest.raises(RecordNotFoundError):
        profile.facts.add("x", supersedes=["z" * 16])
    assert len(profile.facts.all()) == 2


def test_texts_that_utf8_cannot_hold_are_stored_readably(profile):
    assert profile.facts.add("half \ud83d emoji\0").text == "half ? emoji "


def test_umask_cannot_widen_permissions(home):
    before = os.umask(0)
    try:
        with Profile.create(home) as profile:
            profile.facts.add("x")
            modes = {stat.S_IMODE(p.stat().st_mode) for p in home.data.rglob("*") if p.is_file()}
    finally:
        os.umask(before)
    assert modes == {0o600}
