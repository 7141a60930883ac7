"""How fast is decoding through the assistant next to bare llama-cpp-python?

Both generate the same number of tokens from the same prompt with the same
samplers, threads and context, a few tokens in turn; medians are compared.

    python benchmarks/decode.py [--tokens 128] [--runs 7] [--threads N] [--json PATH]
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import llama_cpp

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

from bare_llama import share_default_params

from ondevice import Assistant, Settings
from ondevice.engine.context import PROMPT_CHUNK
from ondevice.engine.llama import LlamaEngine
from ondevice.engine.protocol import ChatOptions
from ondevice.ground.processor import physical_cores
from ondevice.home import Home
from ondevice.memory.embedder import Embedder
from ondevice.models.base_model import resolve
from ondevice.models.messages import Message
from ondevice.settings import ModelSettings, RecallSettings
from ondevice.store.profile import Profile

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


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--threads", type=int, default=physical_cores())
    parser.add_argument("--model", default="default")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Home.below(Path(folder))
        model = resolve(arguments.model, home)
        share_default_params()
        settings = ModelSettings(n_ctx=2048, n_threads=arguments.threads)
        llama = llama_cpp.Llama(
            str(model.path),
            n_ctx=2048,
            n_batch=PROMPT_CHUNK,
            n_threads=arguments.threads,
            n_threads_batch=arguments.threads,
            flash_attn=False,
            verbose=False,
        )
        rows: dict[str, list[float]] = {"ours": [], "bare": []}
        engine = LlamaEngine(model, settings, home)
        # With a profile, as in a chat; but without memories, so that both get the same prompt.
        recall = dataclasses.replace(RecallSettings(), memories=0)
        profile = Profile.create(home)
        with Assistant(engine, profile, Embedder(), Settings(recall=recall), reader=False) as me:
            prompt = engine.encode_prompt(PROMPT)
            for run in range(arguments.runs + 1):
                options = ChatOptions(max_tokens=arguments.tokens, seed=run)
                pair = answer_pair(me, llama, prompt, options)
                if run:  # the first one warms up
                    for name, seconds in pair.items():
                        rows[name].extend(1 / slice_seconds for slice_seconds in seconds)
        llama.close()
    medians = {name: statistics.median(speeds) for name, speeds in rows.items()}
    ratio = medians["ours"] / medians["bare"]
    print(f"decode, {model.name}, {arguments.threads} threads, {arguments.runs} interleaved runs")
    print(f"{'':8}{'median tokens/s':>18}{'slowest':>10}{'fastest':>10}")
    for name, speeds in rows.items():
        print(f"{name:8}{medians[name]:18.1f}{min(speeds):10.1f}{max(speeds):10.1f}")
    print(f"ours / bare: {ratio:.3f} (goal: at least 0.97)")
    if arguments.json:
        result = {"tokens_per_second": rows, "medians": medians, "ratio": ratio}
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
