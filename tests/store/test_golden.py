"""A profile of 0.1.0 is opened, embedded anew half way, killed, made to forget, and goes on."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import golden_profile
import numpy as np
import pytest
import sqlcipher3
from decrypted import decrypted
from fake_embedder import FakeEmbedder

from ondevice.home import Home
from ondevice.memory.embedders.minilm import SHA256, MiniLM
from ondevice.memory.service import Memory
from ondevice.store.access import keys
from ondevice.store.access.passphrase import Cost
from ondevice.store.exchange.archive import ArchiveWriter
from ondevice.store.exchange.transfer import import_profile, restore_backup
from ondevice.store.migrations import MIGRATIONS
from ondevice.store.profile import Profile
from ondevice.store.vectors import UNSTAMPED_SHA256

SECRET = "Quokkafesting"
SUPPORT = Path(__file__).parents[1] / "support"
QUICK = Cost(memory_kib=64, iterations=1, lanes=1)
RECORDS, VECTORS = 17, 15


@pytest.fixture
def golden(home: Home) -> Home:
    """A home with the profile of 0.1.0."""
    golden_profile.unpack(home)
    return home


def test_vectors_without_a_stamp_are_of_the_english_embedder(golden, embedder):
    assert UNSTAMPED_SHA256 == SHA256 == MiniLM().sha256
    assert UNSTAMPED_SHA256 in MIGRATIONS[4].sql
    with Profile.open(golden) as profile:
        (known,) = profile.vectors.embedders()
        assert (known.sha256, known.name, known.dimensions) == (SHA256, "minilm", 384)
        ids, values = profile.vectors.all(SHA256)
        assert len(ids) == known.vectors == VECTORS
        records = profile.records(ids)
        made = embedder.embed([records[one].text for one in ids])
        assert np.sum(made * values, axis=1).min() > 0.999
        assert profile.vectors.count_missing(SHA256) == 0
        assert profile.sources.count_records() == RECORDS
        profile.check()


def test_it_is_searched_as_before(golden, embedder):
    with Memory(Profile.open(golden), embedder) as memory:
        assert "accordions" in memory.search("who mends musical instruments?")[0].text
        assert memory.search("which tree has fruit?")[0].text.endswith("since the storm.")
        assert "cherry" in memory.search("cherry")[0].text
        assert memory.search("plum") == [] or "plum" not in memory.search("plum")[0].text


WORKER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from fake_embedder import FakeEmbedder
from ondevice.home import Home
from ondevice.memory import reembedding
from ondevice.memory.embedding import Embedding
from ondevice.store.profile import Profile
reembedding.BATCH = 1
profile = Profile.open(Home.below(Path(sys.argv[1])))
work = reembedding.Reembedding(Embedding(profile, FakeEmbedder("wanted", 96)))
work.run(lambda done, total: print(done, flush=True), rest=30.0)
"""


def half_embedded(home: Home) -> None:
    """Embed the profile with another embedder, and kill the process half way."""
    command = [sys.executable, "-c", WORKER, str(home.data.parent), str(SUPPORT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        for line in worker.stdout:
            if int(line) == VECTORS // 2:
                os.kill(worker.pid, signal.SIGKILL)
                break


def test_killed_half_way_it_forgets_and_goes_on(golden, embedder):
    half_embedded(golden)
    wanted = FakeEmbedder("wanted", 96)
    with Memory(Profile.open(golden), wanted) as memory:
        profile = memory.profile
        profile.check()
        state = memory.recall.embedding.state()
        assert (state.searched_by, state.embedded + state.missing) == ("minilm", VECTORS)
        assert 0 < state.embedded < VECTORS
        fact = next(one for one in profile.facts.all() if SECRET in one.text)
        vectors = [
            values[ids.index(fact.id)]
            for ids, values in map(profile.vectors.all, (SHA256, wanted.sha256))
        ]
        assert traces(profile, vectors) == ["text", "token", "vector 0", "vector 1"]
        memory.forget(fact.id)
        assert traces(profile, vectors) == []
        assert "accordions" in memory.search("who mends musical instruments?")[0].text
        assert memory.reembedding.run() == state.missing
        assert [one.name for one in profile.vectors.embedders()] == ["wanted"]
        assert traces(profile, vectors) == []
        profile.check()
    with Memory(Profile.open(golden), wanted) as memory:
        assert memory.recall.embedding.current() is wanted
        assert memory.recall.embedding.state().missing == 0
        assert traces(memory.profile, vectors) == []


def traces(profile: Profile, vectors: list[np.ndarray]) -> list[str]:
    """Return what of the secret stands in the decrypted pages."""
    content = decrypted(profile)
    found = ["text"] if SECRET.encode() in content else []
    found += ["token"] if b"okkafest" in content else []
    for number, vector in enumerate(vectors):
        raw = vector.astype("<f2").tobytes()
        if any(raw[at : at + 16] in content for at in range(0, len(raw) - 16, 16)):
            found.append(f"vector {number}")
    return found


def archive_of(home: Home, path: Path) -> None:
    """Write a backup as 0.1.0 did: with the database as it was."""
    data_key = keys.unlock(home, "default", ask_passphrase=None)
    wraps = keys.Wraps.read(keys.keys_path(home, "default"))
    wraps.wraps.append(keys.passphrase_wrap(data_key, wraps.profile_id, "word", QUICK))
    members = {
        "about.json": json.dumps({"name": "default", "created": 1.0}).encode(),
        "profile.db": (home.profile("default") / "profile.db").read_bytes(),
    }
    with path.open("wb") as file:
        writer = ArchiveWriter(file, wraps, data_key)
        with tarfile.open(fileobj=writer, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        writer.finish()


@pytest.mark.parametrize("how", ["import", "restore"])
def test_an_old_archive_is_read(golden, embedder, tmp_path, how):
    path = tmp_path / "old.ondevice"
    archive_of(golden, path)
    if how == "import":
        import_profile(golden, path, name="again", ask_passphrase=lambda: "word", cost=QUICK)
    else:
        restore_backup(golden, path, replace=True, ask_passphrase=lambda: "word")
    name = "again" if how == "import" else "default"
    with Profile.open(golden, name, ask_passphrase=lambda: "word") as profile:
        assert [one.name for one in profile.vectors.embedders()] == ["minilm"]
        assert len(profile.vectors.all(SHA256)[0]) == VECTORS
        profile.check()


def test_the_golden_database_is_of_the_schema_before(golden):
    connection = sqlcipher3.connect(str(golden.profile("default") / "profile.db"))
    key = keys.derive(keys.unlock(golden, "default", ask_passphrase=None), "database")
    for pragma in (
        f"key = \"x'{key.hex()}'\"", "cipher_page_size = 8192",
        "cipher_hmac_algorithm = HMAC_SHA256",
    ):  # fmt: skip
        connection.execute(f"PRAGMA {pragma}")
    assert connection.execute("SELECT max(number) FROM migration").fetchone() == (4,)
    connection.close()
