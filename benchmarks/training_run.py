"""Our side of `training.py`: steps of the real trainer, measured in a process of their own.

    python benchmarks/training_run.py MODEL.gguf [--kept | --recomputed | --ratios]
                                      [--batch 1x512] [--seconds 10] [--steps 3]

A batch of 2x256 is a step of two documents of 256 tokens, in one pack. `--kept` measures speed
and memory, then where the time of a step goes; `--recomputed` speed and memory with every block
computed twice; `--ratios`, in turn, all tokens supervised against half
of them, and all threads against one. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ondevice import _kernels
from ondevice.ground.system_memory import resident_memory
from ondevice.models.gguf_header import read_header
from ondevice.training import decoder, lora
from ondevice.training.data import Document
from ondevice.training.recipe import Recipe
from ondevice.training.trainer import Trainer, TrainingEvent
from ondevice.training.weights import Weights

RANK = 16
N_DOCUMENTS = 16


Batch = tuple[int, int]  # documents of a step, and tokens of each


def documents(weights: Weights, n_tokens: int, supervised: float) -> list[Document]:
    """Return random documents of which so much, at the end, is to be learned."""
    random = np.random.default_rng(0)
    mask = np.arange(n_tokens) >= round((1.0 - supervised) * n_tokens)
    mask[0] = False
    n_vocab = weights.architecture.n_vocab
    return [
        Document(random.integers(0, n_vocab, n_tokens).astype(np.int32), mask, f"random {i}")
        for i in range(N_DOCUMENTS)
    ]


class Run:
    """A training that goes on for a few steps whenever it is told to."""

    def __init__(self, weights: Weights, batch: Batch, supervised: float = 1.0) -> None:
        """Prepare a training on random documents."""
        rows, length = batch
        n_tokens = rows * length
        recipe = Recipe(
            rank=RANK, tokens_per_step=n_tokens, max_length=length, held_out=0.0,
            max_steps=10_000, learning_rate=1e-5,
        )  # fmt: skip
        learned = documents(weights, length, supervised)
        self.trainer = Trainer(weights, learned, recipe, base_sha256="0" * 64)
        self.n_tokens = n_tokens

    def steps(self, n: int) -> list[float]:
        """Make `n` updates; return the seconds of each."""
        seconds: list[float] = []

        def note(event: TrainingEvent) -> None:
            if event.kind == "step" and event.tokens_per_second is not None:
                seconds.append(self.n_tokens / event.tokens_per_second)

        self.trainer.run(note, lambda: len(seconds) >= n)
        return seconds

    def tokens_per_second(self, seconds: float, n: int) -> float:
        """Return the median speed of at least `n` steps, or as many as fit the seconds."""
        self.steps(1)
        times: list[float] = []
        while len(times) < n or sum(times) < seconds:
            times += self.steps(1)
        return self.n_tokens / statistics.median(times)


Work = Callable[..., float]


def _forward_work(x: Any, w: _kernels.Weight, y: Any, *, products: Any = (), **_: Any) -> float:
    ranks = sum(product.shape[1] for product in products)
    return 2.0 * len(y) * (w.n * w.k + ranks * (w.n + w.k))


def _backward_work(dy: Any, w: _kernels.Weight, dx: Any, *, products: Any = (), **_: Any) -> float:
    ranks = sum(product.shape[1] for product in products)
    n_tokens = len(products[0] if dx is None else dx)
    through = 0 if dx is None else w.n * w.k + ranks * w.k
    # Of the pairs: dY B and dB go over the outputs, dA over the inputs.
    return 2.0 * n_tokens * (through + ranks * (2 * w.n + w.k))


def _attention_work(q: Any, first: Any) -> float:
    tokens, heads, width = q.shape
    return 4.0 * heads * width * float((np.arange(tokens) - first + 1).sum())


def _nothing(*arguments: Any, **more: Any) -> float:
    return 0.0


def _loss_work(h: Any, w: _kernels.Weight, *rest: Any, **_: Any) -> float:
    return (2.0 if len(rest) < 3 or rest[2] is None else 4.0) * len(h) * w.n * w.k


# Name in the table, and multiplications and additions of a call; 0 where memory is the limit.
KERNELS: dict[str, tuple[str, Work]] = {
    "Packed": ("linear layers, packing", _nothing),
    "linear_forward": ("linear layers with pairs, forward", _forward_work),
    "linear_backward": ("linear layers with pairs, backward", _backward_work),
    "attention_forward": ("attention, forward", lambda q, k, v, f, *a, **_: _attention_work(q, f)),
    "attention_backward": (
        "attention, backward",
        lambda do, q, k, v, f, *a, **_: 2.5 * _attention_work(q, f),
    ),
    "cross_entropy": ("head and loss", _loss_work),
    "rms_norm_forward": ("norms, RoPE, gates", _nothing),
    "rms_norm_packed": ("norms, RoPE, gates", _nothing),
    "rms_norm_backward": ("norms, RoPE, gates", _nothing),
    "gated_forward": ("norms, RoPE, gates", _nothing),
    "gated_backward": ("norms, RoPE, gates", _nothing),
    "rope": ("norms, RoPE, gates", _nothing),
    "round_to_bf16": ("norms, RoPE, gates", _nothing),
    "rope_table": ("norms, RoPE, gates", _nothing),
    "dequantize_rows": ("norms, RoPE, gates", _nothing),
    "adamw": ("optimizer", _nothing),
    "sum_of_squares": ("optimizer", _nothing),
}
NOT_KERNELS = ("optimizer", "Python and data")


class Clock:
    """Seconds and operations of every kernel while it is on."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.work: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def on(self) -> Iterator[None]:
        """Stand between the trainer and the kernels."""
        places = [(_kernels, name) for name in KERNELS]
        places += [(decoder, "Packed"), (lora, "Packed")]  # they imported it by name
        before = [getattr(module, name) for module, name in places]
        for (module, name), function in zip(places, before, strict=True):
            setattr(module, name, self._timed(function, *KERNELS[name]))
        try:
            yield
        finally:
            for (module, name), function in zip(places, before, strict=True):
                setattr(module, name, function)

    def _timed(self, function: Callable[..., Any], label: str, work: Work) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            began = time.perf_counter()
            result = function(*arguments, **more)
            self.seconds[label] += time.perf_counter() - began
            self.work[label] += work(*arguments, **more)
            return result

        return call


