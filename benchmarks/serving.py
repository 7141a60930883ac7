"""What does the server cost? Time to first token and tokens/s next to bare llama-cpp-python.

    python benchmarks/serving.py [--turns 20] [--tokens 96] [--clients 100] [--json PATH]

Both answer the same conversation, whose beginning is warm in their caches, with the same samplers
and threads, in turn; the server over HTTP on loopback, read by a bare socket, with memory off, so
that both evaluate the same tokens. Then many clients ask at once: in which order are they
answered, and how much memory does the process take?
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import llama_cpp
import psutil

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

from bare_llama import share_default_params

from ondevice import Assistant, Home, Settings
from ondevice.ground.openmp import release_team
from ondevice.ground.processor import physical_cores
from ondevice.models.base_model import resolve
from ondevice.models.messages import Message
from ondevice.models.native import PROMPT_CHUNK
from ondevice.server.app import create_app
from ondevice.server.limits import Limits
from ondevice.server.run import listen, server_for

TOKEN = "benchmark-token-0123456789"
SYSTEM = "You are a patient teacher who explains simple things in plain words. " * 12
QUESTIONS = ["Tell me about rivers.", "Tell me about bees.", "Tell me about rain."]
GOAL_MS, GOAL_RATIO = 5.0, 0.97


class Served:
    """The server in a thread of this process."""

    def __init__(self, me: Assistant) -> None:
        """Start it."""
        limits = Limits()
        self.listener = listen("127.0.0.1", 0)
        self.port = self.listener.getsockname()[1]
        app = create_app(me, token=TOKEN, port=self.port, limits=limits)
        self.ready = threading.Event()
        self.server = server_for(app, limits, self.ready.set)
        self.thread = threading.Thread(target=self.server.run, args=([self.listener],), daemon=True)
        self.thread.start()
        self.ready.wait()

    def stop(self) -> None:
        """Stop it."""
        self.server.should_exit = True
        self.thread.join()
        self.listener.close()

    def answer(
        self, connection: http.client.HTTPConnection, question: str, **more: Any
    ) -> tuple[float, float]:
        """Return the seconds to the first text, and tokens a second behind it."""
        body = {
            "messages": [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": question},
            ],
            "stream": True,
            "stream_options": {"include_usage": True},
            "ondevice": {"memory": "off"},
            **more,
        }
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        began = time.perf_counter()
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        times, n_tokens = [], 0
        for line in response:
            arrived = time.perf_counter()
            if not line.startswith(b"data: {"):
                continue
            chunk = json.loads(line[len(b"data: ") :])
            if any(choice["delta"].get("content") for choice in chunk["choices"]):
                times.append(arrived)
            elif usage := chunk.get("usage"):
                n_tokens = usage["completion_tokens"]
        # The first piece is one token; later ones may hold several.
        return times[0] - began, (n_tokens - 1) / max(times[-1] - times[0], 1e-9)


def bare(
    llama: llama_cpp.Llama, prompt: list[int], tokens: int, settings: Settings
) -> tuple[float, float]:
    """Let llama-cpp-python answer; it keeps what the cache shares with the last prompt.

    Returns:
        The seconds to the first token, and tokens a second behind it.
    """
    generation = settings.generation
    began = time.perf_counter()
    times = []
    pieces = llama.generate(
        prompt,
        temp=0.0,
        top_k=generation.top_k,
        top_p=generation.top_p,
        min_p=generation.min_p,
        repeat_penalty=generation.repeat_penalty,
    )
    for token in itertools.islice(pieces, tokens):
        if token == llama.token_eos():
            break
        llama.detokenize([token])
        times.append(time.perf_counter())
    return times[0] - began, (len(times) - 1) / (times[-1] - times[0])


def crowd(served: Served, clients: int) -> dict[str, Any]:
    """Let `clients` ask one after the other, without waiting; return order and memory."""
    process = psutil.Process()
    before, peak = process.memory_info().rss, 0
    begun: dict[int, float] = {}  # when the first text of an answer came

    def one(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=300)
        asked = time.perf_counter()
        first, _ = served.answer(
            connection, f"Say the number {number}.", max_tokens=8, temperature=0
        )
        begun[number] = asked + first
        connection.close()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
        time.sleep(0.02)  # longer than a time slice, so that they arrive in this order
    while any(thread.is_alive() for thread in threads):
        peak = max(peak, process.memory_info().rss)
        time.sleep(0.05)
    return {
        "clients": clients,
        "answered": len(begun),
        "in_order": sorted(begun, key=begun.__getitem__) == sorted(begun),
        "seconds": time.perf_counter() - began,
        "memory_growth_mb": (peak - before) / 1e6,
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--threads", type=int, default=physical_cores())
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    share_default_params()
    settings = Settings()
    with tempfile.TemporaryDirectory() as folder:
        home = Home.below(Path(folder))
        model = resolve("default", home)
        llama = llama_cpp.Llama(
            str(model.path),
            n_ctx=settings.model.n_ctx,
            n_batch=PROMPT_CHUNK,
            n_threads=arguments.threads,
            n_threads_batch=arguments.threads,
            flash_attn=False,
            verbose=False,
        )
        firsts: dict[str, list[float]] = {"served": [], "bare": []}
        speeds: dict[str, list[float]] = {"served": [], "bare": []}
        with Assistant.open(home=home, settings=settings, reader=False, warn=lambda _: None) as me:
            served = Served(me)
            connection = http.client.HTTPConnection("127.0.0.1", served.port)
            for turn in range(arguments.turns + 2):
                question = QUESTIONS[turn % len(QUESTIONS)]
                asked = [Message("system", SYSTEM), Message("user", question)]
                prompt = me.engine.encode_prompt(asked)
                ours = served.answer(
                    connection, question, max_tokens=arguments.tokens, temperature=0
                )
                peer = bare(llama, prompt, arguments.tokens, settings)
                release_team()  # an idle one would slow the server down
                if turn > 1:  # the first ones warm up
                    for name, (first, speed) in (("served", ours), ("bare", peer)):
                        firsts[name].append(first)
                        speeds[name].append(speed)
            connection.close()
            crowded = crowd(served, arguments.clients)
            served.stop()
        llama.close()
    added = [1000 * (a - b) for a, b in zip(firsts["served"], firsts["bare"], strict=True)]
    ratio = statistics.median(a / b for a, b in zip(speeds["served"], speeds["bare"], strict=True))
    result = {
        "first_token_ms": {k: 1000 * statistics.median(v) for k, v in firsts.items()},
        "added_first_token_ms": statistics.median(added),
        "tokens_per_second": {k: statistics.median(v) for k, v in speeds.items()},
        "speed_ratio": ratio,
        "crowd": crowded,
    }
    print(f"{'':8}{'first token, ms':>18}{'tokens/s':>12}   ({arguments.turns} turns, medians)")
    for name in firsts:
        first, rate = result["first_token_ms"][name], result["tokens_per_second"][name]
        print(f"{name:8}{first:18.1f}{rate:12.1f}")
    print(f"added to the first token: {statistics.median(added):.1f} ms (goal: ≤ {GOAL_MS})")
    print(f"served / bare tokens/s: {ratio:.3f} (goal: ≥ {GOAL_RATIO})")
    print(
        f"{crowded['answered']} of {crowded['clients']} clients at once answered in "
        f"{crowded['seconds']:.1f} s, in order: {crowded['in_order']}, "
        f"memory grew by {crowded['memory_growth_mb']:.1f} MB"
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
