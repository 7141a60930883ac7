"""A corrected text is what is found from then on, in the person's own words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from memories import add_text

from ondevice.errors import ProfileError
from ondevice.importers import ImportedChunk, ImportedDocument
from ondevice.memory.correcting import Corrector
from ondevice.memory.embedders.protocol import Embedder
from ondevice.memory.embedding import embedded
from ondevice.memory.forming.reading import Forming
from ondevice.memory.ingest import ingest
from ondevice.memory.search import Recall
from ondevice.store.profile import Profile
from ondevice.store.records import NewPassage

OLD, NEW = "I sleep badly when I drink coffee.", "I sleep badly when I look at screens"


@pytest.fixture
def corrector(profile: Profile, embedder: Embedder, recall: Recall) -> Corrector:
    return Corrector(profile, recall, Forming(recall.embedding))


def diary(version: str, *texts: str) -> ImportedDocument:
    return ImportedDocument("diary", version, map(ImportedChunk, texts), key="diary")


def found(recall: Recall, query: str) -> list[str]:
    return [memory.text for memory in recall.search(query)]


def test_only_the_correction_is_found_as_it_was_typed(
    profile: Profile, recall: Recall, corrector: Corrector, embedder: Embedder
) -> None:
    ingest(profile, embedder, [diary("1", OLD, "The bus was late.")])
    assert OLD in found(recall, "When do I sleep badly?")
    (old,) = [p for p in profile.passages.all() if p.text == OLD]
    new = corrector.edit(old.id, text=NEW)
    assert new.text == NEW and not profile.facts.all()
    assert found(recall, "When do I sleep badly?")[0] == NEW
    assert OLD not in found(recall, "coffee")
    other = Recall(profile, embedder)
    assert OLD not in found(other, "coffee") and NEW in found(other, "screens")
    corrector.restore(new.id)
    assert OLD in found(recall, "coffee") and NEW not in found(recall, "screens")


def test_a_correction_has_the_neighbours_of_what_it_corrects(
    profile: Profile, recall: Recall, corrector: Corrector, embedder: Embedder
) -> None:
    source = profile.sources.add("import", "chat")
    talk = ["The train was full."] * 9
    talk[4:4] = ["What did you call the kitten from the shelter?", "Pickel!"]
    made = profile.passages.add(
        source.id, [NewPassage(text) for text in talk], embedded(embedder, talk)
    )
    new = corrector.edit(made[5].id, text="Pickle!")
    for one in (recall, Recall(profile, embedder)):
        assert new.id in [memory.id for memory in one.search("name of the kitten", k=3)]
        later = profile.passages.add(source.id, [NewPassage("Bye.")], embedded(embedder, ["Bye."]))
        assert later[0].id in [memory.id for memory in one.search("bye", k=3)]
    assert new.id in [memory.id for memory in recall.search("name of the kitten", k=3)]


@pytest.mark.parametrize("texts", [(OLD, "The bus was late."), ("Zero.", OLD, "Later.")])
def test_importing_again_does_not_bring_the_old_wording_back(
    texts: tuple[str, ...],
    profile: Profile,
    recall: Recall,
    corrector: Corrector,
    embedder: Embedder,
) -> None:
    ingest(profile, embedder, [diary("1", OLD, "The bus was late.")])
    (old,) = [p for p in profile.passages.all() if p.text == OLD]
    corrector.edit(old.id, text=NEW)
    ingest(profile, embedder, [diary("1" if len(texts) == 2 else "2", *texts)])
    assert OLD not in found(recall, "coffee") and NEW in found(recall, "screens")
    assert OLD not in [p.text for p in profile.passages.all()]


def test_a_diary_that_goes_on_keeps_its_correction(
    profile: Profile, recall: Recall, corrector: Corrector, embedder: Embedder
) -> None:
    ingest(profile, embedder, [diary("1", OLD)])
    corrector.edit(next(profile.passages.all()).id, text=NEW)
    first = f"{OLD}\n\nToday it rained."
    for version, text in (("2", first), ("3", f"{first} And snowed.")):
        ingest(profile, embedder, [diary(version, text)])
        (now,) = profile.passages.all()
        assert now.text == text.replace(OLD, NEW)
        assert not [text for text in found(recall, "coffee") if "coffee" in text]
    ingest(profile, embedder, [diary("4", f"{OLD[:-1]}, not tea.")])
    assert [p.text for p in profile.passages.all()] == [f"{OLD[:-1]}, not tea."], (
        "it is another text"
    )


def test_an_import_that_was_cut_off_goes_on_after_a_correction(
    profile: Profile,
    corrector: Corrector,
    embedder: Embedder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ondevice.memory.ingest.BATCH_PASSAGES", 1)

    def breaking() -> Iterator[ImportedChunk]:
        yield ImportedChunk(OLD)
        yield ImportedChunk("Second.")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(profile, embedder, [ImportedDocument("d", "1", breaking())])
    corrector.edit(next(profile.passages.all()).id, text=NEW)
    ingest(
        profile, embedder, [ImportedDocument("d", "1", map(ImportedChunk, (OLD, "Second.", "3")))]
    )
    assert sorted(p.text for p in profile.passages.all()) == sorted([NEW, "Second.", "3"])


def test_the_facts_of_a_turn_follow_its_wording(
    profile: Profile, recall: Recall, corrector: Corrector, embedder: Embedder
) -> None:
    talk = profile.turns.new_conversation()
    texts = ["My dog is called Biscuit and I live in Ulm.", "I play the cello."]
    turns = [profile.turns.add(talk, "user", texts[0], vector=embedded(embedder, [texts[0]]))]
    add_text(recall, "My dog is called Biscuit.", source_id=talk)
    home = add_text(recall, "I live in Ulm.", source_id=talk)
    turns.append(profile.turns.add(talk, "user", texts[1], vector=embedded(embedder, [texts[1]])))
    cello = add_text(recall, "I play the cello.", source_id=talk)
    new = corrector.edit(turns[0].id, text="My dog is called Rusk and I live in Ulm.")
    active = {fact.text: fact.id for fact in profile.facts.all(state="active")}
    assert set(active) == {
        "The user's dog is called Rusk.", "The user lives in Ulm.", "The user plays the cello.",
    }  # fmt: skip
    assert {home.id, cello.id} < set(active.values())
    assert [turn.text for turn in profile.turns.all(talk)] == [new.text, texts[1]]
    assert not [text for text in found(recall, "dog called") if "Biscuit" in text]
    corrector.restore(new.id)
    assert "The user's dog is called Biscuit." in [
        f.text for f in profile.facts.all(state="active")
    ]
    assert [turn.text for turn in profile.turns.all(talk)] == texts


def test_only_the_text_of_a_text_can_be_changed(
    profile: Profile, corrector: Corrector, embedder: Embedder
) -> None:
    ingest(profile, embedder, [diary("1", OLD)])
    (old,) = profile.passages.all()
    with pytest.raises(ProfileError, match="nothing was changed"):
        corrector.edit(old.id, text=NEW, category="task")
    with pytest.raises(ProfileError, match="never corrected"):
        corrector.restore(old.id)
    assert list(profile.passages.all()) == [old]
