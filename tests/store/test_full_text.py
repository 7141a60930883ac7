"""Full text in every script: found, forgotten, and carried over from the index of before."""

from __future__ import annotations

import subprocess
import sys

import pytest
from decrypted import decrypted

from ondevice.store import full_text, migrations
from ondevice.store.full_text import all_beginnings, expression
from ondevice.store.listing import Filter
from ondevice.store.migrations import MIGRATIONS
from ondevice.store.profile import Profile
from ondevice.store.records import NewPassage

TEXTS = {
    "zh": "我们家的小狗叫旺财，喜欢追松鼠。",
    "ja": "去年の夏、札幌でラーメンを食べすぎた。",
    "th": "วันเสาร์นี้ฉันนัดหมอฟันตอนบ่ายสอง",
    "km": "ខ្ញុំរស់នៅទីក្រុងសៀមរាប",
    "my": "ကျွန်တော် မန္တလေးမှာ နေတယ်",
    "ko": "우리 강아지가 어제 병원에 갔어요.",
    "tr": "Işıl ile İzmir'de ılık bir akşamdı.",
    "pl": "Łukasz zgubił żółtą parasolkę.",
    "de": "Der Zahnarzttermin auf der Hauptstraße fällt aus.",
    "hi": "मेरी बहन दिल्ली में रहती है।",
}


def found(profile, *terms):
    numbers = profile.search_tables.rank_text(terms, 10)[0].tolist()
    outline = profile.search_tables.outline()
    by_number = dict(zip(outline.number.tolist(), outline.id, strict=True))
    return {by_number[number] for number in numbers}


@pytest.fixture
def by_language(profile):
    return {language: profile.facts.add(text).id for language, text in TEXTS.items()}


@pytest.mark.parametrize(
    ("term", "language"),
    [
        ("小狗", "zh"), ("狗*", "zh"), ("松鼠", "zh"), ("鼠*", "zh"),
        ("ラーメン", "ja"), ("札幌", "ja"), ("หมอฟัน", "th"), ("សៀមរាប", "km"), ("မန္တလေး", "my"),
        ("강아지", "ko"), ("개*", None), ("ISIL", "tr"), ("izmir", "tr"), ("ILIK", "tr"),
        ("lukasz", "pl"), ("ŻÓŁTĄ", "pl"), ("Zahnarzt*", "de"), ("*termin", "de"),
        ("*straße", "de"), ("hauptstrasse", "de"), ("fa\u0308llt", "de"), ("दिल्ली", "hi"),
    ],
)  # fmt: skip
def test_words_are_found_in_every_script(profile, by_language, term, language):
    assert found(profile, term) == ({by_language[language]} if language else set())


def test_a_word_that_is_nowhere_is_taken_for_a_beginning(profile, by_language):
    assert found(profile, "Zahnarzt") == {by_language["de"]}
    assert found(profile, "Zahn") == set()  # too short
    exact = profile.facts.add("Zahnarzt Dr. Wolf").id
    assert found(profile, "Zahnarzt") == {exact}


def test_browsing_finds_beginnings_in_every_script(profile, by_language):
    for words, language in (("追松", "zh"), ("ラーメ", "ja"), ("luk zgub", "pl"), ("หมอ", "th")):
        page = profile.listing.page(Filter(words=words))
        assert [record.id for record in page] == [by_language[language]], words
    assert all_beginnings("?!") == ""
    assert expression("*") == expression("**") == '""'


def test_forgotten_text_of_every_script_leaves_no_trace(profile):
    source = profile.sources.add("import", "filler")
    profile.passages.add(source.id, [NewPassage(f"猫 kot {i} นก") for i in range(300)])
    ids = [profile.facts.add(text).id for text in TEXTS.values()]
    profile.facts.edit(ids[0], text="旺财变胖了。")
    secrets = [
        "松鼠",
        "ラーメン",
        "ーメ",
        "ฟัน",
        "강아",
        "parasolk",
        "zahnarzt",
        "hauptstrass",
        "Łukasz",
    ]
    there = decrypted(profile)
    assert [s for s in secrets[1:] if s.encode() in there] == secrets[1:]
    assert secrets[0].encode() not in there  # edited away
    profile.forget(ids)
    left = decrypted(profile)
    assert [s for s in secrets if s.encode() in left] == []
    assert len(profile.search_tables.rank_text(["kot"], 500)[0]) == 300
    profile.check()


