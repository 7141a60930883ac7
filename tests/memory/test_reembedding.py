"""Another embedder takes over: search is never worse, and nothing of the former one is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from decrypted import decrypted
from fake_embedder import FakeEmbedder

from ondevice.errors import RecallError
from ondevice.memory import embedding as embedding_module
from ondevice.memory.embedding import Embedding
from ondevice.memory.reembedding import BATCH, Reembedding
from ondevice.memory.service import Memory
from ondevice.store.exchange.transfer import backup_profile, restore_backup
from ondevice.store.profile import Profile
from ondevice.store.records import NewPassage

SUPPORT = Path(__file__).parents[1] / "support"
WORDS = [{"dog", "hound"}, {"car", "automobile"}]


@pytest.fixture
def former() -> FakeEmbedder:
    """The embedder that the profile was filled with."""
    return FakeEmbedder("former", 240, WORDS)


@pytest.fixture
def wanted() -> FakeEmbedder:
    """The embedder that the settings name now; its vectors are longer."""
    return FakeEmbedder("wanted", 320, WORDS)


@pytest.fixture(autouse=True)
def known(former: FakeEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the former one be opened by its name."""

    def opened(name: str, *_: object) -> FakeEmbedder:
        if name != former.name:
            raise RecallError(f"There is no embedder '{name}'.")
        return former

    monkeypatch.setattr(embedding_module, "open_embedder", opened)
    # Embedders are kept as long as the program runs, and each test has its own.
    monkeypatch.setattr(embedding_module, "_former", {})


def filled(profile: Profile, embedder: FakeEmbedder, count: int = 3 * BATCH) -> list[str]:
    """Store a fact about a dog, and `count` passages."""
    memory = Memory(profile, embedder)
    fact = memory.remember("My dog sleeps.")
    source = profile.sources.add("import", "filler")
    texts = [f"Page {n} of the almanac speaks of turnips." for n in range(count)]
    vectors = Embedding(profile, embedder).embed(texts)
    made = profile.passages.add(source.id, [NewPassage(text) for text in texts], vectors)
    return [fact.id, *(passage.id for passage in made)]


def meant(memory: Memory, query: str) -> list[str]:
    """Return what is found, by its meaning alone if no word of the query is stored."""
    return [hit.text for hit in memory.search(query, k=3) if hit.cosine > 0.25]


class Interrupted(Exception):
    """The test stops the work here."""


def half_done(memory: Memory, batches: int = 1) -> None:
    """Let so many batches be embedded anew."""

    def stop(done: int, _: int) -> None:
        if done >= batches * BATCH:
            raise Interrupted

    with pytest.raises(Interrupted):
        memory.reembedding.run(stop)


def test_the_former_one_searches_until_the_last_record_is_done(profile, former, wanted):
    ids = filled(profile, former)
    memory = Memory(profile, wanted)
    assert meant(memory, "hound") == ["The user's dog sleeps."]
    assert memory.recall.embedding.current() is former
    half_done(memory)
    assert memory.recall.embedding.current() is former
    assert meant(memory, "hound") == ["The user's dog sleeps."]
    state = memory.recall.embedding.state()
    assert (state.embedder, state.searched_by) == ("wanted", "former")
    assert (state.embedded, state.missing) == (BATCH, len(ids) - BATCH)

    steps: list[tuple[int, int]] = []
    assert memory.reembedding.run(lambda *step: steps.append(step)) == len(ids) - BATCH
    assert steps[-1] == (len(ids) - BATCH,) * 2
    assert memory.recall.embedding.current() is wanted
    assert meant(memory, "hound") == ["The user's dog sleeps."]
    assert memory.recall.embedding.state().missing == 0
    assert [one.name for one in profile.vectors.embedders()] == ["wanted"]
    kept, vectors = profile.vectors.all(wanted.sha256)
    assert kept == ids and vectors.shape == (len(ids), 320)
    assert memory.reembedding.run() == 0
    profile.check()


