"""The decoder against a float64 reference with automatic derivatives, and against llama.cpp."""

from __future__ import annotations

from pathlib import Path

import llama_cpp
import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_models import write_tiny_llama
from training_reference import Reference, relative_error

from ondevice.errors import TrainingError
from ondevice.models.gguf_header import read_header
from ondevice.training.data import Document, Pack, pack
from ondevice.training.decoder import Decoder
from ondevice.training.family_table import LINEAR_LAYERS
from ondevice.training.lora import Pair
from ondevice.training.weights import Weights

pytestmark = pytest.mark.usefixtures("one_thread")

VARIANTS: dict[str, dict[str, object]] = {
    "tied": {},
    "untied": {"tied": False},
    "rope factors": {"rope_factors": True},
    "linear scaling": {"linear_scaling": 4.0},
    "one group": {"kv_heads": 1, "layers": 1},
    "quantized": {"kinds": ("Q8_0", "Q4_1", "Q5_0", "F16"), "tied": False},
    "rare types": {"kinds": ("TQ2_0", "TQ1_0", "F16"), "width": 256, "ff": 256, "gain": 0.7},
}


def documents(vocab: int = 97, lengths: tuple[int, ...] = (13, 1, 22, 7)) -> list[Document]:
    random = np.random.default_rng(5)
    made = []
    for length in lengths:
        supervised = random.random(length) < 0.6
        supervised[0] = False
        tokens = random.integers(0, vocab, length).astype(np.int32)
        made.append(Document(tokens, supervised, "made"))
    return made


def random_pairs(
    weights: Weights, seed: int, trained: bool, layers: tuple[str, ...] = LINEAR_LAYERS,
    first: int = 0,
) -> dict[str, Pair]:  # fmt: skip
    random = np.random.default_rng(seed)
    pairs = {}
    for index in range(first, weights.architecture.n_layers):
        for layer in layers:
            n_in, n_out = weights.architecture.linear_shape(layer)
            a = (random.standard_normal((3, n_in)) * 0.1).astype(np.float32)
            b = (random.standard_normal((n_out, 3)) * 0.1).astype(np.float32)  # B = 0 makes dA 0
            gradients = (np.zeros_like(a), np.zeros_like(b)) if trained else (None, None)
            pairs[f"blk.{index}.{layer}.weight"] = Pair(a, b, 1.7, *gradients)
    return pairs


