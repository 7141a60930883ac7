"""`memory reindex`, and where it is said how far another embedder has come."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest
from fake_embedder import FakeEmbedder

from ondevice.cli import doctor
from ondevice.cli.output import embedding_line
from ondevice.memory.embedders.minilm import MiniLM
from ondevice.memory.embedding import Embedding, EmbeddingState
from ondevice.memory.service import Memory
from ondevice.store.profile import Profile
from ondevice.store.records import NewPassage


@pytest.fixture
def of_another(home):
    """A profile with one memory, embedded by an embedder that is not there any more."""
    with Profile.create(home) as profile, Memory(profile, FakeEmbedder("gone", 32)) as memory:
        memory.remember("My dog is called Biscuit.")


def test_it_is_done_at_once_and_told_before_and_after(ondevice, of_another):
    to_do = json.loads(ondevice("profile", "show", "--json")[1])["embedder"]
    assert (to_do["embedded"], to_do["missing"]) == (0, 1)
    assert to_do["searched_by"] == to_do["embedder"]
    assert "1 of 1 memory still to be embedded" in ondevice("profile", "show")[1]
    assert "still to be embedded" in doctor._memories()  # the check by itself
    code, _, err = ondevice("memory", "reindex")
    assert code == 0 and "Embedded now: 1 memory." in err
    assert "1 memory embedded, none to do" in ondevice("profile", "show")[1]
    assert json.loads(ondevice("memory", "reindex", "--json")[1])["embedded_now"] == 0


def test_doctor_says_so_without_a_profile_and_of_a_locked_one(home):
    assert doctor._memories() == "none yet"  # the check by itself
    Profile.create(home, passphrase="a word of mine").close()
    assert "is locked" in doctor._memories()  # the check by itself


@pytest.mark.parametrize(
    ("searched_by", "missing", "said"),
    [
        ("new", 0, "new; 9 memories embedded, none to do"),
        ("new", 2, "2 of 11 memories still to be embedded, found by their words alone"),
        ("old", 2, "2 of 11 memories still to be embedded, old searches until then"),
    ],
)
def test_the_sentence(searched_by, missing, said):
    assert said in embedding_line(EmbeddingState("new", searched_by, 9, missing))


SLOWLY = """
import sys, time
from ondevice.cli import main
from ondevice.memory import reembedding
from ondevice.memory.embedders.minilm import MiniLM
reembedding.BATCH = 4
embed = MiniLM.embed
def slowly(self, texts):
    time.sleep(0.2)
    return embed(self, texts)
MiniLM.embed = slowly
sys.argv = ["ondevice", "memory", "reindex"]
main()
"""


def test_ctrl_c_keeps_what_is_done(ondevice, home):
    ondevice("config", "set", "recall.embedder", "minilm")
    with Profile.create(home) as profile:
        texts = [f"Page {number}." for number in range(40)]
        vectors = Embedding(profile, FakeEmbedder("gone", 32)).embed(texts)
        source = profile.sources.add("import", "almanac")
        profile.passages.add(source.id, [NewPassage(text) for text in texts], vectors)
        stamp = MiniLM().sha256
        with subprocess.Popen(
            [sys.executable, "-c", SLOWLY], stderr=subprocess.PIPE, text=True
        ) as command:
            while profile.vectors.count_missing(stamp) == len(texts):
                assert command.poll() is None
                time.sleep(0.05)
            command.send_signal(signal.SIGINT)
            _, said = command.communicate(timeout=60)
        assert command.returncode == 130
        assert "still to be embedded" in said and "What is done is kept" in said
        left = profile.vectors.count_missing(stamp)
        assert 0 < left < len(texts)
    code, _, err = ondevice("memory", "reindex")
    assert code == 0 and f"Embedded now: {left} memories." in err