def test_nothing_of_the_former_vectors_is_left_in_the_file(profile, former, wanted):
    filled(profile, former)
    values = profile.vectors.all(former.sha256)[1]
    assert holds(profile, values)
    Memory(profile, wanted).reembedding.run()
    assert not holds(profile, values)
    assert holds(profile, profile.vectors.all(wanted.sha256)[1])


def holds(profile: Profile, vectors: np.ndarray) -> bool:
    """Whether any 16 bytes of any of the vectors stand in the decrypted pages."""
    content = decrypted(profile)
    return any(
        raw[at : at + 16] in content
        for raw in (vector.astype("<f2").tobytes() for vector in vectors)
        for at in range(0, len(raw) - 16, 16)
    )


def test_what_is_stored_meanwhile_is_found_by_its_meaning(profile, former, wanted):
    filled(profile, former)
    memory = Memory(profile, wanted)
    half_done(memory)
    memory.remember("My car is red.")
    assert "The user's car is red." in meant(memory, "automobile")
    memory.reembedding.run()
    assert "The user's car is red." in meant(memory, "automobile")
    memory.edit(memory.search("red")[0].id, text="My car is green.")
    assert "The user's car is green." in meant(memory, "automobile")


def test_forgetting_takes_the_vectors_of_all(profile, former, wanted):
    ids = filled(profile, former)
    memory = Memory(profile, wanted)
    half_done(memory)
    both = [profile.vectors.all(embedder.sha256)[1][0] for embedder in (former, wanted)]
    assert memory.preview_forget(ids[0]).vectors == 2
    assert all(holds(profile, vector[None]) for vector in both)
    memory.forget(ids[0])
    assert not any(holds(profile, vector[None]) for vector in both)
    memory.reembedding.run()
    assert profile.vectors.all(wanted.sha256)[0] == ids[1:]
    assert meant(memory, "hound") == []


def test_what_is_forgotten_or_reworded_while_it_is_embedded_gets_no_vector(profile, former, wanted):
    ids = filled(profile, former, 2)
    embed = wanted.embed

    def meanwhile(texts):
        vectors = embed(texts)
        if "The user's dog sleeps." in texts:
            profile.facts.edit(ids[0], text="The user has a cat.")
            profile.forget([ids[1]])
        return vectors

    wanted.embed = meanwhile
    Memory(profile, wanted).reembedding.run()
    kept, vectors = profile.vectors.all(wanted.sha256)
    assert kept == [ids[0], ids[2]]
    assert np.abs(vectors[0] - wanted.embed_queries(["The user has a cat."])[0]).max() < 1e-2


def test_without_the_former_one_words_find_what_is_not_embedded_yet(profile, former, wanted):
    filled(profile, former)
    former.is_broken = True
    memory = Memory(profile, wanted)
    assert memory.recall.embedding.current() is wanted
    assert memory.search("dog")[0].text == "The user's dog sleeps."
    assert meant(memory, "hound") == []
    half_done(memory)
    assert meant(memory, "hound") == ["The user's dog sleeps."]
    memory.remember("My car is red.")
    assert "The user's car is red." in meant(memory, "automobile")


def test_another_process_follows_the_switch(home, profile, former, wanted):
    filled(profile, former)
    with Profile.open(home) as other:
        elsewhere = Memory(other, wanted)
        assert meant(elsewhere, "hound")
        assert elsewhere.recall.embedding.current() is former
        Memory(profile, wanted).reembedding.run()
        assert elsewhere.recall.embedding.current() is wanted
        assert meant(elsewhere, "hound")
        elsewhere.remember("My car is red.")
        assert other.vectors.count_missing(wanted.sha256) == 0


