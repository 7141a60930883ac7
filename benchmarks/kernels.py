"""How close are the kernels to what this processor can do?

Measures the peak of multiply-adds in registers, then every kernel's share of it: linear layers
per tensor type, LoRA pairs, attention, the loss, and dequantization in values per second.

    python benchmarks/kernels.py [--isa NAME] [--tokens 512] [--threads N] [--seconds 0.5]
                                 [--types Q4_0,Q4_K] [--cpu-time] [--json PATH]

On a machine that does other things too, use --cpu-time: one thread, and only its own time.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from ondevice import _kernels

SHAPES = [(576, 576), (1536, 576), (576, 1536), (2048, 2048), (8192, 2048), (2048, 8192)]
TYPES = ["Q4_0", "Q4_1", "Q5_0", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]
RANK = 16
rng = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    """Return random float32 values."""
    return rng.standard_normal(shape, np.float32)


def weight(type_name: str, n: int, k: int) -> _kernels.Weight:
    """Return a weight of zero blocks: how fast they are does not depend on the values."""
    data = np.zeros(n * _kernels.row_bytes(type_name, k), np.uint8)
    return _kernels.Weight(data, type_name, n, k)


class Bench:
    """Times calls and collects rows of a table."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        """Spend so many seconds on each kernel, by this clock."""
        self.seconds = seconds
        self.clock = clock
        self.rows: list[dict[str, float | str]] = []

    def best(self, call: Callable[..., None], *arguments: Any, **more: Any) -> float:
        """Return the seconds of the fastest of repeated calls."""
        call(*arguments, **more)
        best, end = float("inf"), time.perf_counter() + self.seconds
        while time.perf_counter() < end:
            start = self.clock()
            call(*arguments, **more)
            best = min(best, self.clock() - start)
        return best

    def product(
        self,
        name: str,
        work: float,
        peak: float,
        call: Callable[..., None],
        *arguments: Any,
        **more: Any,
    ) -> None:
        """Add a row for a kernel that does `work` multiplications and additions."""
        gflops = 1e-9 * work / self.best(call, *arguments, **more)
        self.rows.append({"kernel": name, "gflops": gflops, "share": gflops / peak})

    def stream(
        self, name: str, values: float, call: Callable[..., None], *arguments: Any, **more: Any
    ) -> None:
        """Add a row for a kernel that goes through so many values."""
        gvalues = 1e-9 * values / self.best(call, *arguments, **more)
        self.rows.append({"kernel": name, "gvalues": gvalues})


def linear_layers(bench: Bench, t: int, types: list[str], peak: float) -> None:
    """Fused dequantization and product, forward and input gradient."""
    for type_name in types:
        for n, k in SHAPES:
            if type_name.endswith("_K") and k % 256:
                continue
            w, x, y = weight(type_name, n, k), normal(t, k), normal(t, n)
            work, name = 2.0 * t * n * k, f"{type_name} [{n} x {k}]"
            bench.product(f"{name} forward", work, peak, _kernels.linear_forward, x, w, y)
            bench.product(f"{name} dX", work, peak, _kernels.linear_backward, y, w, x)


def lora_pairs(bench: Bench, t: int, peak: float) -> None:
    """Linear layers with a trained low-rank pair beside them, and all gradients."""
    for n, k in SHAPES:
        w, x, y, dy, dx = (
            weight("Q4_1", n, k),
            normal(t, k),
            normal(t, n),
            normal(t, n),
            normal(t, k),
        )
        a, b, xa = normal(RANK, k), normal(n, RANK), normal(t, RANK)
        pair = _kernels.Lora(a, b, 1.0, np.zeros_like(a), np.zeros_like(b))
        pairs: dict[str, Any] = {"pairs": [pair], "products": [xa]}
        frozen, low_rank = 2.0 * t * n * k, 2.0 * t * RANK * (n + k)
        name = f"Q4_1 [{n} x {k}] + LoRA {RANK}"
        bench.product(
            f"{name} forward", frozen + low_rank, peak, _kernels.linear_forward, x, w, y, **pairs
        )
        bench.product(
            f"{name} backward",
            frozen + 2 * low_rank,
            peak,
            _kernels.linear_backward,
            dy,
            w,
            dx,
            x=x,
            **pairs,
        )


def attention(bench: Bench, t: int, peak: float) -> None:
    """Operations are counted for the keys that a query sees."""
    first = np.zeros(t, np.int32)
    for h, g, d in [(9, 3, 64), (14, 2, 64), (32, 8, 64), (32, 8, 128)]:
        q, k, v, o = normal(t, h, d), normal(t, g, d), normal(t, g, d), normal(t, h, d)
        lse, scale, do = normal(h, t), d**-0.5, normal(t, h, d)
        dq, dk, dv = np.empty_like(q), np.empty_like(k), np.empty_like(v)
        work, name = 2.0 * t * (t + 1) * h * d, f"attention {h}/{g} heads of {d}"
        bench.product(
            f"{name} forward",
            work,
            peak,
            _kernels.attention_forward,
            q,
            k,
            v,
            first,
            scale,
            o,
            lse,
        )
        bench.product(
            f"{name} backward",
            2.5 * work,
            peak,
            _kernels.attention_backward,
            do,
            q,
            k,
            v,
            first,
            scale,
            o,
            lse,
            dq,
            dk,
            dv,
        )


def loss(bench: Bench, t: int, peak: float) -> None:
    """Cross-entropy with its gradient, over SmolLM2's and Llama's vocabularies."""
    for v, k, type_name in [(49152, 576, "Q8_0"), (128256, 2048, "Q6_K")]:
        w, h, dh = weight(type_name, v, k), normal(t, k), normal(t, k)
        targets, each = rng.integers(0, v, t).astype(np.int32), np.empty(t, np.float32)
        bench.product(
            f"cross-entropy {type_name} [{v} x {k}]",
            4.0 * t * v * k,
            peak,
            _kernels.cross_entropy,
            h,
            w,
            targets,
            each,
            dh,
        )


def streams(bench: Bench, t: int) -> None:
    """Kernels that memory limits, and dequantization."""
    f = 1536
    gate, up, out = normal(t, f), normal(t, f), normal(t, f)
    x, norm_weight, rstd = normal(t, f), normal(f), np.empty(t, np.float32)
    bench.stream(
        "SwiGLU forward",
        t * f,
        _kernels.gated_forward,
        gate,
        up,
        activation="silu",
    )
    bench.stream(
        "RMSNorm forward",
        t * f,
        _kernels.rms_norm_forward,
        x,
        norm_weight,
        1e-5,
        out,
        rstd,
    )
    for type_name in _kernels.WEIGHT_TYPES:
        w, values = weight(type_name, 64, 2048), np.empty((64, 2048), np.float32)
        bench.stream(f"dequantize {type_name}", values.size, _kernels.dequantize, w, values)


def show(result: dict[str, object], rows: list[dict[str, float | str]]) -> None:
    """Print the table."""
    table = Table(title=f"{result['isa']}, {result['threads']} threads: {result['peak']}")
    for column in ("kernel", "GFLOPS", "share of peak", "Gvalues/s"):
        table.add_column(column, justify="left" if column == "kernel" else "right")
    for row in rows:
        table.add_row(
            str(row["kernel"]),
            f"{row['gflops']:.0f}" if "gflops" in row else "",
            f"{row['share']:.0%}" if "share" in row else "",
            f"{row['gvalues']:.1f}" if "gvalues" in row else "",
        )
    Console().print(table)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--isa", default=None)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--types", default=",".join(TYPES))
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()

    if options.isa:
        _kernels.use_isa(options.isa)
    _kernels.set_threads(1 if options.cpu_time else options.threads)
    peaks = {"f32": _kernels.peak("f32", 1.0), "bf16": _kernels.peak("bf16", 1.0)}
    highest = max(peaks.values())
    bench = Bench(options.seconds, time.thread_time if options.cpu_time else time.perf_counter)
    linear_layers(bench, options.tokens, options.types.split(","), highest)
    lora_pairs(bench, options.tokens, highest)
    attention(bench, options.tokens, highest)
    loss(bench, options.tokens, highest)
    streams(bench, options.tokens)
    result: dict[str, object] = {
        "isa": _kernels.isa(),
        "threads": _kernels.threads(),
        "tokens": options.tokens,
        "peak": {name: round(value, 1) for name, value in peaks.items()},
    }
    show(result, bench.rows)
    if options.json:
        options.json.write_text(json.dumps(result | {"kernels": bench.rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
