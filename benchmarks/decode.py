"""How fast is decoding through the assistant next to bare llama-cpp-python?

Both generate the same number of tokens from the same prompt with the same
samplers, threads and context, a few tokens in turn; medians are compared.
That pair shares a process, and with it how OpenMP's threads wait. So processes
of their own follow, alternately idle and beside two busy ones: ours, bare
llama-cpp-python as it comes, and ours with each of `--spins`.

    python benchmarks/decode.py [--tokens 128] [--runs 6] [--threads N] [--json PATH]
        [--spins 300 3000 10000] [--only-processes]
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

from bare_llama import share_default_params

from ondevice import Assistant, Memory, Settings
from ondevice.engine.llama import LlamaEngine
from ondevice.engine.protocol import ChatOptions
from ondevice.ground.processor import physical_cores
from ondevice.home import Home
from ondevice.memory.embedders.choose import open_embedder
from ondevice.models import native
from ondevice.models.base_model import BaseModel, resolve
from ondevice.models.messages import Message
from ondevice.models.native import PROMPT_CHUNK
from ondevice.settings import ModelSettings, RecallSettings
from ondevice.store.profile import Profile

if TYPE_CHECKING:
    import llama_cpp

BUSY = 2  # processes that compute for ever
WAITING = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
SLICE = 4  # tokens that each writes before the other goes on
PROMPT = [Message("user", "Write a long story about a lighthouse keeper and the sea.")]


def answer_pair(
    me: Assistant, llama: llama_cpp.Llama, prompt: list[int], options: ChatOptions
) -> dict[str, list[float]]:
    """Let both write one answer, a few tokens each in turn; return seconds a token, by slice.

    Turns are that short so that whatever else the machine does slows both alike.
    """
    me.new_conversation()
    me.engine.reset_cache()
    reply = me.chat(PROMPT[0].content, options)
    llama.reset()
    llama.set_seed(options.seed)
    tokens = llama.generate(
        prompt,
        temp=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        min_p=options.min_p,
        repeat_penalty=options.repeat_penalty,
    )
    ours = iter(reply)
    bare = (llama.detokenize([token]) for token in tokens if token != llama.token_eos())
    next(ours), next(bare)  # the prompts
    seconds: dict[str, list[float]] = {"ours": [], "bare": []}
    for _ in range(options.max_tokens // SLICE - 1):
        for name, pieces in (("ours", ours), ("bare", bare)):
            began = time.perf_counter()
            count = sum(1 for _ in itertools.islice(pieces, SLICE))
            if count == SLICE:
                seconds[name].append((time.perf_counter() - began) / SLICE)
    reply.cancel()
    return seconds


def bare_llama(model: BaseModel, threads: int) -> llama_cpp.Llama:
    """Load the model with llama-cpp-python's own class."""
    share_default_params()
    return native.llama_cpp().Llama(
        str(model.path),
        n_ctx=2048,
        n_batch=PROMPT_CHUNK,
        n_threads=threads,
        n_threads_batch=threads,
        flash_attn=False,
        verbose=False,
    )


def compare_in_one_process(
    model: BaseModel, home: Home, tokens: int, runs: int, threads: int
) -> dict[str, list[float]]:
    """Return tokens a second of the assistant and of bare llama-cpp-python, slice by slice."""
    llama = bare_llama(model, threads)
    rows: dict[str, list[float]] = {"ours": [], "bare": []}
    engine = LlamaEngine(model, ModelSettings(n_ctx=2048, n_threads=threads), home)
    # With a profile, as in a chat; but without memories, so that both get the same prompt.
    recall = dataclasses.replace(RecallSettings(), memories=0)
    wanted = Settings(recall=recall)
    embedder = open_embedder(recall.embedder, Home.default())
    memory = Memory(Profile.create(home), embedder, wanted)
    with Assistant(engine, memory, wanted, reader=False) as me:
        prompt = engine.encode_prompt(PROMPT)
        for run in range(runs + 1):
            options = ChatOptions(max_tokens=tokens, seed=run)
            pair = answer_pair(me, llama, prompt, options)
            if run:  # the first one warms up
                for name, seconds in pair.items():
                    rows[name].extend(1 / slice_seconds for slice_seconds in seconds)
    llama.close()
    return rows


