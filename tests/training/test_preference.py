"""Preference learning: gradients, the reference, and what llama.cpp says of the result."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from llama_reference import token_losses
from numpy.typing import NDArray
from tiny_models import write_tiny_llama
from training_reference import Reference, Var, relative_error

from ondevice.adapters.gguf_lora import LoraAdapter, LoraPair, write_adapter
from ondevice.errors import ImportSourceError, OndeviceError, TrainingError
from ondevice.models.base_model import BaseModel
from ondevice.models.gguf_header import GgufHeader, read_header
from ondevice.models.messages import Message
from ondevice.models.tokenizer import Tokenizer
from ondevice.training.data import Document, DocumentReader, Example
from ondevice.training.decoder import Decoder
from ondevice.training.files import train
from ondevice.training.lora import Pair
from ondevice.training.preference import PreferenceObjective
from ondevice.training.preference_data import Preference, PreferencePair, read_preferences
from ondevice.training.recipe import Recipe
from ondevice.training.trainer import Trainer, TrainingEvent
from ondevice.training.weights import Weights

pytestmark = pytest.mark.usefixtures("one_thread")

VOCAB = 97
VARIANTS: dict[str, dict[str, object]] = {
    "plain": {"beta": 0.3},
    "smoothed": {"beta": 0.5, "label_smoothing": 0.1},
    "length-normalised": {"beta": 2.0, "length_normalised": True},
}


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> GgufHeader:
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    return read_header(write_tiny_llama(path, tied=False, gain=0.7))


def document(prompt: list[int], answer: list[int], name: str = "made") -> Document:
    supervised = np.array([False] * len(prompt) + [True] * len(answer))
    return Document(np.array([*prompt, *answer], np.int32), supervised, name)


def some_pairs(n: int = 4) -> list[PreferencePair]:
    """Random pairs whose answers have different lengths."""
    random = np.random.default_rng(3)
    pairs = []
    for i in range(n):
        prompt, chosen, rejected = (
            random.integers(0, VOCAB, length).tolist() for length in (5 + i, 4 + 2 * i, 9 - i)
        )
        pairs.append(PreferencePair(document(prompt, chosen), document(prompt, rejected)))
    return pairs


def counting_pairs(n: int) -> list[PreferencePair]:
    """Prompts that count in steps of 1, 2 or 3; the chosen answer goes on, the other repeats."""
    pairs = []
    for i in range(n):
        step = 1 + i % 3
        numbers = ((11 * i + step * np.arange(14)) % VOCAB).tolist()
        prompt, chosen = numbers[:8], numbers[8:]
        pairs.append(PreferencePair(document(prompt, chosen), document(prompt, prompt[2:8])))
    return pairs


def random_pairs(weights: Weights, seed: int, trained: bool) -> dict[str, Pair]:
    random = np.random.default_rng(seed)
    pairs = {}
    for index in range(weights.architecture.n_layers):
        for layer in ("attn_q", "attn_v", "ffn_down"):
            n_in, n_out = weights.architecture.linear_shape(layer)
            a = (random.standard_normal((3, n_in)) * 0.1).astype(np.float32)
            b = (random.standard_normal((n_out, 3)) * 0.1).astype(np.float32)
            gradients = (np.zeros_like(a), np.zeros_like(b)) if trained else (None, None)
            pairs[f"blk.{index}.{layer}.weight"] = Pair(a, b, 1.3, *gradients)
    return pairs


def exact_loss(
    path: Path, pairs: list[PreferencePair], frozen: dict[str, Pair], trained: dict[str, Pair],
    recipe: Recipe,
) -> tuple[float, dict[str, NDArray[np.float64]]]:  # fmt: skip
    """The mean DPO loss and its gradients, from the published formula, in float64."""
    model, base = Reference(str(path)), Reference(str(path))
    variables: dict[str, Var] = {}
    for name, pair in frozen.items():
        model.add(name, pair.a, pair.b, pair.scale)
        base.add(name, pair.a, pair.b, pair.scale)
    for name, pair in trained.items():
        a, b = model.add(name, pair.a, pair.b, pair.scale)
        variables[f"{name}.lora_a"], variables[f"{name}.lora_b"] = a, b

    def score(reference: Reference, one: Document) -> Var:
        losses = reference.losses(one.tokens.tolist(), one.supervised.tolist())
        share = 1.0 / one.n_supervised if recipe.length_normalised else 1.0
        return losses.sum() * Var(np.array(-share))

    total = 0.0
    gradients = {name: np.zeros_like(v.value) for name, v in variables.items()}
    for pair in pairs:
        for variable in variables.values():
            variable.grad = np.zeros_like(variable.value)
        chosen, rejected = score(model, pair.chosen), score(model, pair.rejected)
        known = float(score(base, pair.chosen).value - score(base, pair.rejected).value)
        margin = chosen + rejected * Var(np.array(-1.0)) + Var(np.array(-known))
        beta, s = recipe.beta, recipe.label_smoothing

        def loss_of(
            m: NDArray[np.float64], beta: float = beta, s: float = s
        ) -> NDArray[np.float64]:
            right, wrong = 1 / (1 + np.exp(-beta * m)), 1 / (1 + np.exp(beta * m))
            return -(1 - s) * np.log(right) - s * np.log(wrong)

        def slope(m: NDArray[np.float64], beta: float = beta, s: float = s) -> NDArray[np.float64]:
            return -(1 - s) * beta / (1 + np.exp(beta * m)) + s * beta / (1 + np.exp(-beta * m))

        loss = margin.apply(loss_of, slope)
        loss.backward()
        total += float(loss.value)
        for name, variable in variables.items():
            gradients[name] += variable.grad
    return total / len(pairs), {name: g / len(pairs) for name, g in gradients.items()}


def prepared(
    weights: Weights, pairs: list[PreferencePair], frozen: dict[str, Pair], recipe: Recipe
) -> PreferenceObjective:
    objective = PreferenceObjective(pairs, [], recipe)
    objective.prepare(lambda: Decoder(weights, [frozen], precision="f32"))
    return objective


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_gradient_is_that_of_the_formula(header: GgufHeader, variant: str) -> None:
    recipe = Recipe(method="dpo", **VARIANTS[variant])  # type: ignore[arg-type]
    weights, pairs = Weights(header), some_pairs()
    frozen, trained = random_pairs(weights, 1, False), random_pairs(weights, 2, True)
    objective = prepared(weights, pairs, frozen, recipe)
    decoder = Decoder(weights, [frozen, trained], precision="f32")
    measured = objective.gradient(decoder, pairs)
    expected, gradients = exact_loss(header.path, pairs, frozen, trained, recipe)
    assert measured.loss == pytest.approx(expected, rel=1e-5)
    assert objective.measure(decoder, pairs) == measured
    for name, pair in trained.items():
        assert relative_error(pair.da, gradients[f"{name}.lora_a"]) < 1e-4, name
        assert relative_error(pair.db, gradients[f"{name}.lora_b"]) < 1e-4, name


def test_the_gradient_is_a_slope(header: GgufHeader) -> None:
    recipe = Recipe(method="dpo", beta=0.5, label_smoothing=0.1)
    weights, pairs = Weights(header), some_pairs()
    trained = random_pairs(weights, 2, True)
    objective = prepared(weights, pairs, {}, recipe)
    decoder = Decoder(weights, [trained], precision="f32")
    objective.gradient(decoder, pairs)
    random = np.random.default_rng(9)
    slope, moves = 0.0, []
    for pair in trained.values():
        for values, gradient in ((pair.a, pair.da), (pair.b, pair.db)):
            direction = random.standard_normal(values.shape).astype(np.float32)
            slope += float((direction * gradient).sum(dtype=np.float64))
            moves.append((values, values.copy(), direction))

    def loss_at(distance: float) -> float:
        for values, start, direction in moves:
            values[...] = start + np.float32(distance) * direction
        return objective.measure(decoder, pairs).loss

    h = 1e-3
    assert (loss_at(h) - loss_at(-h)) / (2 * h) == pytest.approx(slope, rel=1e-2)


RECIPE = Recipe(
    method="dpo", beta=0.2, rank=8, learning_rate=5e-3, epochs=6.0, tokens_per_step=128,
    evaluations=4, patience=0,
)  # fmt: skip


def trainer(header: GgufHeader, recipe: Recipe = RECIPE, **options: object) -> Trainer:
    return Trainer(
        Weights(header),
        counting_pairs(60),
        recipe,
        base_sha256="0" * 64,
        **options,  # type: ignore[arg-type]
    )


def lower_adapter() -> LoraAdapter:
    random = np.random.default_rng(3)
    a, b = random.standard_normal((2, 64)) * 0.2, random.standard_normal((64, 2)) * 0.2
    pair = LoraPair(a.astype(np.float32), b.astype(np.float32))
    return LoraAdapter("llama", 2.0, {"blk.1.attn_q.weight": pair})


@pytest.mark.parametrize("below", [False, True])
def test_llama_cpp_prefers_the_chosen_answers(header: GgufHeader, below: bool) -> None:
    """Of held-out pairs too, and next to the same model without the new adapter."""
    events: list[TrainingEvent] = []
    frozen = [(lower_adapter(), 0.7)] if below else []
    run = trainer(header, below=frozen)
    result = run.run(events.append)
    assert result.content is not None and result.improved
    first = next(e for e in events if e.kind == "evaluation")
    assert first.step == 0 and first.margin == 0.0
    assert first.held_out_loss == np.log(2.0)
    best = max(e.margin for e in events if e.kind == "evaluation" and e.margin is not None)
    lower = [(write_adapter(adapter, "F32"), scale) for adapter, scale in frozen]
    training, held_out = run.course.training, run.course.held_out
    assert len(held_out) == 6
    for pairs in (training[:6], held_out):
        documents = [part.tokens.tolist() for pair in pairs for part in pair.parts]
        scores = []
        for adapters in (lower, [*lower, (result.content, 1.0)]):
            losses = token_losses(header.path, documents, adapters)
            scores.append([-loss[7:].sum() for loss in losses])  # the answers' log-probabilities
        gains = (np.array(scores[1]) - np.array(scores[0])).reshape(-1, 2)
        margins = gains[:, 0] - gains[:, 1]
        assert (margins > 2.0).all()
        if pairs is held_out:
            assert margins.mean() == pytest.approx(best, rel=0.05)


def test_resuming_gives_the_same_bytes_and_keeps_the_reference(
    header: GgufHeader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = dataclasses.replace(RECIPE, epochs=2.0)
    whole = trainer(header, recipe).run()
    path = tmp_path / "a.checkpoint"
    part = trainer(header, recipe, checkpoint_path=path)
    assert part.run(None, lambda: part.progress.step >= 4).content is None
    again = trainer(header, recipe, checkpoint_path=path)
    monkeypatch.setattr(again, "_reference", None)  # nothing calls it
    assert again.run().content == whole.content


@pytest.fixture(scope="module")
def reader(default_model: BaseModel) -> Iterator[DocumentReader]:
    with Tokenizer(default_model) as tokenizer:
        yield DocumentReader(tokenizer, default_model.header, max_length=64)


def test_only_the_answers_are_supervised(reader: DocumentReader, tmp_path: Path) -> None:
    rows = [
        {"prompt": "Which tea?", "chosen": "Assam.", "rejected": "I like tea a lot."},
        {
            "prompt": [{"role": "user", "content": "Which tea?"}],
            "chosen": [{"role": "assistant", "content": "Assam."}],
            "rejected": "I like tea a lot.",
        },
        {"prompt": "Which tea?", "chosen": "Same.", "rejected": "Same."},
    ]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    spoken = Preference(
        "kept",
        (Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "Which tea?")),
        "Assam.",
        "None.",
    )
    pairs = read_preferences(reader, [path, spoken])
    assert len(pairs) == 2  # the second row repeats the first, the third prefers nothing
    decode = reader.tokenizer.decode  # type: ignore[attr-defined]
    learned = [decode(d.tokens[d.supervised].tolist()) for p in pairs for d in p.parts]
    assert learned == ["Assam.", "I like tea a lot.", "Assam.", "None."]
    assert "Hello" in decode(pairs[1].chosen.tokens.tolist())


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        ('{"prompt": 3, "chosen": "a", "rejected": "b"}', ImportSourceError, "'prompt'"),
        ('{"prompt": "x", "rejected": "b"}', ImportSourceError, "'chosen'"),
        ('{"prompt": "x", "chosen": "a", "rejected": " "}', ImportSourceError, "'rejected'"),
        ('{"prompt": "x", "chosen": [1], "rejected": "b"}', ImportSourceError, "'role'"),
        ('{"text": "x"}', ImportSourceError, "'prompt'"),
        ("", TrainingError, "no two different answers"),
        ('{"prompt": "x", "chosen": "a", "rejected": "a"}', TrainingError, "no two different"),
    ],
)
def test_bad_preferences_are_refused_in_one_sentence(
    reader: DocumentReader, tmp_path: Path, content: str, error: type[OndeviceError], words: str
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(error, match=words) as raised:
        read_preferences(reader, [path])
    assert "bad.jsonl" in str(raised.value) and "\n" not in str(raised.value)


def test_examples_and_preferences_are_not_mixed_up(default_model: BaseModel) -> None:
    example = Example("one", text="A text.")
    preference = Preference("two", (Message("user", "Hi"),), "a", "b")
    with pytest.raises(TrainingError, match="method dpo"):
        train(default_model, [preference], None)
    with pytest.raises(TrainingError, match="preferences, not examples"):
        train(default_model, [example], None, recipe=Recipe(method="dpo"))


def test_in_memory_nothing_is_written(
    default_model: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    chat = (Message("user", "Hi"), Message("assistant", "Hello there, old friend."))
    recipe = Recipe(rank=2, modules="attn_v", first_layer=28, max_steps=1, held_out=0.0)
    result = train(default_model, [Example("one", messages=chat)], None, recipe=recipe)
    assert result.content is not None and result.n_documents == (1, 0)
    assert list(tmp_path.iterdir()) == []
