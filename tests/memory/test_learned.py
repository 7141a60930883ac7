"""What small classifiers learned is kept, and used only where it fits."""

from pathlib import Path

import numpy as np

from ondevice.memory.learned import Arrays, learned

EMBEDDER = "e" * 64


class Learner:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> Arrays:
        self.times += 1
        return {"weights": np.full((2, 2), self.times)}


def test_it_is_learned_once(tmp_path: Path) -> None:
    learner = Learner()
    for _ in range(3):
        found = learned("test", 1, EMBEDDER, tmp_path, learner)
        np.testing.assert_array_equal(found["weights"], np.ones((2, 2)))
    assert learner.times == 1


def test_another_embedder_or_version_is_learned_for_itself(tmp_path: Path) -> None:
    learner = Learner()
    learned("test", 1, EMBEDDER, tmp_path, learner)
    learned("test", 1, "f" * 64, tmp_path, learner)
    learned("test", 2, EMBEDDER, tmp_path, learner)
    assert learner.times == 3


def test_what_is_damaged_or_anothers_is_learned_anew(tmp_path: Path) -> None:
    learner = Learner()
    learned("test", 1, EMBEDDER, tmp_path, learner)
    (file,) = (tmp_path / "learned").iterdir()
    whole = file.read_bytes()
    for content in (b"", b"PK", whole[:-30]):
        file.write_bytes(content)
        assert "weights" in learned("test", 1, EMBEDDER, tmp_path, learner)
    file.rename(file.with_name(file.name.replace("eee", "fff", 1)))
    learned("test", 1, EMBEDDER, tmp_path, learner)
    assert learner.times == 5


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "learned").write_text("a file stands in the way")
    learner = Learner()
    for _ in range(2):
        assert "weights" in learned("test", 1, EMBEDDER, tmp_path, learner)
    assert learner.times == 2
