"""Cutting and importing text."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ondevice.errors import ImportSourceError
from ondevice.importers import ImportedChunk, ImportedDocument
from ondevice.learning.examples.selection import select
from ondevice.memory.embedders.protocol import Embedder
from ondevice.memory.ingest import cut, ingest
from ondevice.memory.search import Recall
from ondevice.settings import RecallSettings
from ondevice.store.profile import Profile


def words(text: str) -> int:
    return len(text.split())


def document(name: str, *texts: str) -> ImportedDocument:
    return ImportedDocument(name, f"hash of {name}", (ImportedChunk(text) for text in texts))


def test_paragraphs_are_put_together_while_they_fit() -> None:
    text = "one two three\n\nfour five\n\nsix seven eight nine"
    assert list(cut(text, words, 5)) == ["one two three\n\nfour five", "six seven eight nine"]


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    assert list(cut("One two three. Four five! Six?", words, 3)) == [
        "One two three.",
        "Four five! Six?",
    ]


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet="ab .!?\n", max_size=400), st.integers(1, 12))
def test_no_word_is_lost_and_no_passage_is_too_long(text: str, limit: int) -> None:
    passages = list(cut(text, words, limit))
    assert "".join("".join(passages).split()) == "".join(text.split())
    assert all(0 < words(passage) <= limit for passage in passages)


def test_a_word_longer_than_a_passage_is_cut(embedder: Embedder) -> None:
    passages = list(cut("xyzzy" * 500, embedder.count_tokens, 50))
    assert "".join(passages) == "xyzzy" * 500
    assert all(embedder.count_tokens(passage) <= 50 for passage in passages)


def test_imported_notes_are_found_with_their_source(profile: Profile, embedder: Embedder) -> None:
    progress: list[tuple[int, int | None]] = []
    report = ingest(
        profile,
        embedder,
        [document("garden.md", "Prune the roses in March."), document("car.md", "Oil: 5W-30.")],
        progress=lambda done, total: progress.append((done, total)),
    )
    assert (report.documents, report.passages, report.unchanged) == (2, 2, 0)
    assert progress[-1][0] == 2
    best = Recall(profile, embedder).search("When should I cut back the roses?", k=1)[0]
    assert (best.kind, best.source) == ("passage", "garden.md")


def test_the_same_file_is_imported_once(profile: Profile, embedder: Embedder) -> None:
    ingest(profile, embedder, [document("a.txt", "Hello there.")])
    report = ingest(profile, embedder, [document("a.txt", "Hello there.")])
    assert (report.documents, report.unchanged) == (0, 1)
    assert len(profile.sources.all("import")) == 1


def test_an_import_that_was_cut_off_is_taken_up_again(
    profile: Profile, embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ondevice.memory.ingest.BATCH_PASSAGES", 1)

    def breaking() -> Iterator[ImportedChunk]:
        yield ImportedChunk("First half.")
        yield ImportedChunk("Second half.")
        raise ImportSourceError("a.txt is damaged.")

    with pytest.raises(ImportSourceError):
        ingest(profile, embedder, [ImportedDocument("a.txt", "hash of a.txt", breaking())])
    stored = [p.id for p in profile.passages.all()]
    report = ingest(profile, embedder, [document("a.txt", "First half.", "Second half.", "End.")])
    assert (report.documents, report.passages) == (1, 1)  # the rest only
    assert [p.text for p in profile.passages.all()] == ["First half.", "Second half.", "End."]
    assert [p.id for p in profile.passages.all()][:2] == stored
    assert ingest(profile, embedder, [document("a.txt", "First half.")]).unchanged == 1


def test_a_file_that_changed_since_it_was_cut_off_is_not_mixed_up(
    profile: Profile, embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ondevice.memory.ingest.BATCH_PASSAGES", 2)

    def breaking() -> Iterator[ImportedChunk]:
        yield from map(ImportedChunk, ("One.", "Two.", "Three.", "Four."))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(profile, embedder, [ImportedDocument("a.txt", "old hash", breaking())])
    assert len(list(profile.passages.all())) == 4
    ingest(profile, embedder, [document("a.txt", "One.", "Another.", "Three.")])
    assert [p.text for p in profile.passages.all()] == ["One.", "Another.", "Three."]
    assert len(profile.sources.all("import")) == 1


def test_batches_hold_parts_of_many_documents(
    profile: Profile, embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[int] = []
    embed = embedder.embed
    monkeypatch.setattr(embedder, "embed", lambda texts: runs.append(len(texts)) or embed(texts))
    report = ingest(profile, embedder, [document(f"{n}", f"Note {n}.") for n in range(40)])
    assert (report.documents, runs) == (40, [40])
    assert {s.name for s in profile.sources.all()} == {str(n) for n in range(40)}


def test_a_newer_version_replaces_the_older_one(profile: Profile, embedder: Embedder) -> None:
    def version(sha256: str, *texts: str) -> ImportedDocument:
        return ImportedDocument("chat", sha256, map(ImportedChunk, texts), key="chat:1")

    ingest(profile, embedder, [version("v1", "Stays.", "Goes.")])
    before = {p.text: p.id for p in profile.passages.all()}
    ingest(profile, embedder, [version("v2", "Stays.", "Comes.")])
    after = {p.text: p.id for p in profile.passages.all()}
    assert list(after) == ["Stays.", "Comes."]
    assert after["Stays."] == before["Stays."]  # adapters that learned it stay fresh
    assert len(profile.sources.all("import")) == 1
    assert [m.text for m in Recall(profile, embedder).search("goes")] != ["Goes."]


def test_a_run_stopped_while_the_older_version_goes_changes_nothing(
    profile: Profile, embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(sha256: str, *texts: str) -> ImportedDocument:
        return ImportedDocument("chat", sha256, map(ImportedChunk, texts), key="chat:1")

    def stop(*_: str) -> None:
        raise KeyboardInterrupt

    ingest(profile, embedder, [version("v1", "Stays.", "Goes.")])
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(profile, "replace_source", stop)
        ingest(profile, embedder, [version("v2", "Stays.", "Comes.")])
    assert [p.text for p in profile.passages.all()] == ["Stays.", "Goes."]
    assert ingest(profile, embedder, [version("v2", "Stays.", "Comes.")]).documents == 1
    assert [p.text for p in profile.passages.all()] == ["Stays.", "Comes."]
    assert profile.finish_purge(seconds=0)  # nothing of what went is left in the log


@pytest.mark.parametrize("batch", [1, 512])
def test_documents_of_one_key_in_one_file_are_no_versions_of_each_other(
    profile: Profile, embedder: Embedder, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr("ondevice.memory.ingest.BATCH_PASSAGES", batch)

    def file(*contents: str) -> list[ImportedDocument]:
        return [
            ImportedDocument("chat", text, [ImportedChunk(text)], "chat:1", is_another=number > 0)
            for number, text in enumerate(contents)
        ]

    def stored() -> list[str]:
        assert len(profile.sources.all("import")) == len(list(profile.passages.all()))
        return sorted(passage.text for passage in profile.passages.all())

    ingest(profile, embedder, file("One.", "Two.", "Two."))
    assert stored() == ["One.", "Two."]
    for again in (("One.", "Two."), ("Two.", "One.")):
        assert ingest(profile, embedder, file(*again)).documents == 0
        assert stored() == ["One.", "Two."]
    ingest(profile, embedder, file("Two.", "One, longer."))
    assert stored() == ["One, longer.", "Two."]
    ingest(profile, embedder, file("Two, longer.", "One, longer."))
    assert stored() == ["One, longer.", "Two, longer."]
    # Two files at once: of what has the same key in another file it is a version.
    ingest(profile, embedder, [*file("Three.", "Two, longer."), *file("Four.", "Two, longer.")])
    assert stored() == ["Four.", "Two, longer."]


def test_others_words_are_context_and_statements_wait_for_approval(
    profile: Profile, embedder: Embedder
) -> None:
    chunks = [
        ImportedChunk("I water the roses on Sundays.", "user"),
        ImportedChunk("You should prune them too.", speaker="Ben"),
        ImportedChunk("User's dog is called Biscuit.", "memory"),
    ]
    for hash_ in ("one", "two"):
        report = ingest(profile, embedder, [ImportedDocument("chat", hash_, chunks)])
    own, other = list(profile.passages.all())[:2]
    assert (own.speaker, own.learn, other.speaker, other.learn) == ("user", True, "Ben", False)
    assert [text.record.id for text in select(list(profile.passages.all())).texts] == [own.id]
    (fact,) = profile.facts.all()
    assert (fact.state, report.facts) == ("pending", 0)
    assert "Biscuit" in fact.text


def test_passages_have_their_scope_and_size(profile: Profile, embedder: Embedder) -> None:
    text = " ".join(f"Sentence number {n} is about the harbour." for n in range(100))
    ingest(
        profile,
        embedder,
        [document("long.txt", text)],
        scope="work",
        settings=RecallSettings(passage_tokens=60),
    )
    stored = list(profile.passages.all())
    assert len(stored) > 10
    assert [p.position for p in stored] == list(range(len(stored)))
    assert all(embedder.count_tokens(p.text) <= 60 and p.scope == "work" for p in stored)
    assert Recall(profile, embedder).search("harbour") == []
