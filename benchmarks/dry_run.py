"""How right is `ondevice train --dry-run`? Its estimate next to the training itself.

Both run in processes of their own, one after the other, on the same text and recipe.

    python benchmarks/dry_run.py [--data FILE] [--base NAME] [--steps 100] [-- OPTIONS of train]
"""

from __future__ import annotations

import argparse
import json
import pydoc_data.topics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TRAIN = [sys.executable, "-m", "ondevice", "train", "--json"]


def lines(arguments: list[str]) -> list[dict[str, float]]:
    """Run `ondevice train` and return its JSON lines."""
    done = subprocess.run([*TRAIN, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a text; Python's documentation if left out")
    parser.add_argument("--base", default="default")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("more", nargs="*", help="options of `ondevice train`")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        data = options.data
        if data is None:
            data = Path(name) / "topics.txt"
            topics = pydoc_data.topics.topics
            data.write_text("\n\n".join(topics[key] for key in sorted(topics)), encoding="utf-8")
        shared = ["--base", options.base, "--data", str(data), "--max-steps", str(options.steps)]
        shared += ["--patience", "0", *options.more]
        (expected,) = lines([*shared, "--dry-run"])
        began = time.perf_counter()
        events = lines([*shared, "--out", str(Path(name) / "adapter.gguf")])
        took, memory = time.perf_counter() - began, events[-1]["memory_bytes"]
    print(f"{'':10}{'expected':>10}{'measured':>10}{'error':>8}")
    for what, guess, real in (
        ("seconds", expected["seconds"], took),
        ("MB", expected["memory_bytes"] / 1e6, memory / 1e6),
    ):
        print(f"{what:10}{guess:10.0f}{real:10.0f}{guess / real - 1:8.0%}")


if __name__ == "__main__":
    main()
