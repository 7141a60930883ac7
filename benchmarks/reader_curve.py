"""How good does a reader become with more data, and with a higher rank?

Teaches a reader for every amount of dialogues at the default rank, and for every
rank at one amount, as `ondevice teach` does but for what is named; asks each the
held-out questions of `reader.py`; prints a table and writes JSON. A reader that
is in the folder already is not taught again, and one that stands in the JSON is not
asked again, so an interrupted run goes on.

    python benchmarks/reader_curve.py --folder DIR [--tokens 40000,80000,…] [--ranks 8,64]
        [--at TOKENS] [--n 100] [--threads N] [--json docs/reader-curve.json]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

from reader import Arm, change_interval, log_likelihoods, probe_sets, reader_use
from reader_probes import ProbeMaker

from ondevice.engine.llama import LlamaEngine
from ondevice.ground.files import write_atomic
from ondevice.home import Home
from ondevice.learning.reader.teach import TeachSettings, teach
from ondevice.models.base_model import BaseModel, resolve
from ondevice.settings import ModelSettings

KINDS = ("direct", "indirect", "superseded", "unknown", "preferences")


def settings_for(n_tokens: int, rank: int) -> TeachSettings:
    """Return the default settings but for the amount of dialogues and the rank.

    Alpha stays in proportion to the rank, so that the scale is the same.
    """
    usual = TeachSettings()
    alpha = usual.recipe.alpha / usual.recipe.rank * rank
    recipe = dataclasses.replace(usual.recipe, rank=rank, alpha=alpha)
    return dataclasses.replace(usual, n_tokens=n_tokens, recipe=recipe)


def taught(base: BaseModel, folder: Path, n_tokens: int, rank: int, threads: int) -> Path:
    """Return the file of a reader, taught now if it is not there."""
    path = folder / f"reader-{n_tokens}-rank{rank}.gguf"
    if not path.exists():
        words = folder / "own-words.json"  # what the base says is the same for all
        kept = path.with_name(path.name + ".answers")
        if words.exists() and not kept.exists():
            shutil.copy(words, kept)

        def keep(step: object) -> None:
            if kept.exists() and not words.exists():
                shutil.copy(kept, words)

        began = time.perf_counter()
        teach(base, path, settings=settings_for(n_tokens, rank), threads=threads, callback=keep)
        print(f"{path.name}: taught in {time.perf_counter() - began:.0f} s", flush=True)
    return path


def scores(engine: LlamaEngine, base: BaseModel, path: Path, n: int) -> dict[str, object]:
    """Return what a reader gets right, [right, asked] by name, and what it does to other text."""
    uses = [reader_use(path, base)]
    arm = Arm("reader", engine, uses)
    for kind, make in probe_sets(ProbeMaker(engine.count_tokens), n).items():
        if kind.startswith(KINDS):
            arm.run(kind, make())
    found: dict[str, object] = {name: [s.count, s.of] for name, s in arm.results.items()}
    change = change_interval(log_likelihoods(engine, []), log_likelihoods(engine, uses))
    found["neutral text, worse by %"] = [round(value, 2) for value in change]
    return found


def table(rows: list[dict[str, object]]) -> str:
    """Return the rows as a Markdown table, in percent."""
    names = list(rows[0]["scores"])  # type: ignore[call-overload]
    lines = [" | ".join(["tokens", "rank", *names]), " | ".join(["---"] * (2 + len(names)))]
    for row in rows:
        found = row["scores"]
        assert isinstance(found, dict)
        cells = [str(row["tokens"]), str(row["rank"])]
        for name in names:
            value = found[name]
            cells.append(f"{100 * value[0] / value[1]:.0f}" if len(value) == 2 else f"{value[0]}")
        lines.append(" | ".join(cells))
    return "\n".join(f"| {line} |" for line in lines)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--tokens", default="40000,80000,160000,620000")
    parser.add_argument("--ranks", default="8,64")
    parser.add_argument("--at", type=int, default=80_000, help="tokens at which ranks are tried")
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--base", default="default")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    home = Home.below(Path(tempfile.mkdtemp()))
    base = resolve(arguments.base, home)
    usual = TeachSettings().recipe.rank
    wanted = [(int(n), usual) for n in arguments.tokens.split(",")]
    wanted += [(arguments.at, int(rank)) for rank in arguments.ranks.split(",")]
    rows: list[dict[str, object]] = []
    if arguments.json and arguments.json.exists():
        rows = json.loads(arguments.json.read_text(encoding="utf-8"))
    measured = {(row["tokens"], row["rank"]) for row in rows}
    for n_tokens, rank in [pair for pair in wanted if pair not in measured]:
        path = taught(base, arguments.folder, n_tokens, rank, arguments.threads)
        model = ModelSettings(n_ctx=2048, n_threads=arguments.threads)
        with LlamaEngine(base, model, home) as engine:
            found = scores(engine, base, path, arguments.n)
        rows.append({"tokens": n_tokens, "rank": rank, "scores": found})
        print(json.dumps(rows[-1]), flush=True)
        if arguments.json:
            write_atomic(arguments.json, (json.dumps(rows, indent=1) + "\n").encode())
    print(table(rows))


if __name__ == "__main__":
    main()
