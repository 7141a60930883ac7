"""MiniLM against a naive computation, its checks, and what it leaves on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ondevice.errors import RecallError
from ondevice.memory.embedders import minilm as module
from ondevice.memory.embedders import runtime
from ondevice.memory.embedders.minilm import DIMENSIONS, MAX_TOKENS, MiniLM
from ondevice.remedies import Remedy

TEXTS = [
    "My dog is called Biscuit.",
    "",
    "Die Katze schläft auf dem Sofa und träumt von Fisch.",
    "tax " * 400,
    "short",
    "We walked along the river for an hour and then it began to rain.",
]


def test_embedding_is_the_normalised_mean_of_the_real_tokens(minilm: MiniLM) -> None:
    vectors = minilm.embed(TEXTS)
    session, tokenizer = minilm._load()  # the same model, asked without our batches
    for text, vector in zip(TEXTS, vectors, strict=True):
        ids = np.array([tokenizer.encode(text).ids])
        assert ids.shape[1] <= MAX_TOKENS
        feed = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }
        mean = session.run(["last_hidden_state"], feed)[0][0].mean(axis=0)
        naive = mean / np.linalg.norm(mean)
        assert float(vector @ naive) > 0.995


def test_embeddings_are_unit_vectors_that_put_like_with_like(minilm: MiniLM) -> None:
    vectors = minilm.embed(["My dog likes walks.", "The hound enjoys hiking.", "Tax law."])
    assert vectors.shape == (3, DIMENSIONS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


def test_no_texts_give_no_rows(minilm: MiniLM) -> None:
    assert minilm.embed([]).shape == (0, DIMENSIONS)


def test_tokens_are_counted_beyond_the_embedding_length(minilm: MiniLM) -> None:
    assert minilm.count_tokens("one two three") == 3
    assert minilm.count_tokens("word " * 1000) == 1000


def test_batches_hold_every_text_once_and_are_bounded() -> None:
    lengths = [7, 250, 3, 3, 90, 256, 12] * 40
    # How texts are put together shows in no result: it only saves time and memory.
    batches, most = runtime.batches(lengths), runtime.BATCH_TOKENS
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) * max(lengths[i] for i in batch) <= most


def test_another_file_in_the_models_place_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / module.MODEL_PACKAGE
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "model.onnx").write_bytes(b"not a model")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, module.MODEL_PACKAGE, raising=False)
    with pytest.raises(RecallError, match="not the embedding model"):
        MiniLM().embed(["x"])


def test_a_missing_model_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MODEL_PACKAGE", "no_such_package_here")
    with pytest.raises(RecallError, match="not installed") as caught:
        MiniLM().embed(["x"])
    assert caught.value.notice.steps == (Remedy.INSTALL_EXTRA(name="models"),)


def test_onnxruntime_writes_nothing_into_the_home_folder(tmp_path: Path) -> None:
    code = "from ondevice.memory.embedders.minilm import MiniLM; MiniLM().embed(['hello'])"
    environment = {
        **{k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"},
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "TMPDIR": str(tmp_path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)
    assert list(tmp_path.rglob("*")) == []


def test_importing_the_room_loads_nothing_heavy() -> None:
    code = (
        "import sys, ondevice.memory.embedders.choose, ondevice.memory.facts;"
        "import ondevice.memory.persona;"
        "assert not {'numpy', 'onnxruntime', 'tokenizers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