def test_in_the_background_and_on_closing(home, profile, former, wanted):
    ids = filled(profile, former, 20 * BATCH)
    memory = Memory(profile, wanted)
    done = threading.Event()
    embed = wanted.embed

    def slowly(texts):
        if len(wanted.embedded) > 2 * BATCH:
            done.set()
        return embed(texts)

    wanted.embed = slowly
    memory.reembedding.start()
    assert done.wait(30)
    memory.close()
    with Profile.open(home) as again:
        left = again.vectors.count_missing(wanted.sha256)
        assert 0 < left <= len(ids) - 2 * BATCH
        memory = Memory(again, wanted)
        memory.reembedding.start()
        memory.reembedding.join()
        assert again.vectors.count_missing(wanted.sha256) == 0


WORKER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from fake_embedder import FakeEmbedder
from ondevice.home import Home
from ondevice.memory.embedding import Embedding
from ondevice.memory.reembedding import Reembedding
from ondevice.store.profile import Profile
wanted = FakeEmbedder("wanted", 320, [{"dog", "hound"}, {"car", "automobile"}])
profile = Profile.open(Home.below(Path(sys.argv[1])))
Reembedding(Embedding(profile, wanted)).run(lambda done, total: print(done, flush=True), rest=0.5)
print("all", flush=True)
"""


def test_killed_half_way_it_goes_on(home, profile, former, wanted, tmp_path):
    ids = filled(profile, former, 8 * BATCH)
    profile.close()
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(home.data.parent), str(SUPPORT)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with worker:
        assert worker.stdout is not None
        for line in worker.stdout:
            if int(line) >= 2 * BATCH:
                os.kill(worker.pid, signal.SIGKILL)
                break
    with Profile.open(home) as again:
        again.check()
        memory = Memory(again, wanted)
        left = again.vectors.count_missing(wanted.sha256)
        assert 0 < left < len(ids)
        assert meant(memory, "hound")
        backup_profile(again, tmp_path / "half.backup")
        memory.forget(ids[0])
        assert memory.reembedding.run() == left
        assert again.vectors.all(wanted.sha256)[0] == ids[1:]
    restore_backup(  # it forgets again what was forgotten
        home, tmp_path / "half.backup", replace=True, ask_passphrase=None
    )
    with Profile.open(home) as restored:
        memory = Memory(restored, wanted)
        assert memory.recall.embedding.current() is former
        assert restored.vectors.count_missing(wanted.sha256) == left
        memory.reembedding.run()
        assert restored.vectors.all(wanted.sha256)[0] == ids[1:]


def test_two_at_once_do_no_harm(home, profile, former, wanted):
    ids = filled(profile, former, 6 * BATCH)
    with Profile.open(home) as other:
        another = FakeEmbedder("wanted", 320, WORDS)
        works = [Memory(profile, wanted).reembedding, Memory(other, another).reembedding]
        for work in works:
            work.start()
        for work in works:
            work.join()
        assert profile.vectors.all(wanted.sha256)[0] == ids
        assert [one.name for one in profile.vectors.embedders()] == ["wanted"]
        other.check()


def test_a_killed_purge_is_ended(profile, former, wanted, monkeypatch):
    filled(profile, former)
    monkeypatch.setattr("ondevice.store.vectors.PURGED_AT_ONCE", 50)
    memory = Memory(profile, wanted)
    half_done(memory, 3)
    missing = profile.vectors.missing(wanted.sha256, 100)
    texts = [(record_id, text) for _, record_id, text in missing]
    profile.vectors.fill(texts, embedding_module.embedded(wanted, [text for _, text in texts]))
    assert profile.vectors._delete_some_others(wanted.sha256)  # and then it is killed
    assert memory.recall.embedding.current() is wanted
    assert memory.reembedding.run() == 0
    assert [one.name for one in profile.vectors.embedders()] == ["wanted"]


def test_nothing_to_do_changes_nothing(profile, wanted):
    before = profile.generation()
    assert Reembedding(Embedding(profile, wanted)).run() == 0
    filled(profile, wanted)
    assert Reembedding(Embedding(profile, wanted)).run() == 0
    assert profile.generation() == before
