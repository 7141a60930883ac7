"""Recipe, schedule and optimizer against what their names promise."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from ondevice.errors import TrainingError
from ondevice.training.optimizer import AdamW, gradient_norm, learning_rate
from ondevice.training.recipe import Recipe


def test_every_field_has_a_help_text() -> None:
    for field in dataclasses.fields(Recipe):
        assert field.metadata["help"].endswith("."), field.name


def test_what_the_data_decides() -> None:
    small = Recipe().settled(5_000)
    assert (small.rank, small.tokens_per_step, small.learning_rate) == (8, 256, 5e-4)
    large = Recipe().settled(200_000)
    assert (large.rank, large.tokens_per_step, large.learning_rate) == (16, 512, 3e-4)
    assert Recipe(method="dpo").settled(5_000).learning_rate == 5e-5
    chosen = Recipe(rank=3, tokens_per_step=100, learning_rate=1e-3)
    assert chosen.settled(5_000) == chosen


def test_scales() -> None:
    assert Recipe(rank=16, alpha=32).scale == 2.0
    assert Recipe(rank=16, alpha=32, rslora=True).scale == 8.0
    assert Recipe(rank=16, alpha=32, rslora=True).file_alpha == 128.0


@pytest.mark.parametrize(
    "change",
    [
        {"alpha": 0.0},
        {"alpha": float("nan")},
        {"rank": -1},
        {"learning_rate": float("inf")},
        {"held_out": 1.0},
        {"beta1": 1.0},
        {"max_length": 4},
        {"tokens_per_step": 3},
        {"modules": "attn_q,lm_head"},
        {"modules": ""},
        {"dtype": "Q4_0"},
        {"method": "rlhf"},
        {"beta": 0.0},
        {"label_smoothing": 0.5},
        {"evaluations": 0},
    ],
)
def test_wrong_values_are_refused_by_name(change: dict[str, object]) -> None:
    with pytest.raises(TrainingError, match=next(iter(change)).replace("_", "-")):
        Recipe(**change)  # type: ignore[arg-type]


def test_modules() -> None:
    assert Recipe(modules="attn_v, attn_q").layers() == ("attn_q", "attn_v")
    assert Recipe(modules="feed-forward,attn_q").layers() == (
        "attn_q", "ffn_gate", "ffn_up", "ffn_down",
    )  # fmt: skip
    assert len(Recipe().layers()) == 7


def test_the_hash_depends_on_every_field() -> None:
    base = Recipe(rank=16)
    hashes = {base.sha256()}
    for change in ({"seed": 1}, {"clip": 2.0}, {"rslora": True}, {"dtype": "F32"}):
        hashes.add(dataclasses.replace(base, **change).sha256())
    assert len(hashes) == 5 and base.sha256() == Recipe(rank=16).sha256()


def test_warm_up_and_cosine() -> None:
    recipe = Recipe(learning_rate=1.0, warmup=0.1, final_rate=0.1)
    rates = [learning_rate(step, 100, recipe) for step in range(101)]
    assert rates[0] == 0.1 and rates[9] == 1.0 and rates[10] == 1.0
    assert rates[55] == pytest.approx(0.55) and rates[100] == pytest.approx(0.1)
    assert all(a >= b for a, b in itertools.pairwise(rates[10:]))
    flat = Recipe(learning_rate=1.0, warmup=0.0, final_rate=1.0)
    assert {learning_rate(step, 7, flat) for step in range(7)} == {1.0}


def test_adamw_is_adamw() -> None:
    """Against the published algorithm, written out in float64."""
    recipe = Recipe(weight_decay=0.1, lora_plus=4.0)
    random = np.random.default_rng(0)
    parameters = {f"w.{half}": random.standard_normal((5, 3)).astype(np.float32)
                  for half in ("lora_a", "lora_b")}  # fmt: skip
    expected = {name: array.astype(np.float64) for name, array in parameters.items()}
    mean = {name: np.zeros((5, 3)) for name in parameters}
    square = {name: np.zeros((5, 3)) for name in parameters}
    optimizer = AdamW(parameters, recipe)
    for t in range(1, 8):
        gradients = {n: random.standard_normal((5, 3)).astype(np.float32) for n in parameters}
        optimizer.update(parameters, gradients, 0.01, 0.5)
        for name in parameters:
            rate = 0.04 if name.endswith("lora_b") else 0.01
            g = 0.5 * gradients[name].astype(np.float64)
            mean[name] = 0.9 * mean[name] + 0.1 * g
            square[name] = 0.999 * square[name] + 0.001 * g * g
            corrected = np.sqrt(square[name] / (1 - 0.999**t)) + 1e-8
            expected[name] -= rate * 0.1 * expected[name]
            expected[name] -= rate * mean[name] / (1 - 0.9**t) / corrected
    for name in parameters:
        assert np.allclose(parameters[name], expected[name], rtol=1e-5, atol=1e-6)


def test_gradient_norm() -> None:
    gradients = {"a": np.full((2, 2), 3.0, np.float32), "b": np.full(7, 8.0, np.float32)}
    assert gradient_norm(gradients) == pytest.approx(np.sqrt(4 * 9 + 7 * 64))
