"""Statements are drawn from texts, stored once with where they come from, and follow the texts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ondevice.errors import ProfileError
from ondevice.memory.embedders.protocol import Embedder
from ondevice.memory.service import Memory
from ondevice.store.profile import Profile
from ondevice.store.records import NewPassage

SAID = "my daughter Ines can't eat nuts, they make her ill"


@pytest.fixture
def memory(profile: Profile, multilingual: Embedder) -> Iterator[Memory]:
    with Memory(profile, multilingual) as opened:
        yield opened


def texts(memory: Memory, state: str = "active") -> list[str]:
    return [fact.text for fact in memory.list(state)]


def note(memory: Memory, text: str, time: float | None = None) -> str:
    source = memory.profile.sources.add("import", "note.md")
    return memory.profile.passages.add(source.id, [NewPassage(text, time=time)])[0].id


def test_imported_notes_fill_what_is_known(memory: Memory, tmp_path: Path) -> None:
    path = tmp_path / "me.md"
    path.write_text(
        f"# Me\nI am a nurse.\n{SAID}\nvegetarisch seit dem Studium, Fisch auch nicht\n\n"
        "The Nile is 6,650 km long.\nwhat about Rome?\nMy PIN is 4711.\n"
    )
    seen: list[tuple[int, int]] = []
    report = memory.import_paths([path], forming=lambda done, all_: seen.append((done, all_)))
    known = texts(memory)
    assert known[0] == "The user is a nurse." and SAID in known
    assert "vegetarisch seit dem Studium, Fisch auch nicht" in known + texts(memory, "pending")
    assert not [one for one in known + texts(memory, "pending") if "Nile" in one or "4711" in one]
    assert report.formed == len(known) and seen[-1][0] == seen[-1][1]
    (passage,) = memory.profile.passages.all()
    assert all(fact.origins == (passage.id,) for fact in memory.list())
    assert memory.form().texts == 0  # nothing is read twice
    memory.forget(passage.id)
    assert texts(memory) == []


def test_a_stopped_reading_goes_on(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ondevice.memory.forming.reading.BATCH", 1)
    for text in ("I am a nurse.", "I live in Ghent.", "I play the cello."):
        note(memory, text)

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        memory.form(stop)
    assert len(texts(memory)) == 2
    assert memory.form().facts == 1
    assert len(texts(memory)) == 3


def test_what_is_known_is_confirmed(memory: Memory) -> None:
    fact = memory.remember("I am a nurse.")
    one, two = note(memory, "I am a nurse!"), note(memory, "i'm a nurse")
    memory.form()
    (known,) = memory.list()
    assert known.id == fact.id and set(known.origins) == {fact.id, one, two}


def test_an_old_diary_does_not_replace_what_holds(memory: Memory) -> None:
    note(memory, "I live in Ghent.", time=2_000.0)
    note(memory, "I live in Lisbon.", time=1_000.0)
    memory.form()
    assert texts(memory) == ["The user lives in Ghent."]
    (old,) = memory.list("superseded")
    assert (old.text, old.time, old.valid_to) == ("The user lives in Lisbon.", 1_000.0, 2_000.0)
    note(memory, "I live in Oslo.", time=3_000.0)
    memory.form()
    assert texts(memory) == ["The user lives in Oslo."]


def test_a_correction_is_followed(memory: Memory) -> None:
    passage = note(memory, f"I live in Ghent.\n{SAID}")
    memory.form()
    changed = memory.edit(passage, text=f"I live in Bruges.\n{SAID}")
    assert set(texts(memory)) == {"The user lives in Bruges.", SAID}
    memory.restore(changed.id)
    assert set(texts(memory)) == {"The user lives in Ghent.", SAID}


def test_words_of_others_form_nothing(memory: Memory) -> None:
    source = memory.profile.sources.add("import", "chat")
    passages = [NewPassage("I live in Oslo.", speaker=who) for who in ("Ben", "assistant")]
    memory.profile.passages.add(source.id, passages)
    assert memory.form().texts == 0 and memory.list(None) == []


@pytest.mark.parametrize("text", ["My PIN is 4711", "my card is 4111 1111 1111 1111"])
def test_secrets_are_no_statements(memory: Memory, text: str) -> None:
    with pytest.raises(ProfileError, match="password manager"):
        memory.remember(text)
    with pytest.raises(ProfileError, match="password manager"):
        memory.suggest(text)
    assert memory.list(None) == []
    fact = memory.remember("I like tea.")
    with pytest.raises(ProfileError, match="password manager"):
        memory.edit(fact.id, text=text)
