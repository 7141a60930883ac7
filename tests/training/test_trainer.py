"""The training loop: the same bytes again, after interruptions too, and adapters that work."""

from __future__ import annotations

import ctypes
import dataclasses
import gc
import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import llama_cpp
import numpy as np
import pytest
import tiny_models
from bare_llama import context_handle, model_handle
from tiny_models import write_tiny_llama

from ondevice import _kernels
from ondevice.adapters.gguf_lora import LoraAdapter, LoraPair, read_adapter, write_adapter
from ondevice.errors import TrainingError
from ondevice.models.gguf_header import GgufHeader, read_header
from ondevice.remedies import Remedy
from ondevice.training.cost import estimate_cost
from ondevice.training.data import Document, pack
from ondevice.training.decoder import Decoder
from ondevice.training.lora import AdapterParameters, frozen_pairs
from ondevice.training.losses import LikelihoodObjective, packs_of, step_gradient
from ondevice.training.memory_budget import DIVERGENCE_BYTES
from ondevice.training.recipe import Recipe
from ondevice.training.trainer import Trainer, TrainingEvent
from ondevice.training.weights import Weights

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = Recipe(
    rank=4, learning_rate=0.01, epochs=6.0, tokens_per_step=64, evaluations=5, patience=0
)


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> GgufHeader:
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    return read_header(write_tiny_llama(path, tied=False))


def patterns(n: int = 20, length: int = 24) -> list[Document]:
    """Sequences that count in steps: easy to learn, and unknown to a random model."""
    made = []
    for i in range(n):
        tokens = (7 * i + (1 + i % 3) * np.arange(length)) % 97
        supervised = np.ones(length, np.bool_)
        supervised[0] = False
        made.append(Document(tokens.astype(np.int32), supervised, f"document {i}"))
    return made


def trainer(header: GgufHeader, recipe: Recipe = RECIPE, **options: object) -> Trainer:
    documents = options.pop("documents", None) or patterns()
    return Trainer(
        Weights(header),
        documents,  # type: ignore[arg-type]
        recipe,
        base_sha256="0" * 64,
        **options,  # type: ignore[arg-type]
    )


def test_it_learns_and_tells(header: GgufHeader) -> None:
    events: list[TrainingEvent] = []
    result = trainer(header).run(events.append)
    assert result.content is not None and result.improved
    assert result.losses[-1] < 0.5 * result.losses[0]
    assert [e.kind for e in events[:2]] == ["start", "evaluation"] and events[-1].kind == "end"
    steps = [e for e in events if e.kind == "step"]
    assert [e.step for e in steps] == list(range(1, result.steps + 1))
    assert steps[-1].n_steps == result.steps and steps[-1].seconds_left == 0.0
    rates = [e.learning_rate for e in steps]
    assert max(rates) == pytest.approx(0.01) and rates[-1] < 0.12 * 0.01  # type: ignore[type-var]
    adapter = read_adapter(result.content, header)
    assert adapter.provenance["recipe_sha256"] == result.recipe.sha256()
    best = min(result.held_out_losses, key=lambda pair: pair[1])
    assert result.best_step == best[0]


def test_what_a_training_needs_is_free_as_soon_as_it_is_over(header: GgufHeader) -> None:
    run = trainer(header, dataclasses.replace(RECIPE, max_steps=2))
    assert run.run().content is not None
    decoder = weakref.ref(run.decoder)
    gc.disable()
    try:  # the next training, or the model that judges, comes at once
        del run
        assert decoder() is None
    finally:
        gc.enable()


def test_the_same_again_gives_the_same_bytes(header: GgufHeader) -> None:
    first = trainer(header).run().content
    assert trainer(header).run().content == first
    _kernels.set_threads(2)
    few_steps = dataclasses.replace(RECIPE, max_steps=5)
    content = trainer(header, few_steps).run().content
    _kernels.set_threads(1)
    assert trainer(header, few_steps).run().content == content
    other = dataclasses.replace(RECIPE, seed=1)
    assert trainer(header, other).run().content != first


