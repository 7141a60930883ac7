"""Telling statements from other sentences, by the shipped weights and by those made anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fake_embedder import FakeEmbedder

from ondevice.home import Home
from ondevice.memory.embedders.protocol import Embedder
from ondevice.memory.forming import classifier as module
from ondevice.memory.forming.classifier import (
    LazyClassifier,
    read_weights,
    shipped_path,
    weights_file,
)

STATEMENTS = [
    "I can't eat gluten, diagnosed as a child",
    "Ich wohne seit zehn Jahren in Leipzig",
    "trabajo de enfermera en el turno de noche",
    "ma fille s'appelle Inès et elle a six ans",
    "sono allergico alle noci, niente noci nei dolci",
]
OTHERS = [
    "what is the capital of Peru?",
    "Übersetze den Text ins Englische",
    "El Ebro es el río más caudaloso de España",
    "si j'étais riche, j'achèterais une île",
    "Il Colosseo fu inaugurato nell'anno 80",
    "Mount Everest is 8,849 metres high.",
]


def test_weights_are_shipped_for_the_embedders_of_the_project(
    minilm: Embedder, multilingual: Embedder, tmp_path: Path
) -> None:
    for embedder in (minilm, multilingual):
        assert read_weights(shipped_path(embedder.sha256).read_bytes(), embedder.sha256)


def test_statements_are_told_from_other_sentences(multilingual: Embedder, home: Home) -> None:
    classifier = LazyClassifier(multilingual, home).get()
    judged = classifier.judge(STATEMENTS, multilingual.embed(STATEMENTS))
    assert [one.told >= classifier.unsure for one in judged] == [True] * len(STATEMENTS)
    assert judged[0].category == "health" and judged[0].about == "me"
    judged = classifier.judge(OTHERS, multilingual.embed(OTHERS))
    assert not [one for one in judged if one.told >= classifier.unsure]
    assert not (home.cache / "forming").exists()  # shipped ones need no place


def test_for_another_embedder_they_are_made_once(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    embedder = FakeEmbedder("another", 16)
    made = LazyClassifier(embedder, home).get()
    texts = len(embedder.embedded)
    assert texts > 1000
    again = LazyClassifier(embedder, home).get()
    assert len(embedder.embedded) == texts
    vectors = np.ones((2, 16), np.float32)
    assert made.judge(["I am", "?"], vectors) == again.judge(["I am", "?"], vectors)
    cached = next((home.cache / "forming").iterdir())
    cached.write_bytes(cached.read_bytes()[:100])  # damaged: made anew
    assert LazyClassifier(embedder, home).get().sure == made.sure
    assert len(embedder.embedded) == 2 * texts


def test_weights_of_another_embedder_or_version_are_of_no_use(
    monkeypatch: pytest.MonkeyPatch, minilm: Embedder
) -> None:
    content = shipped_path(minilm.sha256).read_bytes()
    weights = read_weights(content, minilm.sha256)
    assert weights is not None and weights_file(weights) == content
    assert read_weights(content, "0" * 64) is None
    monkeypatch.setattr(module, "VERSION", 99)
    assert read_weights(content, minilm.sha256) is None
    assert read_weights(b"", minilm.sha256) is None


def test_nothing_is_judged_without_sentences(minilm: Embedder, home: Home) -> None:
    assert LazyClassifier(minilm, home).get().judge([], np.zeros((0, 384))) == []