def breakdown(run: Run, n: int) -> dict[str, Any]:
    """Return where the time of a step goes, by kernel, and its operations."""
    clock = Clock()
    with clock.on():
        total = sum(run.steps(n))
    clock.seconds["Python and data"] = total - sum(clock.seconds.values())
    parts = {
        label: {
            "share_of_step": round(seconds / total, 4),
            "gflops": round(1e-9 * clock.work[label] / seconds, 1) if clock.work[label] else None,
        }
        for label, seconds in sorted(clock.seconds.items(), key=lambda item: -item[1])
    }
    overhead = sum(clock.seconds[label] for label in NOT_KERNELS) / total
    return {
        "operations_per_token": sum(clock.work.values()) / n / run.n_tokens,
        "overhead_share": round(overhead, 4),
        "kernels": parts,
    }


def ratios(weights: Weights, batch: Batch, seconds: float, n: int) -> dict[str, float]:
    """Return how much faster half the supervision and all the threads are, measured in turn."""
    everything, half = Run(weights, batch), Run(weights, batch, supervised=0.5)
    everything.steps(1), half.steps(1)
    times: dict[str, list[float]] = {"all": [], "half": [], "one thread": []}
    while len(times["all"]) < n or sum(map(sum, times.values())) < 2 * seconds:
        times["all"] += everything.steps(1)
        times["half"] += half.steps(1)
        _kernels.set_threads(1)
        times["one thread"] += everything.steps(1)
        _kernels.set_threads(0)
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {
        "half_supervised_speedup": round(medians["all"] / medians["half"], 3),
        "thread_scaling": round(medians["one thread"] / medians["all"], 3),
    }


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    for what in ("kept", "recomputed", "ratios"):
        parser.add_argument(f"--{what}", dest="what", action="store_const", const=what)
    parser.add_argument("--batch", default="1x512")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--steps", type=int, default=3)
    options = parser.parse_args()

    weights = Weights(read_header(options.model))
    rows, length = map(int, options.batch.split("x"))
    if options.what == "ratios":
        result: dict[str, Any] = dict(
            ratios(weights, (rows, length), options.seconds, options.steps)
        )
        result["threads"] = _kernels.threads()
    else:
        run = Run(weights, (rows, length))
        recomputed = options.what == "recomputed"
        run.trainer.decoder.recompute = weights.architecture.n_layers if recomputed else 0
        result = {
            "tokens_per_s": round(run.tokens_per_second(options.seconds, options.steps), 1),
            "peak_memory_bytes": resident_memory() or 0,
            "model_bytes": weights.file_bytes,
            "trained_parameters": run.trainer.parameters.size,
        }
        if not recomputed:
            result |= breakdown(run, options.steps)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
