"""What the second step costs: pulling a model on a fresh machine, and asking it.

usage: python benchmarks/pulled_model.py [NAME …]        (0.5 GB over the network for the first)

Each model is pulled into a home of its own; "ask" is the whole command from a cold start, without
memories. Beside it, how far the speeds that `model suggest` would tell from the default model alone
are from those that were measured, in processor time of one core, which other programs disturb less.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

from ondevice.engine.llama import LlamaEngine
from ondevice.engine.protocol import ChatOptions
from ondevice.home import Home
from ondevice.models.base_model import resolve
from ondevice.models.messages import Message
from ondevice.models.suggestion import BESIDE_WEIGHTS
from ondevice.settings import GenerationSettings, ModelSettings

QUESTION = "What is the capital of Italy, and what is it known for?"
ROUNDS = 5


def run(*arguments: str) -> tuple[float, float]:
    """Run a command of ondevice; return the seconds that went by, and those of the processor."""
    before, began = os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-m", "ondevice", "--quiet", *arguments], check=True)
    after = os.times()
    used = after.children_user + after.children_system
    return time.perf_counter() - began, used - before.children_user - before.children_system


def token_seconds(engine: LlamaEngine) -> float:
    """Return the processor time of one token with one thread: the least of some rounds."""
    options = ChatOptions.from_settings(GenerationSettings(temperature=0, max_tokens=32))
    best = float("inf")
    for _ in range(ROUNDS):
        stream = engine.chat([Message("user", "Count from one to one hundred in words.")], options)
        began = None
        for _ in stream:
            began = time.process_time() if began is None else began
        if began is not None:
            tokens = stream.usage.completion_tokens - 1
            best = min(best, (time.process_time() - began) / tokens)
    return best


def main() -> None:
    """Pull, ask and compare."""
    names = sys.argv[1:] or ["qwen2.5-coder-0.5b"]
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as root:
        os.environ["ONDEVICE_HOME"] = root
        for name in names:
            seconds, processor = run("model", "pull", name)
            size = resolve(name, Home.default()).path.stat().st_size
            print(
                f"pull {name}: {size:,} bytes in {seconds:.0f} s ({processor:.0f} s of processor)"
            )
            for _ in range(2):
                seconds, processor = run("ask", "--model", name, QUESTION)
                print(f"ask {name}: {seconds:.1f} s ({processor:.1f} s of processor)")
        measured = {}
        for name in ["default", *names]:
            base = resolve(name, Home.default())
            with LlamaEngine(base, ModelSettings(n_ctx=512, n_threads=1), Home.default()) as engine:
                measured[name] = base.path.stat().st_size, token_seconds(engine)
        small, first = measured["default"]
        for name, (size, seconds) in measured.items():
            told = first * (size + BESIDE_WEIGHTS) / (small + BESIDE_WEIGHTS)
            print(f"{name}: {1000 * seconds:.1f} ms a token on one core, told {1000 * told:.1f} ms")


if __name__ == "__main__":
    main()
