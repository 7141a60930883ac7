"""How fast is a large export read, and does embedding run at the speed of the bare session?

Writes a ChatGPT export of 200 MB, and 40 MB of every other format, to a temporary
folder, reads them as `ondevice import` does before embedding, and measures the rate
and the peak of memory in a process of its own, beside `json.load` and a bare loop
over the lines of a file. Then embeds the first messages through `ingest` and through
the bare ONNX session on the same texts, alternately. At last an import is stopped
half-way and taken up again.
Prints a table and writes `results/importing.json`.

    python benchmarks/importing.py [--megabytes N] [--others N] [--messages N]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from made_exports import FORMATS, write_export

from ondevice.ground.processor import physical_cores
from ondevice.ground.system_memory import resident_memory
from ondevice.home import Home
from ondevice.importers import ImportedDocument, ImportOptions, read
from ondevice.memory.embedders.minilm import MiniLM
from ondevice.memory.embedders.runtime import batches, padded
from ondevice.memory.ingest import ingest
from ondevice.store.profile import Profile

ROUNDS = 3


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--others", type=int, default=40, help="megabytes of the other formats")
    parser.add_argument("--messages", type=int, default=1500)
    options = parser.parse_args()
    results: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = write_export("chatgpt", Path(folder), options.megabytes * 1_000_000)
        for name, work in (("import", _read), ("json.load", _load)):
            seconds, peak = _in_own_process(work, path)
            results[f"{name}: reading, MB/s"] = path.stat().st_size / 1e6 / seconds
            results[f"{name}: peak memory, MB"] = peak
        results |= _other_formats(Path(folder), options.others * 1_000_000)
        results |= _embedding(path, Path(folder), options.messages)
        _, peak = _in_own_process(_import, path, options.messages)
        results["import: peak memory with embedding, MB"] = peak
        results |= _interrupted(path, Path(folder), options.messages)
    for name, value in results.items():
        print(f"{name:<60}{value:>10.2f}")
    target = Path(__file__).parent / "results" / "importing.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(results, indent=2) + "\n")


def _other_formats(folder: Path, size: int) -> dict[str, float]:
    """Read an export of every other format."""
    results: dict[str, float] = {}
    for kind in FORMATS:
        if kind == "chatgpt":
            continue
        path = write_export(kind, folder, size)
        for name, work in ((kind, _read), (f"{kind}, lines alone", _lines)):
            seconds, peak = _in_own_process(work, path)
            results[f"{name}: reading, MB/s"] = path.stat().st_size / 1e6 / seconds
            results[f"{name}: peak memory, MB"] = peak
        path.unlink()
    return results


def _read(path: Path) -> None:
    me = ImportOptions(me=("anna", "anna@example.org"))
    sum(len(chunk.text) for document in read([path], me) for chunk in document.chunks)


def _lines(path: Path) -> None:
    with path.open(encoding="utf-8") as file:
        sum(len(line) for line in file)


def _load(path: Path) -> None:
    with path.open(encoding="utf-8") as file:
        json.load(file)


def _import(path: Path, messages: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Home.below(Path(folder))
        with Profile.create(home) as profile:  # no passphrase: deriving its key takes 128 MB
            ingest(profile, MiniLM(), _first(path, messages))


def _in_own_process(work: Callable[..., None], *arguments: Any) -> tuple[float, float]:
    """Return seconds and the peak of memory in MB of `work` in a fresh process."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_timed, (work, *arguments))


def _timed(work: Callable[..., None], *arguments: Any) -> tuple[float, float]:
    start = time.perf_counter()
    work(*arguments)
    seconds = time.perf_counter() - start
    return seconds, (resident_memory() or 0) / (1 << 20)


def _first(path: Path, messages: int) -> Iterator[ImportedDocument]:
    """Yield conversations until they hold so many messages."""
    for document in read([path]):
        yield document
        messages -= len(list(document.chunks))
        if messages <= 0:
            return


def _embedding(path: Path, folder: Path, messages: int) -> dict[str, float]:
    """Compare `ingest`, all included, with the bare session on the same texts."""
    texts = [chunk.text for document in _first(path, messages) for chunk in document.chunks]
    embedder = MiniLM()
    embedder.embed(texts[:64])
    ratios, rates = [], []
    for number in range(ROUNDS):
        bare = _bare_session(embedder, texts)
        with Profile.create(
            Home.below(folder / f"home{number}"), passphrase="a benchmark's own"
        ) as p:
            start = time.perf_counter()
            ingest(p, embedder, _first(path, messages))
            ours = time.perf_counter() - start
        ratios.append(bare / ours)
        rates.append(len(texts) / ours)
    return {
        "import: messages embedded and stored a second": statistics.median(rates),
        "import: share of the bare session's speed (median)": statistics.median(ratios),
    }


def _bare_session(embedder: MiniLM, texts: list[str]) -> float:
    """Return the seconds that the ONNX session alone takes, tokens and batches made before."""
    session, tokenizer = embedder._load()
    tokens = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts)]
    feeds = []
    for batch in batches([len(ids) for ids in tokens]):
        ids, mask = padded([tokens[index] for index in batch])
        kinds = np.zeros_like(ids)
        feeds.append({"input_ids": ids, "attention_mask": mask, "token_type_ids": kinds})
    start = time.perf_counter()
    with ThreadPoolExecutor(physical_cores()) as workers:
        list(workers.map(lambda feed: session.run(["last_hidden_state"], feed), feeds))
    return time.perf_counter() - start


def _interrupted(path: Path, folder: Path, messages: int) -> dict[str, float]:
    """Stop an import half-way as Ctrl-C does, and count what the second run still stores."""
    done = 0

    def stop(stored: int, _: int | None) -> None:
        nonlocal done
        done = stored
        if stored >= messages // 2:
            raise KeyboardInterrupt

    with Profile.create(Home.below(folder / "stopped"), passphrase="a benchmark's own") as profile:
        with contextlib.suppress(KeyboardInterrupt):
            ingest(profile, MiniLM(), _first(path, messages), progress=stop)
        report = ingest(profile, MiniLM(), _first(path, messages))
        total = len(list(profile.passages.all()))
    return {
        "stopped after, passages": done,
        "stored by the second run": report.passages,
        "in the profile": total,
    }


if __name__ == "__main__":
    main()