@pytest.mark.parametrize("stops", [[1], [4, 5, 17]])
def test_resuming_gives_the_same_bytes(
    header: GgufHeader, tmp_path: Path, stops: list[int]
) -> None:
    whole = trainer(header).run()
    path = tmp_path / "a.checkpoint"
    for stop in stops:
        part = trainer(header, checkpoint_path=path)
        assert (
            part.run(None, lambda part=part, stop=stop: part.progress.step >= stop).content is None
        )
    resumed: list[TrainingEvent] = []
    result = trainer(header, checkpoint_path=path).run(resumed.append)
    assert resumed[0].step == stops[-1]
    assert result.content == whole.content
    assert result.losses == whole.losses and result.held_out_losses == whole.held_out_losses


def test_a_checkpoint_of_another_training_is_not_used(header: GgufHeader, tmp_path: Path) -> None:
    path = tmp_path / "a.checkpoint"
    part = trainer(header, checkpoint_path=path)
    part.run(None, lambda: part.progress.step >= 3)
    events: list[TrainingEvent] = []
    other = trainer(header, documents=patterns(19), checkpoint_path=path)
    other.run(events.append, lambda: True)
    assert events[0].step == 0


def test_a_damaged_checkpoint_is_named(header: GgufHeader, tmp_path: Path) -> None:
    path = tmp_path / "a.checkpoint"
    part = trainer(header, checkpoint_path=path)
    part.run(None, lambda: True)
    content = path.read_bytes()
    for damaged in (content[:200], b"", content[:-40]):
        path.write_bytes(damaged)
        with pytest.raises(TrainingError, match="damaged"):
            trainer(header, checkpoint_path=path).run()


@pytest.mark.model  # whole programs, killed at their work
def test_a_killed_training_goes_on(header: GgufHeader, tmp_path: Path) -> None:
    """Kill the process again and again while it saves after every step."""
    program = (
        "import os, sys; sys.path[:0] = sys.argv[1].split(os.pathsep); import test_trainer as t\n"
        "from ondevice.models.gguf_header import read_header\n"
        "from pathlib import Path\n"
        "run = t.trainer(read_header(Path(sys.argv[2])), checkpoint_path=Path(sys.argv[3]),"
        " checkpoint_seconds=0.0)\n"
        "Path(sys.argv[4]).write_bytes(run.run(lambda e: print(e.step, flush=True)).content)\n"
    )
    out, path = tmp_path / "a.gguf", tmp_path / "a.checkpoint"
    places = Path(__file__).parent, Path(tiny_models.__file__).parent
    arguments = [os.pathsep.join(map(str, places)), str(header.path), str(path), str(out)]
    for delay in (0.0, 0.004, 0.013):
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        for _ in range(12):
            process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
        process.wait()
        process.stdout.close()
    subprocess.run(
        [sys.executable, "-c", program, *arguments], check=True, stdout=subprocess.DEVNULL
    )
    assert out.read_bytes() == trainer(header).run().content
    assert not [p for p in tmp_path.iterdir() if p.suffix == ".gguf" and p != out]


@pytest.mark.parametrize("below", [False, True])
def test_llama_cpp_sees_the_loss_that_the_trainer_sees(
    header: GgufHeader, tmp_path: Path, below: bool
) -> None:
    random = np.random.default_rng(3)
    tensors = {
        "blk.1.attn_q.weight": LoraPair(
            random.standard_normal((2, 64)).astype(np.float32) * np.float32(0.2),
            random.standard_normal((64, 2)).astype(np.float32) * np.float32(0.2),
        )
    }
    lower = LoraAdapter("llama", 2.0, tensors)
    stack = [(lower, 0.7)] if below else []
    run = trainer(header, below=stack)
    result = run.run()
    assert result.content is not None
    scores = [(result.content, 1.0)]
    if below:
        scores.insert(0, (write_adapter(lower, "F32"), 0.7))
    pairs = [frozen_pairs(read_adapter(content, header), scale) for content, scale in scores]
    decoder = Decoder(Weights(header), pairs)
    document = patterns(1, 60)[0]
    ours = float(decoder.losses(pack([document])).mean())

    llama = llama_cpp.Llama(str(header.path), n_ctx=64, n_threads=2, verbose=False, logits_all=True)
    handles = []
    for index, (content, _) in enumerate(scores):
        path = tmp_path / f"{index}.gguf"
        path.write_bytes(content)
        handles.append(llama_cpp.llama_adapter_lora_init(model_handle(llama), str(path).encode()))
    array = (llama_cpp.llama_adapter_lora_p_ctypes * len(handles))(*handles)
    scales = (ctypes.c_float * len(handles))(*[scale for _, scale in scores])
    llama_cpp.llama_set_adapters_lora(context_handle(llama), array, len(handles), scales)
    llama.eval(document.tokens.tolist())
    logits = np.array(llama.scores[:59], np.float64)
    llama_cpp.llama_set_adapters_lora(context_handle(llama), None, 0, None)
    for handle in handles:
        llama_cpp.llama_adapter_lora_free(handle)
    llama.close()
    shifted = logits - logits.max(1, keepdims=True)
    chosen = shifted[np.arange(59), document.tokens[1:]]
    theirs = float((np.log(np.exp(shifted).sum(1)) - chosen).mean())
    assert ours == pytest.approx(theirs, rel=0.01)


