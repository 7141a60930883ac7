"""What does the reader cost while decoding, alone and below a personal adapter?

Three engines write the same number of tokens from the same prompt, a few in
turn, so that whatever else the machine does slows all alike; medians are
compared. The personal adapter is random, of the default recipe's shape: all
linear layers, rank 16.

    python benchmarks/reader_speed.py [--tokens 96] [--runs 5] [--reader FILE] [--json PATH]
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from reader import reader_use

from ondevice.adapters.gguf_lora import LoraAdapter, LoraPair, content_sha256, write_adapter
from ondevice.engine.llama import LlamaEngine
from ondevice.engine.protocol import AdapterUse, ChatOptions
from ondevice.home import Home
from ondevice.models.base_model import BaseModel, resolve
from ondevice.models.messages import Message
from ondevice.settings import ModelSettings
from ondevice.training.architecture import LINEAR_LAYERS

SLICE = 4
PROMPT = [Message("user", "Write a long story about a lighthouse keeper and the sea.")]


def personal_use(base: BaseModel, rank: int = 16) -> AdapterUse:
    """Return a small random adapter for all linear layers."""
    random = np.random.default_rng(0)
    tensors = {}
    for name, tensor in base.header.tensors.items():
        if name.startswith("blk.") and name.split(".")[2] in LINEAR_LAYERS:
            n_in, n_out = tensor.shape
            a = random.standard_normal((rank, n_in), np.float32) / np.float32(np.sqrt(n_in))
            tensors[name] = LoraPair(a, 1e-3 * random.standard_normal((n_out, rank), np.float32))
    content = write_adapter(LoraAdapter(base.header.architecture, 32.0, tensors))
    return AdapterUse("personal", content_sha256(content), lambda: content, base.sha256)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--base", default="default")
    parser.add_argument("--reader", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    home = Home.below(Path(tempfile.mkdtemp()))
    base = resolve(arguments.base, home)
    reader, personal = reader_use(arguments.reader, base), personal_use(base)
    arms = {"bare": [], "reader": [reader], "reader and personal": [reader, personal]}
    engines, seconds = {}, {name: [] for name in arms}
    for name, uses in arms.items():
        engines[name] = LlamaEngine(base, ModelSettings(n_ctx=1024), home)
        engines[name].set_adapters(uses)
    for run in range(arguments.runs + 1):
        options = ChatOptions(max_tokens=arguments.tokens, seed=run, temperature=1.0)
        streams = {name: engine.chat(PROMPT, options) for name, engine in engines.items()}
        for stream in streams.values():
            next(stream)
        for _ in range(arguments.tokens // SLICE - 1):
            for name, stream in streams.items():
                began = time.perf_counter()
                count = sum(1 for _ in itertools.islice(stream, SLICE))
                if count == SLICE and run:  # the first run warms up
                    seconds[name].append((time.perf_counter() - began) / SLICE)
        for stream in streams.values():
            stream.cancel()
    medians = {name: 1 / statistics.median(values) for name, values in seconds.items()}
    for name, speed in medians.items():
        print(f"{name:22}{speed:8.1f} tokens/s{speed / medians['bare']:8.3f} of bare")
    if arguments.json:
        arguments.json.write_text(json.dumps(medians, indent=1) + "\n", encoding="utf-8")
    for engine in engines.values():
        engine.close()


if __name__ == "__main__":
    main()
