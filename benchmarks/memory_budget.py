"""Training a large model in little memory: does a budget of the file and 600 MB hold?

Makes a file of the shape (8B: 4.9 GB in --folder, kept there), plans a training for the budget as
`ondevice train --memory-budget` does, makes steps, and prints what was planned and what the
process really had resident, the mapped file included.

    python benchmarks/memory_budget.py [--shape 8B] [--beyond 600M] [--max-length 256] [--steps 2]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from training_run import documents
from training_shapes import NAMES, model_of

from ondevice import _kernels
from ondevice.cli.train.progress import parse_size
from ondevice.ground.system_memory import resident_memory
from ondevice.models.gguf_header import read_header
from ondevice.training.recipe import Recipe
from ondevice.training.trainer import Trainer
from ondevice.training.weights import Weights


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=NAMES, default="8B")
    parser.add_argument("--beyond", default="600M", help="memory beside the file")
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    path = model_of(options.shape, options.folder)
    file_bytes = path.stat().st_size
    budget = file_bytes + parse_size(options.beyond)
    weights = Weights(read_header(path))
    _kernels.set_threads(options.threads)
    recipe = Recipe(max_length=options.max_length, held_out=0.0, max_steps=options.steps)
    learned = documents(weights, options.max_length, 1.0)
    trainer = Trainer(weights, learned, recipe, base_sha256="0" * 64, memory_budget=budget)
    settled, memory = trainer.recipe, trainer.course.memory
    print(
        f"{options.shape}: file {file_bytes / 1e6:,.0f} MB, budget {budget / 1e6:,.0f} MB, planned "
        f"{memory.bytes / 1e6:,.0f} MB: rank {settled.rank}, {settled.tokens_per_step} "
        f"tokens a step, {memory.recompute} of {weights.architecture.n_layers} blocks "
        "computed twice",
        flush=True,
    )
    began = time.perf_counter()
    result = trainer.run()
    seconds = (time.perf_counter() - began) / result.steps
    resident = resident_memory() or 0
    verdict = "holds" if resident <= budget else "IS BROKEN"
    print(
        f"resident {resident / 1e6:,.0f} MB ({(resident - file_bytes) / 1e6:,.0f} MB beside the "
        f"file): the budget {verdict}; {seconds:.0f} s a step, "
        f"{settled.tokens_per_step / seconds:.1f} tokens/s"
    )


if __name__ == "__main__":
    main()
