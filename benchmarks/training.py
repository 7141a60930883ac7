"""How fast is training next to PEFT with PyTorch, in how much memory, and where does time go?

Everything runs in processes of its own, one after the other, and ends up in one table: the
machine's measured peaks, each kernel's share of them, our training step (activations kept and
recomputed; all tokens supervised and half of them; one thread and all), the same with PEFT where
torch is importable, and our input gradient against ggml's `out_prod`. Rank 16 on all linear
layers, 512 tokens a step (1 x 512 and 2 x 256, the faster counts; PEFT 4 x 256 too), loss on all
tokens. PEFT bf16 is PEFT as it comes, with its adapter in float32; in "bf16 throughout" the
adapter is in bfloat16 too, which PEFT does only when it is told to. 135M is the default model;
the others have the dimensions and tensor types of Qwen2.5-0.5B and Llama-3.2-1B and random
weights.

    python benchmarks/training.py [--shape 135M]... [--peer bf16]... [--quick] [--json [PATH]]

--shape and --peer (bf16, bf16-throughout, f32, none) may be repeated; without them all are
measured. --quick makes one step of each. --json without a path prints JSON and leaves the table
to stderr.
The peer needs `pip install torch transformers peft`. ONDEVICE_ISA holds for our side.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from training_shapes import NAMES, model_of

HERE = Path(__file__).parent
TOKENS = 512
OUR_BATCHES, BATCHES = ("1x512", "2x256"), "1x512,2x256,4x256"
PEERS = {  # name -> options of peft_peer.py, and the name in the table
    "bf16": (["--dtype", "bf16"], "PEFT bf16"),
    "bf16-throughout": (["--dtype", "bf16", "--adapter", "same"], "PEFT bf16 throughout"),
    "f32": (["--dtype", "f32"], "PEFT f32"),
}
PEER_PACKAGES = ("torch", "transformers", "peft")

# What we want to reach, by shape, on a processor with AVX512-BF16; with AVX2 another for f32.
FASTER_THAN_BF16 = {"135M": 1.8, "0.5B": 1.5, "1.2B": 1.25}
FASTER_THAN_F32 = {"135M": 3.0}
FASTER_THAN_F32_AVX2 = 1.4
MEMORY_OF_BF16 = {"135M": 0.30, "0.5B": 0.25, "1.2B": 0.25}
HALF_SUPERVISED = {"135M": 1.08, "0.5B": 1.12, "1.2B": 1.08, "gemma3-270M": 1.3}
SHARES = {"Q4_0": (0.8, 0.7), "Q4_1": (0.8, 0.7), "Q8_0": (0.8, 0.7), "Q4_K": (0.8, 0.7)}
SHARES |= {"Q5_K": (0.7, 0.65), "Q6_K": (0.7, 0.65)}


class Effort:
    """How long to measure."""

    def __init__(self, quick: bool) -> None:
        """Choose between a look and a measurement."""
        self.steps, self.seconds, self.kernel_seconds = (1, 0.0, 0.05) if quick else (3, 8.0, 0.2)

    @property
    def arguments(self) -> list[str]:
        """The options that the programs for a step share."""
        return ["--seconds", str(self.seconds), "--steps", str(self.steps)]


def run(program: str, *arguments: str) -> dict[str, Any]:
    """Run a program of this folder in a process of its own and return the JSON it prints."""
    note(f"{program} {' '.join(arguments)}")
    command = [sys.executable, str(HERE / program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{program} failed:\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def note(text: str) -> None:
    """Say on stderr what is going on."""
    print(f"… {text}", file=sys.stderr, flush=True)


def kernels(folder: Path, effort: Effort) -> dict[str, Any]:
    """Run `kernels.py`; return the peaks and, by tensor type, the GFLOPS over all its shapes."""
    note("kernels.py")
    out = folder / "kernels.json"
    command = [sys.executable, str(HERE / "kernels.py"), "--json", str(out)]
    command += ["--seconds", str(effort.kernel_seconds), "--tokens", str(TOKENS)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    measured = json.loads(out.read_text())
    work: defaultdict[tuple[str, str], float] = defaultdict(float)
    seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
    for row in measured["kernels"]:
        words = row["kernel"].split()  # "Q4_0 [576 x 1536] dX", as linear_layers names them
        if len(words) == 5 and words[4] in ("forward", "dX"):
            key, size = (words[0], words[4]), float(words[1][1:]) * float(words[3][:-1])
            work[key] += size
            seconds[key] += size / row["gflops"]
    types: dict[str, dict[str, float]] = defaultdict(dict)
    for (kind, direction), amount in work.items():
        types[kind][direction] = round(amount / seconds[kind, direction], 1)
    return {key: measured[key] for key in ("isa", "threads", "peak")} | {"types": dict(types)}


def shape(model: Path, peak: float, peers: list[str], effort: Effort) -> dict[str, Any]:
    """Measure one model: ours and the peers."""
    batches = {
        batch: run("training_run.py", str(model), "--kept", "--batch", batch, *effort.arguments)
        for batch in OUR_BATCHES
    }
    ours = max(batches.values(), key=lambda one: one["tokens_per_s"])
    ours["batches"] = {batch: one["tokens_per_s"] for batch, one in batches.items()}
    ours["peak_memory_bytes"] = max(one["peak_memory_bytes"] for one in batches.values())
    per_token = ours["operations_per_token"]
    ours["share_of_peak"] = round(1e-9 * per_token * ours["tokens_per_s"] / peak, 4)
    ours["recomputed"] = run("training_run.py", str(model), "--recomputed", *effort.arguments)
    ours |= run("training_run.py", str(model), "--ratios", *effort.arguments)
    peft = {
        peer: run(
            "peft_peer.py", str(model), *PEERS[peer][0], "--batches", BATCHES, *effort.arguments
        )
        for peer in peers
    }
    return {"ours": ours, "peft": peft}


Row = tuple[str, dict[str, str], str]  # what it is, its value for each column, the goal


def machine_rows(machine: dict[str, Any], out_prod: dict[str, float]) -> Iterator[Row]:
    """Yield the rows that do not depend on a shape; their values stand under "machine"."""
    peaks, goals = machine["peak"], machine["isa"] in ("avx512bf16", "amx")
    highest = max(peaks.values())
    for dtype, value in peaks.items():
        yield f"peak {dtype}, GFLOPS", {"machine": f"{value:.0f}"}, ""
    for kind, values in machine["types"].items():
        for index, direction in enumerate(("forward", "dX")):
            value = values[direction]
            text = f"{value:.0f} ({value / highest:.0%})"
            goal = f"≥ {SHARES[kind][index]:.0%}" if goals and kind in SHARES else ""
            yield f"{kind} {direction}, GFLOPS (share of peak)", {"machine": text}, goal
    ratio = out_prod["ours"] / out_prod["out_prod"]
    text = f"{out_prod['ours']:.0f} / {out_prod['out_prod']:.1f} = {ratio:.1f}"
    yield "dX of Q4_K / ggml's out_prod, GFLOPS", {"machine": text}, "≥ 15"


def our_rows(shapes: dict[str, Any], machine: dict[str, Any]) -> Iterator[Row]:
    """Yield the rows about our step."""

    def row(name: str, value: Callable[[dict[str, Any]], str], goal: str = "") -> Row:
        return name, {key: value(one["ours"]) for key, one in shapes.items()}, goal

    highest = max(machine["peak"].values())
    yield row("ours, tokens/s (batch)", _best_batch)
    for name in OUR_BATCHES:
        yield row(f"  {name}, tokens/s", partial(_speed_of, name))
    yield row("  share of peak", lambda o: f"{o['share_of_peak']:.0%}")
    yield row("  peak memory, MB", lambda o: f"{o['peak_memory_bytes'] / 1e6:.0f}")
    yield row("  Python, data, optimizer", lambda o: f"{o['overhead_share']:.1%}", "< 5%")
    for label in next(iter(shapes.values()))["ours"]["kernels"]:
        yield row(f"  time in {label}", lambda o, label=label: _part(o["kernels"][label], highest))
    yield row(
        "  half the tokens supervised, speed",
        lambda o: f"× {o['half_supervised_speedup']:.2f}",
        _goals(HALF_SUPERVISED, shapes, "≥"),
    )
    yield row(
        f"  1 → {machine['threads']} threads, speed",
        lambda o: f"× {o['thread_scaling']:.2f}",
        "≥ 1.8" if machine["threads"] == 2 else "",
    )
    yield row("recomputed, tokens/s", lambda o: f"{o['recomputed']['tokens_per_s']:.0f}")
    yield row(
        "  of the speed above",
        lambda o: f"{o['recomputed']['tokens_per_s'] / o['tokens_per_s']:.2f}",
        "≥ 0.7",
    )
    yield row("  peak memory, MB (goal)", _recomputed_memory, "GGUF + 16 B × trained + 350 MB")


def peft_rows(shapes: dict[str, Any], machine: dict[str, Any], peer: str) -> Iterator[Row]:
    """Yield the rows about one kind of PEFT, if it was measured."""
    if not all(peer in one["peft"] for one in shapes.values()):
        return

    def row(name: str, value: Callable[[Any, Any], str], goal: str = "") -> Row:
        cells = {key: value(one["ours"], one["peft"][peer]) for key, one in shapes.items()}
        return name, cells, goal

    faster = {"bf16": FASTER_THAN_BF16, "f32": FASTER_THAN_F32}.get(peer, {})
    if peer == "f32" and machine["isa"] == "avx2":
        faster = dict.fromkeys(shapes, FASTER_THAN_F32_AVX2)
    yield row(f"{PEERS[peer][1]}, tokens/s (batch)", lambda o, p: _best_batch(p))
    yield row(
        "  ours / PEFT, speed",
        lambda o, p: f"× {o['tokens_per_s'] / p['tokens_per_s']:.2f}",
        _goals(faster, shapes, "≥"),
    )
    yield row("  peak memory, MB", lambda o, p: f"{p['peak_memory_bytes'] / 1e6:.0f}")
    yield row(
        "  ours / PEFT, memory",
        lambda o, p: f"{o['peak_memory_bytes'] / p['peak_memory_bytes']:.2f}",
        _goals(MEMORY_OF_BF16, shapes, "≤") if peer == "bf16" else "",
    )


def _speed_of(batch: str, ours: dict[str, Any]) -> str:
    return f"{ours['batches'][batch]:.0f}"


def _goals(goals: dict[str, float], shapes: dict[str, Any], sign: str) -> str:
    listed = " / ".join(f"{goals[key]:g}" for key in shapes if key in goals)
    return f"{sign} {listed}" if listed else ""


def _part(kernel: dict[str, Any], highest: float) -> str:
    share = f", {kernel['gflops'] / highest:.0%} of peak" if kernel["gflops"] else ""
    return f"{kernel['share_of_step']:.1%}{share}"


def _best_batch(measured: dict[str, Any]) -> str:
    batches: dict[str, float] = measured["batches"]
    return f"{measured['tokens_per_s']:.0f} ({max(batches, key=lambda name: batches[name])})"


def _recomputed_memory(ours: dict[str, Any]) -> str:
    goal = ours["model_bytes"] + 16 * ours["trained_parameters"] + 350e6
    return f"{ours['recomputed']['peak_memory_bytes'] / 1e6:.0f} ({goal / 1e6:.0f})"


def show(result: dict[str, Any], console: Console) -> None:
    """Print the table."""
    shapes = result["shapes"]
    table = Table(title=f"training, {result['isa']}, {result['threads']} threads")
    columns = ["machine", *shapes]
    for name in ("", *columns, "goal"):
        table.add_column(name, justify="left" if name in ("", "goal") else "right")
    sections = [machine_rows(result, result["out_prod"]), our_rows(shapes, result)]
    sections += [peft_rows(shapes, result, peer) for peer in PEERS]
    for rows in sections:
        for name, values, goal in rows:
            table.add_row(name, *(values.get(column, "") for column in columns), goal)
        table.add_section()
    console.print(table)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", action="append", choices=NAMES)
    parser.add_argument("--peer", action="append", choices=(*PEERS, "none"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", nargs="?", const="-", metavar="PATH")
    options = parser.parse_args()

    peers = [peer for peer in PEERS if peer in (options.peer or PEERS)]
    missing = [name for name in PEER_PACKAGES if find_spec(name) is None]
    if peers and missing:
        note(f"PEFT is left out: pip install {' '.join(missing)} to compare with it")
        peers = []
    effort = Effort(options.quick)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        machine = kernels(folder, effort)
        result = {
            "peak": machine.pop("peak"),
            **machine,
            "out_prod": run("ggml_peer.py", "--tokens", str(TOKENS), "--runs", str(effort.steps)),
            "shapes": {},
        }
        highest = max(result["peak"].values())
        for key in dict.fromkeys(options.shape or NAMES):
            model = model_of(key, folder)
            result["shapes"][key] = shape(model, highest, peers, effort)
    show(result, Console(stderr=options.json == "-", width=None if os.isatty(1) else 150))
    if options.json:
        text = json.dumps(result, indent=1) + "\n"
        if options.json == "-":
            sys.stdout.write(text)
        else:
            Path(options.json).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
