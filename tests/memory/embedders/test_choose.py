"""Which embedder a name means, and what stands in for one that is not there."""

from __future__ import annotations

import pytest

from ondevice.errors import RecallError
from ondevice.home import Home
from ondevice.memory.embedders import e5_files
from ondevice.memory.embedders.choose import open_embedder, stand_in_notice
from ondevice.remedies import Remedy
from ondevice.settings import RecallSettings, Settings, settings_path


@pytest.fixture
def without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package with the weights is not installed."""
    monkeypatch.setattr(e5_files, "WEIGHTS_PACKAGE", "no-such-package-here")


def test_the_default_is_the_multilingual_one(home: Home) -> None:
    assert open_embedder(RecallSettings().embedder, home).name == "multilingual-e5-small"
    assert stand_in_notice(RecallSettings().embedder, home) is None


@pytest.mark.usefixtures("without_weights")
def test_the_english_one_stands_in_and_that_is_said_once(home: Home) -> None:
    told: list[str] = []
    for _ in range(2):
        assert open_embedder("multilingual", home, warn=told.append).name == "minilm"
    assert len(told) == 1
    notice = stand_in_notice("multilingual", home)
    assert notice == told[0]
    assert notice.steps == (Remedy.PULL_EMBEDDER(name="multilingual-e5-small"),)


@pytest.mark.usefixtures("without_weights")
def test_who_chose_the_english_one_is_told_nothing(home: Home) -> None:
    told: list[str] = []
    assert open_embedder("minilm", home, warn=told.append).name == "minilm"
    assert not told and stand_in_notice("minilm", home) is None


def test_a_name_that_means_nothing_says_what_would(home: Home) -> None:
    with pytest.raises(RecallError, match="multilingual, minilm, or a folder"):
        open_embedder("no-such-thing", home)


def test_the_similarity_of_earlier_versions_is_reported_and_costs_nothing(home: Home) -> None:
    path = settings_path(home)
    path.parent.mkdir(parents=True)
    path.write_text("[recall]\nmemories = 3\nmin_cosine = 0.4\n")
    told: list[str] = []
    assert Settings.load(path, told.append).recall.memories == 3
    assert len(told) == 1 and "line 3: 'recall.min_cosine' is not used any more" in told[0]
    assert Settings.load(path).recall.memories == 3
