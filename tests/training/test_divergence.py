"""Anchors: the divergence and its gradients against float64, and what they do to a training."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_models import write_tiny_llama
from training_reference import Reference, relative_error

from ondevice.models.gguf_header import read_header
from ondevice.training.data import Document, pack
from ondevice.training.decoder import Decoder
from ondevice.training.lora import AdapterParameters, frozen_pairs
from ondevice.training.recipe import Recipe
from ondevice.training.trainer import Trainer
from ondevice.training.weights import Weights

from .test_decoder import documents, random_pairs

pytestmark = pytest.mark.usefixtures("one_thread")


def log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = logits - logits.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


@pytest.mark.parametrize("arch_options", [{"tied": False}, {"kinds": ("Q8_0", "F16")}])
def test_divergence_and_gradients_match_the_float64_reference(
    tmp_path: Path, arch_options: dict[str, object]
) -> None:
    path = write_tiny_llama(tmp_path / "tiny.gguf", **arch_options)  # type: ignore[arg-type]
    weights = Weights(read_header(path))
    below, trained = random_pairs(weights, 1, False), random_pairs(weights, 2, True)
    docs = [d for d in documents() if d.n_supervised]
    together = pack(docs)
    hidden = Decoder(weights, [below], precision="f32").hidden(together)[together.rows]
    decoder = Decoder(weights, [below, trained], precision="f32")
    got = decoder.divergences_and_gradients(together, np.ascontiguousarray(hidden), 0.25)

    frozen, both = Reference(str(path)), Reference(str(path))
    variables = {}
    for name, pair in below.items():
        for reference in (frozen, both):
            reference.add(name, pair.a, pair.b, pair.scale)
    for name, pair in trained.items():
        variables[name] = both.add(name, pair.a, pair.b, pair.scale)
    expected = []
    for document in docs:
        rows = np.flatnonzero(document.supervised) - 1
        tokens = document.tokens.tolist()
        log_p = log_softmax(frozen.logits(tokens).value)[rows]
        logits = both.logits(tokens)
        log_q = log_softmax(logits.value)[rows]
        expected.append((np.exp(log_p) * (log_p - log_q)).sum(1))
        slope = np.zeros_like(logits.value)  # d KL / d logits = q - p
        slope[rows] = np.exp(log_q) - np.exp(log_p)
        (logits * type(logits)(slope)).sum().backward()
    wanted = np.concatenate(expected)
    assert wanted.min() > 0 and wanted.mean() > 1e-3  # the adapters do differ
    assert relative_error(got, wanted) < 1e-4
    assert np.array_equal(decoder.divergences(together, np.ascontiguousarray(hidden)), got)
    for name, (a, b) in variables.items():
        assert relative_error(trained[name].da, 0.25 * a.grad) < 1e-4, name
        assert relative_error(trained[name].db, 0.25 * b.grad) < 1e-4, name


def counting(n: int, step: int, *, anchor: bool = False) -> list[Document]:
    made = []
    for i in range(n):
        supervised = np.ones(24, np.bool_)
        supervised[0] = False
        tokens = ((11 * i + step * np.arange(24)) % 97).astype(np.int32)
        made.append(Document(tokens, supervised, f"{step}, {i}", anchor=anchor))
    return made


def drift(weights: Weights, content: bytes, docs: list[Document]) -> float:
    from ondevice.adapters.gguf_lora import read_adapter

    together = pack(docs)
    hidden = Decoder(weights, precision="f32").hidden(together)[together.rows]
    pairs = frozen_pairs(read_adapter(content, weights.header), 1.0)
    adapted = Decoder(weights, [pairs], precision="f32")
    return float(adapted.divergences(together, np.ascontiguousarray(hidden)).mean())


def test_anchors_are_kept_and_the_rest_is_learned(tmp_path: Path) -> None:
    """Beside anchors a training learns as well, and other text of their kind drifts far less."""
    weights = Weights(read_header(write_tiny_llama(tmp_path / "tiny.gguf", tied=False)))
    recipe = Recipe(
        rank=4, learning_rate=0.01, epochs=8.0, tokens_per_step=96, held_out=0.0, dtype="F32"
    )
    others = counting(30, 31, anchor=True)
    drifts, losses = [], []
    for anchors in ([], others[:20]):
        docs = counting(20, 3) + anchors
        result = Trainer(weights, docs, recipe, base_sha256="0" * 64).run()
        assert result.content is not None
        drifts.append(drift(weights, result.content, others[20:]))
        losses.append(result.losses)
    assert losses[1][-1] < 0.6 * losses[1][0]
    assert drifts[1] < 0.5 * drifts[0]


def test_an_anchor_alone_has_nothing_to_learn(tmp_path: Path) -> None:
    """B begins at zero, so nothing has drifted, and nothing moves."""
    weights = Weights(read_header(write_tiny_llama(tmp_path / "tiny.gguf")))
    recipe = Recipe(rank=2, max_steps=2, tokens_per_step=64, held_out=0.0)
    trainer = Trainer(weights, counting(4, 5, anchor=True), recipe, base_sha256="0" * 64)
    before = {n: p.b.copy() for n, p in trainer.parameters.pairs.items()}
    result = trainer.run()
    assert result.losses == pytest.approx((0.0, 0.0), abs=1e-6)
    assert all(np.allclose(before[n], p.b, atol=1e-4) for n, p in trainer.parameters.pairs.items())


def test_an_anchor_is_another_training(tmp_path: Path) -> None:
    weights = Weights(read_header(write_tiny_llama(tmp_path / "tiny.gguf")))
    recipe = Recipe(rank=2, max_steps=1, tokens_per_step=64, held_out=0.0)
    plain = counting(4, 5)
    held = [dataclasses.replace(one, anchor=True) for one in plain]
    made = [Trainer(weights, docs, recipe, base_sha256="0" * 64) for docs in (plain, held)]
    assert made[0]._identity != made[1]._identity  # by which a checkpoint is known again
    assert isinstance(made[0].parameters, AdapterParameters)