def reference_gradients(
    path: Path, docs: list[Document], stack: list[dict[str, Pair]], weight: float
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    reference = Reference(str(path))
    variables = {}
    for adapter in stack:
        for name, pair in adapter.items():
            a, b = reference.add(name, pair.a, pair.b, pair.scale)
            variables[f"{name}.lora_a"], variables[f"{name}.lora_b"] = a, b
    losses = []
    for document in docs:
        if document.n_supervised:
            loss = reference.losses(document.tokens.tolist(), document.supervised.tolist())
            losses.append(loss.value)
            loss.sum().backward()  # adds to what earlier documents left in the pairs
    gradients = {name: weight * variable.grad for name, variable in variables.items()}
    return np.concatenate(losses), gradients


def check(
    path: Path, stack_seeds: list[tuple[int, bool]], tolerance: float, **options: object
) -> None:
    weights = Weights(read_header(path))
    layers = options.pop("layers", LINEAR_LAYERS)
    first = options.pop("first", 0)
    stack = [
        random_pairs(weights, seed, trained, layers, first)  # type: ignore[arg-type]
        for seed, trained in stack_seeds
    ]
    decoder = Decoder(weights, stack, **options)  # type: ignore[arg-type]
    docs = documents()
    together = pack(docs)
    for pair in stack[-1].values():
        assert pair.da is not None and pair.db is not None
        pair.da.fill(0.0)
        pair.db.fill(0.0)
    losses = decoder.losses_and_gradients(together, 0.25)
    expected, gradients = reference_gradients(path, docs, stack, 0.25)
    assert relative_error(losses, expected) < tolerance
    for name, pair in stack[-1].items():
        assert relative_error(pair.da, gradients[f"{name}.lora_a"]) < tolerance, name
        assert relative_error(pair.db, gradients[f"{name}.lora_b"]) < tolerance, name
    assert np.array_equal(decoder.losses(together), losses)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_gradient_matches_the_float64_reference(tmp_path: Path, variant: str) -> None:
    path = write_tiny_llama(tmp_path / "tiny.gguf", **VARIANTS[variant])  # type: ignore[arg-type]
    check(path, [(1, True)], 1e-5, precision="f32")


def test_gradients_are_slopes(tmp_path: Path) -> None:
    """Central differences along a random direction over all parameters together."""
    weights = Weights(read_header(write_tiny_llama(tmp_path / "tiny.gguf", tied=False, gain=0.7)))
    pairs = random_pairs(weights, 1, True)
    decoder = Decoder(weights, [pairs], precision="f32")
    together = pack(documents())
    decoder.losses_and_gradients(together, 1.0)
    random = np.random.default_rng(9)
    slope, moves = 0.0, []
    for pair in pairs.values():
        for values, gradient in ((pair.a, pair.da), (pair.b, pair.db)):
            direction = random.standard_normal(values.shape).astype(np.float32)
            slope += float((direction * gradient).sum(dtype=np.float64))
            moves.append((values, values.copy(), direction))

    def loss_at(distance: float) -> float:
        for values, start, direction in moves:
            values[...] = start + np.float32(distance) * direction
        return float(decoder.losses(together).sum(dtype=np.float64))

    h = 2e-4
    assert (loss_at(h) - loss_at(-h)) / (2 * h) == pytest.approx(slope, rel=5e-3)


def test_gradients_in_bfloat16(tmp_path: Path) -> None:
    """Of each tensor over several models: one alone has few values, and luck with rounding."""
    errors: dict[str, list[float]] = {}
    for seed in range(4):
        # Moderate logits: random models with large ones amplify every rounding.
        path = write_tiny_llama(tmp_path / f"{seed}.gguf", tied=False, gain=0.5, seed=seed)
        weights, docs = Weights(read_header(path)), documents()
        pairs = random_pairs(weights, 1, True)
        Decoder(weights, [pairs]).losses_and_gradients(pack(docs), 0.25)
        _, gradients = reference_gradients(path, docs, [pairs], 0.25)
        for name, pair in pairs.items():
            for half, got in (("lora_a", pair.da), ("lora_b", pair.db)):
                error = relative_error(got, gradients[f"{name}.{half}"])
                errors.setdefault(f"{name}.{half}", []).append(error)
    for name, values in errors.items():
        assert np.sqrt(np.mean(np.square(values))) < 1e-2, (name, values)


def test_stacked_frozen_adapter(tmp_path: Path) -> None:
    path = write_tiny_llama(tmp_path / "tiny.gguf")
    check(path, [(1, False), (2, True)], 1e-5, precision="f32")


def test_pairs_that_would_be_ignored_are_refused(tmp_path: Path) -> None:
    weights = Weights(read_header(write_tiny_llama(tmp_path / "tiny.gguf", tied=False)))
    pair = Pair(np.zeros((1, 64), np.float32), np.zeros((97, 1), np.float32), 1.0)
    with pytest.raises(TrainingError, match=r"an adapter of 'output.weight'"):
        Decoder(weights, [{"output.weight": pair}])


@pytest.mark.parametrize("recompute", [1, 2, 3])
def test_recomputing_changes_nothing(tmp_path: Path, recompute: int) -> None:
    path = write_tiny_llama(tmp_path / "tiny.gguf", layers=3)
    weights = Weights(read_header(path))
    together = pack(documents())
    results = []
    for n in (0, recompute):
        pairs = random_pairs(weights, 1, True)
        losses = Decoder(weights, [pairs], recompute=n).losses_and_gradients(together, 1.0)
        results.append([losses, *(g for p in pairs.values() for g in (p.da, p.db))])
    for plain, again in zip(*results, strict=True):
        assert np.array_equal(plain, again)


@pytest.mark.parametrize(
    "layers", [("attn_q", "attn_v"), ("attn_output",), ("ffn_gate",), ("ffn_down",)]
)
@pytest.mark.parametrize("first", [0, 1])
def test_partial_adapters(tmp_path: Path, layers: tuple[str, ...], first: int) -> None:
    path = write_tiny_llama(tmp_path / "tiny.gguf", layers=2)
    check(path, [(3, True)], 1e-5, layers=layers, first=first, precision="f32")


def test_documents_in_a_pack_do_not_see_each_other(tmp_path: Path) -> None:
    weights = Weights(read_header(write_tiny_llama(tmp_path / "tiny.gguf")))
    decoder = Decoder(weights, precision="f32")
    docs = [d for d in documents() if d.n_supervised]
    together = decoder.losses(pack(docs)).copy()
    alone = np.concatenate([decoder.losses(pack([d])).copy() for d in docs])
    assert np.allclose(together, alone, rtol=1e-5, atol=1e-5)


def all_rows(tokens: NDArray[np.int32]) -> Pack:
    supervised = np.ones(len(tokens), np.bool_)
    supervised[0] = False
    return pack([Document(tokens, supervised, "all")])


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("n_tokens", [1, 2, 33])
def test_logits_are_llama_cpps(tmp_path: Path, variant: str, n_tokens: int) -> None:
    path = write_tiny_llama(tmp_path / "tiny.gguf", **VARIANTS[variant])  # type: ignore[arg-type]
    tokens = np.random.default_rng(2).integers(0, 97, n_tokens).astype(np.int32)
    llama = llama_cpp.Llama(
        str(path), n_ctx=64, n_threads=2, verbose=False, logits_all=True, flash_attn=False
    )
    llama.eval(tokens.tolist())
    theirs = np.array(llama.scores[:n_tokens], np.float64)
    llama.close()
    decoder = Decoder(Weights(read_header(path)), precision="f32")
    hidden = decoder.hidden(all_rows(tokens)).astype(np.float64)
    head = Reference(str(path)).tensors[decoder.architecture.head_tensor]
    ours = hidden @ head.T
    # llama.cpp keeps keys and values in F16, and quantizes activations to meet quantized weights.
    tolerance = 0.03 if variant in ("quantized", "rare types") else 2e-3
    assert relative_error(ours, theirs) < tolerance