def test_a_step_of_several_packs_has_the_gradient_of_one(header: GgufHeader) -> None:
    documents = patterns(40)  # 960 tokens: two packs
    weights = Weights(header)
    gradients = []
    for split in (True, False):
        parameters = AdapterParameters.initial(weights.architecture, RECIPE)
        for pair in parameters.pairs.values():
            pair.b += np.float32(0.01)
        packs = packs_of(documents) if split else [pack(documents)]
        assert len(packs) == (2 if split else 1)
        loss = step_gradient(Decoder(weights, [parameters.pairs], precision="f32"), packs)
        gradients.append([np.array(loss), *(g.copy() for g in parameters.gradients.values())])
    for split_value, whole_value in zip(*gradients, strict=True):
        assert np.allclose(split_value, whole_value, rtol=1e-3, atol=1e-6)


def test_a_diverging_loss_stops_and_keeps_the_checkpoint(
    header: GgufHeader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.checkpoint"
    recipe = dataclasses.replace(RECIPE, epochs=20.0)
    run = trainer(header, recipe, checkpoint_path=path, checkpoint_seconds=0.0)
    monkeypatch.setattr(
        "ondevice.training.trainer.learning_rate", lambda step, *_: 0.01 if step < 60 else 5.0
    )
    with pytest.raises(TrainingError, match="lower learning rate") as raised:
        run.run()
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)
    with np.load(path) as stored:
        assert all(np.isfinite(stored[n]).all() for n in stored if n.startswith("array/"))