def work(kind: str, name: str, tokens: int, threads: int) -> None:
    """Generate `tokens` tokens for each line on standard input; answer with tokens a second."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home.below(Path(folder))
        model = resolve(name, home)
        generate = _ours if kind == "ours" else _bare
        speeds = generate(model, home, tokens, threads)
        next(speeds)  # warms up
        print("ready", flush=True)
        for _ in sys.stdin:
            print(next(speeds), flush=True)


def _ours(model: BaseModel, home: Home, tokens: int, threads: int) -> Iterator[float]:
    engine = LlamaEngine(model, ModelSettings(n_ctx=2048, n_threads=threads), home)
    with engine:
        for seed in itertools.count():
            engine.reset_cache()
            pieces = iter(engine.chat(PROMPT, ChatOptions(max_tokens=tokens, seed=seed)))
            yield _speed(pieces)


def _bare(model: BaseModel, home: Home, tokens: int, threads: int) -> Iterator[float]:
    llama = bare_llama(model, threads)
    options = ChatOptions()
    prompt = llama.tokenize(PROMPT[0].content.encode())
    for seed in itertools.count():
        llama.reset()
        llama.set_seed(seed)
        chosen = llama.generate(
            prompt,
            temp=options.temperature,
            top_k=options.top_k,
            top_p=options.top_p,
            min_p=options.min_p,
            repeat_penalty=options.repeat_penalty,
        )
        yield _speed(llama.detokenize([token]) for token in itertools.islice(chosen, tokens))


def _speed(pieces: Iterator[object]) -> float:
    next(pieces)  # the prompt
    began = time.perf_counter()
    count = sum(1 for _ in pieces)
    return count / (time.perf_counter() - began)


@contextlib.contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Keep `count` processors busy while the block runs."""
    script = "while True: pass"
    processes = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(count)]
    try:
        time.sleep(0.3)
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def compare_processes(arguments: argparse.Namespace) -> dict[str, dict[str, list[float]]]:
    """Return tokens a second by process, then by "idle" or "busy", from interleaved runs."""
    clean = {name: value for name, value in os.environ.items() if name not in WAITING}
    kinds = {"ours": clean, "bare": clean | {"GOMP_SPINCOUNT": "300000"}}  # OpenMP's own default
    kinds |= {
        f"ours, {spins} spins": clean | {"GOMP_SPINCOUNT": spins} for spins in arguments.spins
    }
    rows: dict[str, dict[str, list[float]]] = {kind: {"idle": [], "busy": []} for kind in kinds}
    with contextlib.ExitStack() as stack:
        workers = {}
        for kind, environment in kinds.items():
            command = [sys.executable, __file__, "--worker", kind.partition(",")[0]]
            command += ["--tokens", str(arguments.tokens), "--threads", str(arguments.threads)]
            worker = subprocess.Popen(
                [*command, "--model", arguments.model],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
            stack.callback(worker.wait)
            stack.callback(worker.kill)
            workers[kind] = worker
            assert worker.stdout is not None and worker.stdout.readline() == "ready\n"
        for run in range(arguments.runs):
            order = list(workers.items())
            order = order[run % len(order) :] + order[: run % len(order)]  # whoever is first loses
            for state in ("idle", "busy"):
                with busy_processes(BUSY) if state == "busy" else contextlib.nullcontext():
                    for kind, worker in order:
                        assert worker.stdin is not None and worker.stdout is not None
                        worker.stdin.write("\n")
                        worker.stdin.flush()
                        rows[kind][state].append(float(worker.stdout.readline()))
    return rows


def print_pair(rows: dict[str, list[float]], title: str) -> None:
    """Print the speeds that were measured in one process."""
    medians = {name: statistics.median(speeds) for name, speeds in rows.items()}
    print(title)
    print(f"{'':8}{'median tokens/s':>18}{'slowest':>10}{'fastest':>10}")
    for name, speeds in rows.items():
        print(f"{name:8}{medians[name]:18.1f}{min(speeds):10.1f}{max(speeds):10.1f}")
    print(f"ours / bare: {medians['ours'] / medians['bare']:.3f} (goal: at least 0.97)")


def print_processes(rows: dict[str, dict[str, list[float]]]) -> None:
    """Print the speeds of the processes, and how far two busy ones beside them slow each down."""
    print(f"processes of their own, idle and beside {BUSY} busy ones, medians of interleaved runs")
    print(f"{'':22}{'idle':>8}{'busy':>8}{'busy / idle':>13}{'idle / bare idle':>18}")
    bare = statistics.median(rows["bare"]["idle"])
    for kind, states in rows.items():
        idle, busy = (statistics.median(states[state]) for state in ("idle", "busy"))
        print(f"{kind:22}{idle:8.1f}{busy:8.1f}{busy / idle:13.2f}{idle / bare:18.3f}")
    print("goals: ours at least 0.40 of idle when busy, and as fast as 300,000 spins when idle")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--threads", type=int, default=physical_cores())
    parser.add_argument("--model", default="default")
    parser.add_argument("--spins", nargs="*", default=[], help="other spin counts to try")
    parser.add_argument("--only-processes", action="store_true")
    parser.add_argument("--worker", choices=["ours", "bare"], help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    tokens, runs, threads = arguments.tokens, arguments.runs, arguments.threads
    if arguments.worker:
        work(arguments.worker, arguments.model, tokens, threads)
        return
    result: dict[str, object] = {}
    if not arguments.only_processes:
        with tempfile.TemporaryDirectory() as folder:
            home = Home.below(Path(folder))
            model = resolve(arguments.model, home)
            pair = compare_in_one_process(model, home, tokens, runs, threads)
        print_pair(pair, f"decode, {model.name}, {threads} threads, {runs} interleaved runs")
        result["tokens_per_second"] = pair
    processes = compare_processes(arguments)
    print_processes(processes)
    if arguments.json:
        result["processes"] = processes
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