AS_BEFORE = [
    *(f"DROP TRIGGER record_{name}" for name in ("added", "deleted", "reworded")),
    "DROP TABLE search",
    "CREATE VIRTUAL TABLE search USING fts5 (text, content = 'record', content_rowid = 'number',"
    " tokenize = 'porter unicode61 remove_diacritics 2')",
    "INSERT INTO search (search) VALUES ('rebuild')",
    "CREATE TRIGGER record_added AFTER INSERT ON record BEGIN SELECT 1; END",
    "CREATE TRIGGER record_deleted AFTER DELETE ON record BEGIN SELECT 1; END",
    "CREATE TRIGGER record_reworded AFTER UPDATE OF text ON record BEGIN SELECT 1; END",
    "DELETE FROM meta WHERE key = 'terms'",
]
THE_STEP = [step for step in MIGRATIONS if step.name == "full text in every script"]

KILLED = """
import os, sys
from pathlib import Path
from ondevice.home import Home
from ondevice.store import full_text, migrations
from ondevice.store.profile import Profile
full_text.INDEXED_AT_ONCE = 100
index_some, batches = full_text._index_some, []
def dies(database):
    if len(batches) == 2:
        os._exit(9)
    batches.append(1)
    index_some(database)
full_text._index_some = dies
Profile.open(Home.below(Path(sys.argv[1])))
"""


@pytest.fixture
def notes(profile):
    source = profile.sources.add("import", "notes")
    texts = [f"Eintrag {i}: {text}" for i in range(40) for text in TEXTS.values()]
    return [p.id for p in profile.passages.add(source.id, [NewPassage(text) for text in texts])]


def test_an_index_of_before_is_made_anew_though_it_be_killed(home, profile, notes):
    with profile._db.write() as run:  # a database of before can only be made below the profile
        for statement in AS_BEFORE:
            run(statement)
        # Not by `migrate`: later steps are there and are not to be run again.
        for statement in migrations._statements(THE_STEP[0].sql):
            run(statement)
    profile.close()
    killed = subprocess.run([sys.executable, "-c", KILLED, str(home.data.parent)], check=False)
    assert killed.returncode == 9
    with Profile.open(home) as again:
        assert len(again.search_tables.rank_text(["강아"], 500)[0]) == 40
        assert len(again.search_tables.rank_text(["eintrag"], 500)[0]) == len(notes)
        again.forget(notes)
        assert "강아".encode() not in decrypted(again)
        again.check()


def test_meanwhile_others_may_write_and_forget(profile, notes, monkeypatch):
    """What is behind the frontier changes in the index; the rest is left to those who fill it."""
    monkeypatch.setattr(full_text, "INDEXED_AT_ONCE", 100)
    monkeypatch.setattr(full_text, "TERMS", 2)  # as a newer version would
    index_some = full_text._index_some  # between two of its batches another process may write
    ids = iter(notes[::50])

    def disturbed(database):
        index_some(database)
        if record_id := next(ids, None):
            profile.forget([record_id])
            profile.facts.edit(profile.facts.add("Eintrag: gleich").id, text="Eintrag: später")

    # As above: the moment between two batches.
    monkeypatch.setattr(full_text, "_index_some", disturbed)
    full_text.keep_current(profile._db)  # what opening the profile does
    found = profile.search_tables.rank_text(["eintrag"], 500)[0].tolist()
    assert sorted(found) == profile.search_tables.outline().number.tolist()
    assert len(found) == len(notes)
    assert len(profile.search_tables.rank_text(["spater"], 500)[0]) == len(notes[::50])
    profile.forget([*set(notes) - set(notes[::50])])
    assert "강아".encode() not in decrypted(profile)