def test_one_easy_step_is_no_level_that_the_others_diverge_from(
    header: GgufHeader, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = dataclasses.replace(RECIPE, epochs=20.0)
    run = trainer(header, recipe)
    real = run.objective.gradient
    shown = iter([0.7, *([4.6, 3.6, 4.4, 3.9] * 200)])

    def gradient(*arguments: object) -> object:
        return dataclasses.replace(real(*arguments), loss=next(shown))  # type: ignore[arg-type]

    monkeypatch.setattr(run.objective, "gradient", gradient)
    assert run.run().content is not None


def test_nan_in_the_gradient_stops_before_the_parameters_are_touched(
    header: GgufHeader, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trainer(header)
    real: Callable[..., object] = run.decoder.losses_and_gradients

    def poisoned(*arguments: object) -> object:
        losses = real(*arguments)
        if run.progress.step == 3:
            next(iter(run.parameters.gradients.values()))[0, 0] = np.nan
        return losses

    monkeypatch.setattr(run.decoder, "losses_and_gradients", poisoned)
    with pytest.raises(TrainingError, match="no longer a number"):
        run.run()
    assert run.progress.step == 3
    assert all(np.isfinite(array).all() for array in run.parameters.arrays.values())


def test_early_stopping_keeps_the_best(header: GgufHeader) -> None:
    random = np.random.default_rng(0)
    noise = [
        Document(random.integers(0, 97, 24).astype(np.int32), d.supervised, d.name)
        for d in patterns()
    ]
    recipe = dataclasses.replace(RECIPE, epochs=60.0, evaluations=60, patience=3)
    result = trainer(header, recipe, documents=noise).run()
    held_out = result.held_out_losses
    assert result.steps < 60 * 7
    best = min(held_out[1:], key=lambda pair: pair[1])
    assert result.best_step == best[0] and [s for s, _ in held_out][-4] == best[0]


def test_too_little_memory_is_said_before_any_work(header: GgufHeader) -> None:
    with pytest.raises(TrainingError, match="MB of memory"):
        trainer(header, memory_budget=10 << 20)
    plan = trainer(header).course.memory
    least = trainer(header, memory_budget=plan.bytes - 1)
    assert least.course.memory.recompute > 0
    assert least.run().content == trainer(header).run().content


def test_what_the_recipe_leaves_open_shrinks_with_the_memory(header: GgufHeader) -> None:
    """Tokens of a step first, then the rank; what the user chose stays, and the error says so."""
    usual = trainer(header, Recipe())
    assert (usual.recipe.rank, usual.recipe.tokens_per_step) == (8, 256)  # little data
    smallest = trainer(header, Recipe(rank=4, tokens_per_step=128), memory_budget=None)
    least = plan_of(header, smallest.recipe)
    tight = trainer(header, Recipe(), memory_budget=least)
    assert (tight.recipe.rank, tight.recipe.tokens_per_step) == (4, 128)
    assert tight.course.memory.bytes <= least
    with pytest.raises(TrainingError, match="MB are allowed"):
        trainer(header, Recipe(rank=8), memory_budget=least - (1 << 16))
    with pytest.raises(TrainingError, match=r"allow \d+ tokens .* fits at rank 4") as caught:
        trainer(header, Recipe(rank=4), documents=patterns(1, 2000), memory_budget=least)
    assert caught.value.notice.steps[0].remedy is Remedy.LOWER_LENGTH


def test_what_anchors_need_is_planned(header: GgufHeader) -> None:
    """The reference computes them beside the trained model, in memory of its own."""
    anchors = [Document.anchored(one.tokens[::-1].copy(), one.name) for one in patterns(40)]
    without = trainer(header, documents=patterns())
    beside = trainer(header, documents=[*patterns(), *anchors])
    beside.run()
    assert isinstance(beside.objective, LikelihoodObjective)
    reference = beside.objective._reference  # its size shows nowhere else
    assert reference is not None
    reference.hidden(packs_of(anchors)[0])  # as many as are ever computed at once
    used = sum(array.nbytes for array in reference.buffers._taken.values())  # see above
    planned = beside.course.memory.bytes - without.course.memory.bytes - DIVERGENCE_BYTES
    assert used <= planned < 2 * used
    with pytest.raises(TrainingError, match="MB are allowed"):
        trainer(
            header,
            dataclasses.replace(RECIPE, tokens_per_step=64),
            documents=[*patterns(), *anchors],
            memory_budget=plan_of(header, RECIPE),
        )


def plan_of(header: GgufHeader, recipe: Recipe) -> int:
    """Return the least memory in which `recipe` is possible."""
    low, high = 0, trainer(header, recipe).course.memory.bytes
    while high - low > 1024:
        middle = (low + high) // 2
        try:
            trainer(header, recipe, memory_budget=middle)
            high = middle
        except TrainingError:
            low = middle
    return high


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"architecture": "mamba"}, "architecture 'mamba'"),
        ({"extra": {"llama.expert_count": 4}}, "expert_count"),
        ({"extra": {"llama.rope.scaling.type": "dynamic"}}, "rope.scaling.type"),
        ({"extra": {"llama.attention.value_length": 32}}, "value_length"),
        ({"extra_tensors": ("blk.0.attn_q.scale",)}, "blk.0.attn_q.scale"),
    ],
)
def test_unsupported_models_are_refused_by_name(
    tmp_path: Path, options: dict[str, object], words: str
) -> None:
    header = read_header(write_tiny_llama(tmp_path / "odd.gguf", **options))  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match=words) as raised:
        Weights(header)
    assert "\n" not in str(raised.value) and "odd.gguf" in str(raised.value)


def test_an_estimate_knows_the_whole_training(header: GgufHeader, tmp_path: Path) -> None:
    events: list[TrainingEvent] = []
    whole = trainer(header)
    result = whole.run(events.append)
    cost = estimate_cost(trainer(header), seconds=0.0)
    assert cost.measured_steps == 3 < cost.n_steps == result.steps
    assert cost.n_documents == result.n_documents
    assert cost.n_tokens == result.n_tokens
    assert cost.n_parameters == whole.parameters.size
    assert sum(whole.course.tokens_of_steps) == RECIPE.epochs * result.n_tokens
    assert whole.course.n_evaluations == len([e for e in events if e.kind == "evaluation"])
    assert cost.seconds > 0
    assert cost.memory_bytes > 1 << 20
    with pytest.raises(ValueError, match="checkpoint"):
        estimate_cost(trainer(header, checkpoint_path=tmp_path / "c"))
    assert not list(tmp_path.iterdir())
