"""Every family of models: against llama.cpp, against exact derivatives, and refusals by name."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_reference import llama, logits_of, token_losses
from tiny_models import write_tiny
from training_reference import Reference, relative_error

from ondevice.adapters.gguf_lora import read_adapter
from ondevice.errors import TrainingError
from ondevice.models.gguf_header import GgufHeader, read_header
from ondevice.training.data import Document, pack
from ondevice.training.decoder import Decoder
from ondevice.training.family_table import FAMILIES
from ondevice.training.lora import AdapterParameters, Pair, frozen_pairs
from ondevice.training.recipe import Recipe
from ondevice.training.trainer import Trainer
from ondevice.training.weights import Weights

pytestmark = pytest.mark.usefixtures("one_thread")

N_CTX = 128
QKV = ("attn_q", "attn_k", "attn_v")
VARIANTS: dict[str, dict[str, Any]] = {
    "llama with biases": {"biases": (*QKV, "attn_output", "ffn_gate", "ffn_up", "ffn_down")},
    "llama with one qkv": {"fused_qkv": True, "biases": ("attn_qkv",)},
    "llama with yarn": {
        "extra": {
            "llama.rope.scaling.type": "yarn",
            "llama.rope.scaling.factor": 4.0,
            "llama.rope.scaling.original_context_length": 64,
        },
    },
    "qwen2": {"biases": QKV},
    "qwen2 untied": {"biases": QKV, "tied": False, "kv_heads": 1},
    "qwen2 with yarn": {
        "biases": QKV,
        "extra": {
            "qwen2.rope.scaling.type": "yarn",
            "qwen2.rope.scaling.factor": 4.0,
            "qwen2.rope.scaling.original_context_length": 64,
        },
    },
    "qwen3": {"head_dim": 32},
    "qwen3 with one qkv": {"head_dim": 32, "fused_qkv": True},
    "gemma3": {"layers": 7, "head_dim": 32, "width": 48, "kv_heads": 1, "gain": 0.7},
    "gemma3 with a pattern": {
        "layers": 4,
        "head_dim": 16,
        "extra": {
            "gemma3.attention.sliding_window_pattern": 2,
            "gemma3.rope.freq_base_swa": 500.0,
        },
    },
    "gemma3 with a list": {
        "layers": 3,
        "head_dim": 16,
        "extra": {"gemma3.attention.sliding_window_pattern": [True, False, True]},
    },
    "gemma3 without windows": {
        "extra": {"gemma3.attention.sliding_window": 0, "gemma3.rope.scaling.type": "none"}
    },
    "phi3": {"fused_qkv": True},
    "phi3 apart": {"tied": False},
    "phi3 short": {
        "fused_qkv": True,
        "long_and_short": True,
        "rope_dims": 12,
        "extra": {
            "phi3.rope.scaling.original_context_length": 256,
            "phi3.rope.scaling.attn_factor": 1.19,
        },
    },
    "phi3 long": {
        "fused_qkv": True,
        "long_and_short": True,
        "extra": {
            "phi3.rope.scaling.original_context_length": 255,
            "phi3.rope.scaling.attn_factor": 1.19,
        },
    },
    "granite": {"kv_heads": 4},
    "granite without positions": {"extra": {"granite.rope.scaling.finetuned": False}},
    "smollm3": {"layers": 5},
    "one value for each block": {
        "architecture": "qwen3",
        "head_dim": 16,
        "extra": {
            "qwen3.attention.head_count": [4, 4],
            "qwen3.attention.head_count_kv": [2, 2],
            "qwen3.feed_forward_length": [96, 96],
        },
    },
}
LARGE: dict[str, Any] = {"width": 256, "ff": 512, "heads": 4, "vocab": 97, "gain": 0.8}


def write(path: Path, variant: str, **options: Any) -> Path:
    merged = {**VARIANTS[variant], **options}
    architecture = merged.pop("architecture", variant.split()[0])
    return write_tiny(path, architecture, **merged)


def tokens_of(n: int, seed: int = 2) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 97, n).astype(np.int32)


def whole(tokens: np.ndarray[Any, Any]) -> Document:
    supervised = np.ones(len(tokens), np.bool_)
    supervised[0] = False
    return Document(tokens, supervised, "whole")


def our_logits(path: Path, tokens: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    decoder = Decoder(Weights(read_header(path), N_CTX), precision="f32")
    hidden = decoder.hidden(pack([whole(tokens)])).astype(np.float64)
    tensors = Reference(str(path)).tensors
    return hidden @ tensors[decoder.architecture.head_tensor].T


def random_pairs(weights: Weights, seed: int = 1) -> dict[str, Pair]:
    """Pairs for every linear tensor; B is not zero, because then A would have no gradient."""
    recipe = Recipe(rank=3, seed=seed)
    pairs = AdapterParameters.initial(weights.architecture, recipe).pairs
    random = np.random.default_rng(seed)
    for pair in pairs.values():
        pair.a[...] = random.standard_normal(pair.a.shape) * 0.1
        pair.b[...] = random.standard_normal(pair.b.shape) * 0.1
        pair.scale = 1.7
    return pairs


def test_every_family_is_tested() -> None:
    tested = {VARIANTS[v].get("architecture", v.split()[0]) for v in VARIANTS}
    assert tested == set(FAMILIES)


@pytest.mark.parametrize("variant", VARIANTS)
def test_logits_are_llama_cpps(tmp_path: Path, variant: str) -> None:
    path = write(tmp_path / "tiny.gguf", variant)
    tokens = tokens_of(40)
    with llama(path, n_ctx=N_CTX, exact_cache=True) as model:
        theirs = logits_of(model, tokens.tolist())
    # llama.cpp looks GELU up in a table of 16-bit floats.
    tolerance = 2e-3 if "gemma" in variant else 2e-5
    assert relative_error(our_logits(path, tokens), theirs) < tolerance


@pytest.mark.parametrize("architecture", [f for f in FAMILIES if f != "llama"])
def test_quantized_mixes(tmp_path: Path, architecture: str) -> None:
    """llama.cpp quantizes activations to 8 bits to meet such weights."""
    options: dict[str, Any] = {**VARIANTS[architecture], **LARGE, "head_dim": 64, "kv_heads": 2}
    options |= {"layers": 2, "kinds": ("Q8_0", "Q4_K", "Q6_K", "Q4_K", "Q8_0")}
    path = write_tiny(tmp_path / "tiny.gguf", architecture, **options)
    tokens = tokens_of(40)
    with llama(path, n_ctx=N_CTX, exact_cache=True) as model:
        theirs = logits_of(model, tokens.tolist())
    ours = our_logits(path, tokens)
    assert relative_error(ours, theirs) < 0.03
    exact = Reference(str(path)).logits(tokens.tolist()).value
    assert relative_error(ours, exact) < 1e-4


# The reference does not know YaRN, which is a table of divisors; its logits are compared above.
@pytest.mark.parametrize("variant", [v for v in VARIANTS if "yarn" not in v])
def test_every_gradient_matches_the_float64_reference(tmp_path: Path, variant: str) -> None:
    path = write(tmp_path / "tiny.gguf", variant)
    weights = Weights(read_header(path), N_CTX)
    pairs = random_pairs(weights)
    documents = [whole(tokens_of(n, n)) for n in (13, 1, 22, 7)]
    losses = Decoder(weights, [pairs], precision="f32").losses_and_gradients(pack(documents), 0.25)
    reference = Reference(str(path), n_ctx=256)  # as llama.cpp rounds it up
    variables = {name: reference.add(name, p.a, p.b, p.scale) for name, p in pairs.items()}
    expected = []
    for document in documents:
        if document.n_supervised:
            loss = reference.losses(document.tokens.tolist(), document.supervised.tolist())
            expected.append(loss.value)
            loss.sum().backward()
    assert relative_error(losses, np.concatenate(expected)) < 1e-5
    for name, (a, b) in variables.items():
        assert relative_error(pairs[name].da, 0.25 * a.grad) < 1e-4, name
        assert relative_error(pairs[name].db, 0.25 * b.grad) < 1e-4, name


@pytest.mark.parametrize("variant", ["gemma3", "phi3", "granite"])
def test_gradients_are_slopes(tmp_path: Path, variant: str) -> None:
    weights = Weights(read_header(write(tmp_path / "tiny.gguf", variant, gain=0.7)), N_CTX)
    pairs = random_pairs(weights)
    decoder = Decoder(weights, [pairs], precision="f32")
    together = pack([whole(tokens_of(n, n)) for n in (13, 22)])
    decoder.losses_and_gradients(together, 1.0)
    # Along the gradient itself, where the slope is largest and rounding matters least.
    gradients = [(v, g.copy()) for p in pairs.values() for v, g in ((p.a, p.da), (p.b, p.db))]
    norm = float(np.sqrt(sum((g.astype(np.float64) ** 2).sum() for _, g in gradients)))
    moves = [(values, values.copy(), gradient / norm) for values, gradient in gradients]

    def loss_at(distance: float) -> float:
        for values, start, direction in moves:
            values[...] = start + np.float32(distance) * direction
        return float(decoder.losses(together).sum(dtype=np.float64))

    h = 1e-3
    assert (loss_at(h) - loss_at(-h)) / (2 * h) == pytest.approx(norm, rel=1e-2)


@pytest.mark.parametrize("variant", ["gemma3", "qwen3", "phi3", "granite"])
def test_recomputing_changes_nothing(tmp_path: Path, variant: str) -> None:
    weights = Weights(read_header(write(tmp_path / "tiny.gguf", variant)), N_CTX)
    together = pack([whole(tokens_of(n, n)) for n in (13, 22)])
    results = []
    for recompute in (0, 1, weights.architecture.n_layers):
        pairs = random_pairs(weights)
        decoder = Decoder(weights, [pairs], recompute=recompute)
        losses = decoder.losses_and_gradients(together, 1.0)
        results.append([losses, *(g for p in pairs.values() for g in (p.da, p.db))])
    for again in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], again, strict=True))


def patterns(n: int = 20, length: int = 24) -> list[Document]:
    """Sequences that count in steps."""
    return [
        whole(((7 * i + (1 + i % 3) * np.arange(length)) % 97).astype(np.int32)) for i in range(n)
    ]


@pytest.mark.parametrize(
    "variant", ["qwen2", "qwen3", "gemma3", "phi3", "phi3 long", "granite", "smollm3"]
)
def test_llama_cpp_sees_the_loss_that_was_trained(tmp_path: Path, variant: str) -> None:
    path = write(tmp_path / "tiny.gguf", variant)
    header = read_header(path)
    recipe = Recipe(rank=4, learning_rate=0.01, max_steps=12, tokens_per_step=96, held_out=0.0)
    weights = Weights(header, N_CTX)
    result = Trainer(weights, patterns(), recipe, base_sha256="0" * 64).run()
    assert result.content is not None
    assert np.mean(result.losses[-3:]) < 0.9 * result.losses[0]
    adapter = read_adapter(result.content, header)
    tensors = {name.split(".")[2] for name in adapter.tensors}
    assert tensors == set(weights.architecture.linear_tensors())
    document = patterns(1, 60)[0]
    decoder = Decoder(weights, [frozen_pairs(adapter, 1.0)])
    ours = float(decoder.losses(pack([document])).mean())
    (theirs,) = token_losses(path, [document.tokens.tolist()], [(result.content, 1.0)])
    assert ours == pytest.approx(theirs.mean(), rel=0.01)


def refused(path: Path) -> str:
    header = read_header(path)
    with pytest.raises(TrainingError) as raised:
        Weights(header)
    message = str(raised.value)
    assert path.name in message and "\n" not in message
    return message


@pytest.mark.parametrize(
    ("architecture", "options", "words"),
    [
        ("mamba", {}, "architecture 'mamba'"),
        ("qwen3moe", {}, "architecture 'qwen3moe'"),
        ("gemma2", {}, "architecture 'gemma2'"),
        ("granite", {"extra": {"granite.expert_count": 4}}, "expert_count"),
        ("gemma3", {"extra": {"gemma3.final_logit_softcapping": 30.0}}, "final_logit_softcapping"),
        ("gemma3", {"extra": {"gemma3.attention.key_length_swa": 8}}, "key_length_swa"),
        ("gemma3", {"extra": {"gemma3.attention.sliding_window_pattern": [True]}}, "_pattern"),
        ("llama", {"extra": {"llama.residual_scale": 0.2}}, "residual_scale"),
        ("llama", {"extra": {"llama.rope.scaling.type": "dynamic"}}, "rope.scaling.type"),
        ("llama", {"extra": {"llama.attention.value_length": 32}}, "value_length"),
        ("llama", {"extra": {"llama.attention.head_count_kv": [1, 2]}}, "head_count_kv"),
        ("qwen2", {"rope_dims": 8}, "rope.dimension_count"),
        ("qwen2", {"extra_tensors": ("output.bias",)}, "'output.bias'"),
        ("qwen3", {"extra_tensors": ("cls.output.weight",)}, "'cls.output.weight'"),
        ("qwen3", {"without": ("blk.1.attn_q_norm.weight",)}, "lacks the tensor 'blk.1.attn_q_no"),
        ("qwen3", {"without": ("qwen3.context_length",)}, "lacks 'qwen3.context_length'"),
        ("granite", {"without": ("granite.logit_scale",)}, "lacks 'granite.logit_scale'"),
        ("phi3", {"extra_tensors": ("blk.0.ffn_gate.weight",)}, "'blk.0.ffn_gate.weight'"),
    ],
)
def test_what_is_not_supported_is_named(
    tmp_path: Path, architecture: str, options: dict[str, Any], words: str
) -> None:
    assert words in refused(write_tiny(tmp_path / "odd.gguf", architecture, **options))


def test_missing_keys_have_llama_cpps_defaults(tmp_path: Path) -> None:
    """Converters differ in what they write; llama.cpp and we must fill the gaps alike."""
    without = (
        "gemma3.rope.freq_base",
        "gemma3.rope.dimension_count",
        "gemma3.rope.scaling.type",
        "gemma3.attention.key_length",
        "gemma3.attention.value_length",
    )
    path = write(tmp_path / "bare.gguf", "gemma3", head_dim=12, without=without)
    tokens = tokens_of(30)
    with llama(path, n_ctx=N_CTX, exact_cache=True) as model:
        theirs = logits_of(model, tokens.tolist())
    assert relative_error(our_logits(path, tokens), theirs) < 2e-3


def test_gemma3_27b_scales_attention_by_its_width(tmp_path: Path) -> None:
    header = read_header(
        write_tiny(tmp_path / "a.gguf", "gemma3", layers=62, head_dim=32, width=96, ff=32)
    )
    assert Weights(header).architecture.attention_scale == pytest.approx((96 / 4) ** -0.5)


def test_the_context_decides_between_long_and_short(tmp_path: Path) -> None:
    header: GgufHeader = read_header(write(tmp_path / "a.gguf", "phi3 short"))
    for n_ctx, which in ((1, "short"), (256, "short"), (257, "long"), (10**6, "long")):
        rope = Weights(header, n_ctx).architecture.ropes[0]
        assert rope is not None and rope.tensor == f"rope_factors_{which}.weight"


def test_modules_of_a_fused_tensor_are_adapted_together(tmp_path: Path) -> None:
    weights = Weights(read_header(write(tmp_path / "a.gguf", "phi3")))
    recipe = dataclasses.replace(Recipe(rank=2), modules="attn_q,ffn_gate")
    pairs = AdapterParameters.initial(weights.architecture, recipe).pairs
    assert {name.split(".")[2] for name in pairs} == {"attn_qkv", "ffn_up"}
