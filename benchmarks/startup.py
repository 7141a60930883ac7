"""How long does `ondevice --help` take, next to a bare Python start?

python benchmarks/startup.py [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

TARGET_SECONDS = 0.25


def median_seconds(command: list[str], runs: int) -> float:
    """Return the median wall time of `command` over `runs` runs, after one to warm the disk."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    program = "import sys; from ondevice.cli import run; sys.exit(run(['--help']))"
    ours = median_seconds([sys.executable, "-c", program], arguments.runs)
    bare = median_seconds([sys.executable, "-c", "pass"], arguments.runs)
    if arguments.json:
        print(json.dumps({"help_seconds": ours, "python_seconds": bare, "target": TARGET_SECONDS}))
        return
    print(f"ondevice --help  {ours:.3f} s   (target ≤ {TARGET_SECONDS} s)")
    print(f"python -c pass   {bare:.3f} s")


if __name__ == "__main__":
    main()
