"""An embedder of one's own: MiniLM's files in a folder, and folders that cannot be used."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ondevice.errors import RecallError, SettingsError
from ondevice.home import Home
from ondevice.memory.embedders import minilm as minilm_module
from ondevice.memory.embedders.choose import open_embedder
from ondevice.memory.embedders.folder import FolderEmbedder
from ondevice.memory.embedders.minilm import MiniLM
from ondevice.settings_file import set_value

SAID = """pooling = "mean"
query_prefix = ""
passage_prefix = ""
max_tokens = 256
dimensions = 384

[calibration]
unrelated = 0.0
same = 0.95
"""
TEXTS = ["My dog is called Biscuit.", "", "Die Katze schläft auf dem Sofa.", "tax " * 400]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that is MiniLM."""
    made = tmp_path / "mine"
    made.mkdir()
    model = minilm_module._model_file()  # where the package is, which only it knows
    (made / "model.onnx").symlink_to(model)
    data = Path(minilm_module.__file__).parents[1] / "data"
    shutil.copy(data / "tokenizer.json", made / "tokenizer.json")
    (made / "embedder.toml").write_text(SAID)
    return made


def test_a_folder_embeds_as_the_model_in_it(folder: Path, home: Home, minilm: MiniLM) -> None:
    mine = open_embedder(str(folder), home)
    assert (mine.name, mine.dimensions) == ("mine", 384)
    np.testing.assert_allclose(mine.embed(TEXTS), minilm.embed(TEXTS), atol=1e-5)
    assert mine.embed([]).shape == (0, 384)
    assert mine.count_tokens("word " * 1000) == 1000


def test_questions_and_passages_have_prefixes_of_their_own(
    folder: Path, home: Home, minilm: MiniLM
) -> None:
    said = SAID.replace('query_prefix = ""', 'query_prefix = "search for "')
    (folder / "embedder.toml").write_text(said)
    mine = open_embedder(str(folder), home)
    asked = mine.embed_queries(["my dog"])
    np.testing.assert_allclose(asked, minilm.embed(["search for my dog"]), atol=1e-5)
    np.testing.assert_allclose(mine.embed(["my dog"]), minilm.embed(["my dog"]), atol=1e-5)


def test_whatever_decides_a_vector_makes_another_embedder(folder: Path, home: Home) -> None:
    def stamp(said: str) -> str:
        (folder / "embedder.toml").write_text(said)
        return open_embedder(str(folder), home).sha256

    first = stamp(SAID)
    assert stamp(SAID.replace("unrelated = 0.0", "unrelated = 0.1")) == first  # no vector changes
    others = {
        stamp(SAID.replace('"mean"', '"first"')),
        stamp(SAID.replace('query_prefix = ""', 'query_prefix = "q "')),
        stamp(SAID.replace('passage_prefix = ""', 'passage_prefix = "q "')),
        stamp(SAID.replace("256", "255")),
    }
    assert len({first, *others}) == 5
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_bytes(tokenizer.read_bytes() + b"\n")
    assert stamp(SAID) != first


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("pooling", "poling"), "'poling' means nothing; did you mean 'pooling'"),
        (('"mean"', '"max"'), "there is no 'pooling' 'max'; use one of mean, first, last, model"),
        (('"mean"', "3"), "'pooling' is no text"),
        (("max_tokens = 256\n", ""), "does not say 'max_tokens'"),
        (("256", "1"), "'max_tokens' cannot be used; give a whole number from 8"),
        (("256", "12.5"), "'max_tokens' cannot be used; give a whole number"),
        (("384", "true"), "'dimensions' cannot be used; give a whole number"),
        (("same = 0.95", "same = nan"), "'calibration.same' cannot be used; give a number"),
        (("same = 0.95", "same = -0.5"), "is not greater than"),
        (("same = 0.95\n", ""), "does not say 'calibration.same'"),
        (("[calibration]", "[calibrations]"), "'calibrations' means nothing"),
        (("pooling = ", "pooling "), "is not TOML"),
        ((SAID, ""), "no table|does not say"),
    ],
)
def test_what_the_folder_says_of_itself_is_checked(
    folder: Path, home: Home, change: tuple[str, str], told: str
) -> None:
    (folder / "embedder.toml").write_text(SAID.replace(*change))
    with pytest.raises(RecallError, match=told) as caught:
        FolderEmbedder(folder, home)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "embedder.toml"])
def test_a_file_that_is_missing_is_named(folder: Path, home: Home, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(RecallError, match=f"has no {name}"):
        FolderEmbedder(folder, home)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_file_that_is_something_else_is_named(folder: Path, home: Home, name: str) -> None:
    (folder / name).unlink()
    (folder / name).write_bytes(b"something else")
    with pytest.raises(RecallError, match=name):
        FolderEmbedder(folder, home).embed(["x"])


def test_a_model_of_other_dimensions_is_refused(folder: Path, home: Home) -> None:
    (folder / "embedder.toml").write_text(SAID.replace("384", "256"))
    with pytest.raises(RecallError, match="vectors of 384 values, not 256"):
        FolderEmbedder(folder, home).embed(["x"])


def test_a_model_that_pools_itself_must_do_so(folder: Path, home: Home) -> None:
    (folder / "embedder.toml").write_text(SAID.replace('"mean"', '"model"'))
    with pytest.raises(RecallError, match=r"model\.onnx"):
        FolderEmbedder(folder, home).embed(["x"])


def test_the_setting_takes_names_and_whole_paths_of_good_folders(
    folder: Path, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert set_value(home, "recall.embedder", "mine").value == str(folder)
    assert set_value(home, "recall.embedder", "minilm").value == "minilm"
    for wrong in ("nothing", "", "a\0b"):
        with pytest.raises(SettingsError, match=r"recall\.embedder"):
            set_value(home, "recall.embedder", wrong)
    (folder / "embedder.toml").write_text("")
    with pytest.raises(SettingsError, match="does not say"):
        set_value(home, "recall.embedder", "mine")
