"""What is forgotten is gone from the decrypted bytes of every page."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from decrypted import decrypted
from stamped import stamped

from ondevice.cli.memory.preview import preview_lines
from ondevice.errors import AdapterStaleError, RecordNotFoundError
from ondevice.store.profile import Profile
from ondevice.store.records import NewPassage
from ondevice.store.vectors import UNSTAMPED_SHA256, Embedded

CANARY = "The Zanzibarian Quokkafesting begins tomorrow."
STEMS = (b"zibarian", b"okkafest")  # as the index keeps them, less a prefix that rows share


def canary_vector():
    return np.random.default_rng(7).standard_normal(384).astype(np.float32)


def traces(profile) -> list[str]:
    content = decrypted(profile)
    found = [stem.decode() for stem in STEMS if stem in content]
    if CANARY.encode() in content:
        found.append("text")
    # Any run of 16 bytes of the vector counts: a page may break it.
    raw = canary_vector().astype("<f2").tobytes()
    if any(raw[i : i + 16] in content for i in range(0, len(raw) - 16, 16)):
        found.append("vector")
    return found


def fill(profile, count=60):
    vectors = np.random.default_rng(1).standard_normal((count, 384))
    source = profile.sources.add("import", "filler")
    profile.passages.add(
        source.id, [NewPassage(f"The garden has {i} roses and zany quolls.") for i in range(count)],
        stamped(vectors),
    )  # fmt: skip
    return source


def test_forgotten_fact_leaves_no_trace(profile):
    fill(profile)
    fact = profile.facts.add(CANARY, vector=stamped(canary_vector()))
    fill(profile)
    assert traces(profile) == ["zibarian", "okkafest", "text", "vector"]
    report = profile.forget([fact.id])
    assert report.records == (fact.id,)
    assert report.purged
    assert traces(profile) == []
    assert len(profile.search_tables.rank_text(["zanzibarian"], 5)[0]) == 0
    assert len(profile.search_tables.rank_text(["roses"], 500)[0]) == 120
    profile.check()


def test_forgotten_after_merges_and_reopening(home, profile):
    ids = [
        profile.facts.add(f"{CANARY} {i}", vector=stamped(canary_vector())).id for i in range(40)
    ]
    fill(profile, 400)
    profile.lock()
    with Profile.open(home) as again:
        assert "text" in traces(again)
        again.forget(ids)
        assert traces(again) == []
        again.check()


def test_old_wording_of_an_edited_fact_is_gone(profile):
    fact = profile.facts.add(CANARY, vector=stamped(canary_vector()))
    edited = profile.facts.edit(fact.id, text="Nothing begins.")
    assert edited.text == "Nothing begins."
    assert edited.id == fact.id
    assert traces(profile) == []
    assert fact.id not in profile.vectors.all(UNSTAMPED_SHA256)[0]


OTHER = np.random.default_rng(8).standard_normal((1, 100)).astype(np.float32)


@pytest.mark.parametrize("way", ["forget", "source", "replaced", "reworded", "corrected", "due"])
def test_vectors_by_all_embedders_go(profile, way):
    source = fill(profile)
    (passage,) = profile.passages.add(source.id, [NewPassage(CANARY)], stamped(canary_vector()))
    record = passage if way != "reworded" else profile.facts.add(CANARY)
    if way == "reworded":
        profile.forget([passage.id])
        profile.vectors.fill([(record.id, CANARY)], stamped(canary_vector()))
    profile.vectors.fill([(record.id, CANARY)], Embedded("f" * 64, "other", OTHER))
    fill(profile)
    raw = OTHER.astype("<f2").tobytes()
    pieces = [raw[i : i + 16] for i in range(0, len(raw) - 16, 16)]
    assert "vector" in traces(profile) and any(one in decrypted(profile) for one in pieces)
    assert profile.preview_forget([record.id]).vectors == 2
    if way == "forget":
        profile.forget([record.id])
    elif way == "source":
        profile.forget([source.id])
    elif way == "replaced":
        profile.replace_source(source.id, profile.sources.add("import", "newer").id)
    elif way == "reworded":
        profile.facts.edit(record.id, text="Nothing begins.")
    elif way == "corrected":
        better = profile.corrections.correct(record.id, "Nothing begins.")
        profile.forget([better.id])  # its former wording goes along
    else:
        profile.retention.set(sample_days=1)
        profile.retention.clock = lambda: time.time() + 2 * 86_400
        profile.purge_due()
    assert traces(profile) == []
    assert not any(one in decrypted(profile) for one in pieces)
    profile.check()


def test_what_a_newer_version_keeps_keeps_its_vectors(profile):
    old, new = profile.sources.add("import", "old"), profile.sources.add("import", "new")
    (kept,) = profile.passages.add(old.id, [NewPassage("Stays.")], stamped(canary_vector()))
    profile.vectors.fill([(kept.id, "Stays.")], Embedded("f" * 64, "other", OTHER))
    profile.passages.add(new.id, [NewPassage("Stays.")], stamped(canary_vector()))
    profile.replace_source(old.id, new.id)
    assert [e.vectors for e in profile.vectors.embedders()] == [1, 1]
    assert profile.vectors.all("f" * 64)[0] == [kept.id]


def test_source_takes_everything_along(profile):
    keep = fill(profile)
    source = profile.sources.add("import", "notes about Zanzibarian things")
    profile.passages.add(source.id, [NewPassage(CANARY)], stamped(canary_vector()))
    fact = profile.facts.add("Derived from it.", source_id=source.id)
    report = profile.forget([source.id])
    assert set(report.records) >= {source.id, fact.id}
    assert traces(profile) == []
    assert [s.id for s in profile.sources.all()] == [keep.id]
    assert len(list(profile.passages.all(keep.id))) == 60


def test_conversation_turns_references_and_feedback(profile):
    fact = profile.facts.add("My dog is called Biscuit.")
    talk = profile.turns.new_conversation()
    user = profile.turns.add(talk, "user", CANARY, vector=stamped(canary_vector()))
    learned = profile.facts.add("It begins tomorrow.", source_id=talk)
    answer = profile.turns.add(
        talk, "assistant", "Yes, tomorrow.", memories_used=(fact.id, learned.id)
    )
    profile.feedback.add(answer.id, "edit", "No, the Quokkafesting.")
    assert profile.get(answer.id).memories_used == (fact.id, learned.id)

    preview = profile.preview_forget([learned.id], keep_turns=True)
    assert {turn.id for turn in preview.related_turns} == {user.id, answer.id}
    assert any(user.id in line for line in preview_lines(preview))
    assert profile.has(learned.id)

    profile.forget([learned.id])
    assert profile.get(answer.id).memories_used == (fact.id,)
    profile.forget([talk])
    assert profile.turns.all() == []
    assert profile.feedback.all() == []
    assert traces(profile) == []
    assert [f.id for f in profile.facts.all()] == [fact.id]


def test_every_change_makes_adapters_stale(profile):
    def trained_on(*records):
        profile_ids = [record.id for record in records]
        return profile.adapters.add(
            f"a{len(profile.adapters.all())}",
            file_sha256="0" * 64, base_sha256="1" * 64, rank=4, alpha=8.0, state="active",
            records=profile_ids,
        ).name  # fmt: skip

    a, b, c, d = (profile.facts.add(f"fact {i}") for i in range(4))
    both, only_b, only_c, only_d = (
        trained_on(a, b), trained_on(b), trained_on(c), trained_on(d)
    )  # fmt: skip
    before = profile.generation()
    assert profile.preview_forget([a.id]).adapters_stale == (both,)
    assert profile.generation() == before
    assert profile.forget([a.id]).adapters_stale == (both,)
    assert profile.generation() > before
    profile.facts.add("newer", supersedes=[c.id])
    profile.facts.edit(d.id, learn=False)
    states = {row.name: row.state for row in profile.adapters.all()}
    assert states == {both: "stale", only_b: "active", only_c: "stale", only_d: "stale"}
    with pytest.raises(AdapterStaleError):
        profile.adapters.set_state(both, "active")
    # Forgotten while it was being trained:
    assert profile.adapters.get(trained_on(a, b)).state == "stale"


def test_unknown_id_deletes_nothing(profile):
    fact = profile.facts.add("Stays.")
    with pytest.raises(RecordNotFoundError):
        profile.forget([fact.id, "zzzzzzzzzzzzzzzz"])
    with pytest.raises(RecordNotFoundError):
        profile.forget([""])
    assert profile.facts.all() == [fact]


READER = """
import sys
from pathlib import Path
from ondevice.home import Home
from ondevice.store.profile import Profile
p = Profile.open(Home.below(Path(sys.argv[1])))
p._db._connection.execute("BEGIN"); p.generation()
print("reading", flush=True)
sys.stdin.readline()
p._db._connection.execute("COMMIT")
print("left", flush=True)
sys.stdin.readline()
"""


def test_reader_elsewhere_delays_the_purge_until_it_leaves(home, profile):
    fact = profile.facts.add(CANARY, vector=stamped(canary_vector()))
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(home.data.parent)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with reader:
        assert reader.stdout.readline() == "reading\n"
        report = profile.forget([fact.id])
        assert not report.purged
        assert profile.facts.all() == []
        assert traces(profile) != []  # the reader still needs the old pages
        print(file=reader.stdin, flush=True)
        assert reader.stdout.readline() == "left\n"
        assert profile.purge_due().purged  # any later occasion does it
        assert traces(profile) == []
        print(file=reader.stdin, flush=True)


def test_encrypted_files_hold_no_canary(profile):
    profile.facts.add(CANARY, vector=stamped(canary_vector()))
    raw = canary_vector().astype("<f2").tobytes()[:16]
    for path in profile.folder.rglob("*"):
        content = path.read_bytes().lower()
        for secret in (*STEMS, CANARY.lower().encode()):
            assert secret not in content, path
        assert raw not in path.read_bytes(), path


def test_retention_counts_from_storing(profile):
    import time

    old_note = profile.sources.add("import", "note")
    profile.passages.add(old_note.id, [NewPassage("from long ago", time=1.0)])
    fact = profile.facts.add("fact")
    due = profile.facts.add("until yesterday", expires=time.time() - 1)
    profile.retention.set(fact_days=30, sample_days=10)
    assert not profile.has(due.id)  # gone for every reader, before anything is deleted
    assert profile.purge_due().records == (due.id,)
    profile.retention.clock = lambda: time.time() + 11 * 86400
    assert list(profile.passages.all()) == []
    assert len(profile.purge_due().records) == 1
    assert profile.facts.all() == [fact]
    profile.retention.set(fact_days=0)
    profile.retention.clock = lambda: time.time() + 5000 * 86400
    assert profile.purge_due().records == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Mu\u0308ller wohnt in Ko\u0308ln.", "müller"),  # letters and dots apart, as in a PDF
        ("Müller wohnt in Köln.", "Mu\u0308ller ko\u0308ln"),
        ("私の犬の名前はビスケットです。", "ビスケット"),
        ("我的狗叫饼干，住在上海。", "饼干 上海"),
        ("제 개는 비스킷이에요.", "비스킷"),
    ],
)
def test_words_are_found_in_every_script(profile, text, words):
    fact = profile.facts.add(text)
    profile.facts.add("My dog is called Toffee; 猫, カット, 개, Mull.")
    assert profile.matching(words=words) == [fact.id]


def test_answers_that_repeat_a_fact_go_along_in_every_script(profile):
    talk = profile.turns.new_conversation()
    asked = profile.turns.add(talk, "user", "犬の名前はビスケットです。")
    fact = profile.facts.add("ユーザーの犬の名前はビスケットです。", source_id=talk)
    repeated = profile.turns.add(talk, "assistant", "ビスケットですね。")
    profile.turns.add(talk, "assistant", "そうですか。")
    shown = profile.preview_forget([fact.id], keep_turns=True)
    assert [turn.id for turn in shown.related_turns] == [asked.id, repeated.id]


@pytest.mark.model
def test_rows_that_moved_to_other_pages_leave_nothing_behind(home):
    """Full pages are parted and joined; what stood on them before is not overwritten by itself."""
    chance = random.Random(1)

    def text():
        words = chance.choice([1, 3, 8, 30, 150])
        return " ".join("".join(chance.choices("bcdfghjklm", k=12)) for _ in range(words))

    with Profile.create(home) as profile:
        living, gone = {}, set()
        for _ in range(45):
            for _ in range(20):
                said = text()
                living[profile.facts.add(said).id] = said
            for changed in chance.sample(sorted(living), 5):
                gone.update(living[changed].split())
                living[changed] = profile.facts.edit(changed, text=text()).text
            forgotten = chance.sample(sorted(living), 12)
            gone.update(word for one in forgotten for word in living.pop(one).split())
            profile.forget(forgotten)
        left = set(re.findall("[bcdfghjklm]{12}", decrypted(profile).decode("latin-1")))
    assert len(gone) > 5_000
    assert not gone & left
