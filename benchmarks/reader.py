"""How well does the model read its notes, with the reader and without?

Questions of the held-out half of `ondevice.learning.reader`, answered greedily by
llama.cpp; an answer is right when it contains the value that was asked for.
Intervals are 95 %, by Wilson for shares and by bootstrap over texts for
likelihoods. Neutral text is Python's own documentation. `--half train` asks about
the facts and wordings that a reader learns with: the difference is what does not carry over.

    python benchmarks/reader.py [--n 300] [--reader FILE] [--half train] [--only KIND,…]
        [--json PATH]
"""

from __future__ import annotations

import argparse
import json
import math
import pydoc_data.topics
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

from reader_probes import (
    Probe,
    ProbeMaker,
    holds_wrong,
    is_right,
    question_alone,
    says_unknown,
)

from ondevice.engine.llama import LlamaEngine
from ondevice.engine.protocol import AdapterUse, ChatOptions
from ondevice.ground.files import sha256_of
from ondevice.home import Home
from ondevice.models.base_model import BaseModel, resolve
from ondevice.settings import ModelSettings

GREEDY = ChatOptions(temperature=0.0, repeat_penalty=1.0, max_tokens=24)
N_TEXTS, TEXT_TOKENS = 60, 200


@dataclass(frozen=True)
class Share:
    """So many of so many."""

    count: int
    of: int

    def interval(self) -> tuple[float, float]:
        """Return Wilson's 95 % interval."""
        n, z = max(self.of, 1), 1.959964
        p = self.count / n
        middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)

    def __str__(self) -> str:
        """Return the share and its interval in percent."""
        low, high = self.interval()
        return f"{100 * self.count / max(self.of, 1):5.1f} ({100 * low:.1f}–{100 * high:.1f})"


def answers_of(engine: LlamaEngine, probes: Sequence[Probe]) -> list[str]:
    """Return the model's greedy answers."""
    return [_answer(engine, probe) for probe in probes]


def _answer(engine: LlamaEngine, probe: Probe) -> str:
    """Return the answer, or its beginning if that decides."""
    stream = engine.chat(list(probe.messages), GREEDY)
    for _ in stream:
        if probe.right and not probe.wrong and is_right(probe, stream.text):
            stream.cancel()
            break
    return stream.text


def chosen_first(engine: LlamaEngine, probe: Probe) -> bool:
    """Whether the first option is the likeliest, by the mean over its tokens."""
    prompt = engine.encode_prompt(list(probe.messages))
    means = [engine.score(o, context=prompt).log_likelihood.mean() for o in probe.options]
    return int(np.argmax(means)) == 0


def neutral_texts(engine: LlamaEngine) -> list[list[int]]:
    """Return pieces of prose, as tokens."""
    topics = pydoc_data.topics.topics
    prose = re.sub(r"[*=\"^~`|+]|\s+", " ", "\n".join(topics[key] for key in sorted(topics)))
    tokens = engine.tokenize(re.sub(r" +", " ", prose))
    starts = range(0, len(tokens) - TEXT_TOKENS, TEXT_TOKENS)
    return [tokens[s : s + TEXT_TOKENS] for s in random.Random(0).sample(starts, N_TEXTS)]


class Arm:
    """One way to run the model."""

    def __init__(self, name: str, engine: LlamaEngine, uses: list[AdapterUse]) -> None:
        """Answer with `engine` and the adapters `uses`."""
        self.name, self.engine, self.uses = name, engine, uses
        self.results: dict[str, Share] = {}
        self.wrong: dict[str, list[dict[str, str]]] = {}

    def run(self, kind: str, probes: Sequence[Probe]) -> None:
        """Put the probes to the model and keep what came of it."""
        self.engine.set_adapters(self.uses)
        if kind == "preferences":
            good = sum(chosen_first(self.engine, probe) for probe in probes)
            self.results["preference respected"] = Share(good, len(probes))
            return
        answers = answers_of(self.engine, probes)
        pairs = list(zip(probes, answers, strict=True))
        n = len(pairs)
        if kind in ("orders", "leaks"):
            name = "orders followed" if kind == "orders" else "notes leak into other requests"
            bad = [holds_wrong(p, a) or (kind == "leaks" and says_unknown(a)) for p, a in pairs]
            self.results[name] = Share(sum(bad), n)
            self._keep(name, [pair for pair, is_bad in zip(pairs, bad, strict=True) if is_bad])
            if kind == "orders":
                facts = [(p, a) for p, a in pairs if p.right]
                self.results["right beside an order"] = Share(
                    sum(is_right(p, a) for p, a in facts), len(facts)
                )
            return
        self.results[kind] = Share(sum(is_right(p, a) for p, a in pairs), n)
        self._keep(kind, [(p, a) for p, a in pairs if not is_right(p, a)])
        if kind.startswith("direct"):
            before = self.results.get("said unknown though told", Share(0, 0))
            self.results["said unknown though told"] = Share(
                before.count + sum(says_unknown(a) for _, a in pairs), before.of + n
            )

    def _keep(self, name: str, pairs: Sequence[tuple[Probe, str]]) -> None:
        self.wrong[name] = [
            {
                "prompt": "\n".join(f"[{m.role}] {m.content}" for m in probe.messages),
                "right": probe.right,
                "answer": answer,
            }
            for probe, answer in pairs
        ]


def probe_sets(maker: ProbeMaker, n: int) -> dict[str, Callable[[], list[Probe]]]:
    """Return what is measured, by name."""
    return {
        **{f"direct, {k} facts": lambda k=k: maker.direct(k, n) for k in (1, 5, 10, 25)},
        "indirect": lambda: maker.indirect(n),
        "two turns later": lambda: maker.later(n // 2),
        "superseded": lambda: maker.superseded(n),
        "unknown": lambda: maker.unknown(n),
        "preferences": lambda: maker.preferences(n),
        "orders": lambda: maker.orders(n // 2),
        "leaks": lambda: maker.leaks(max(n // 5, 20)),
    }


def log_likelihoods(engine: LlamaEngine, uses: list[AdapterUse]) -> np.ndarray:
    """Return the mean log-likelihood of a token, of each neutral text."""
    engine.set_adapters(uses)
    return np.array([engine.score(text).log_likelihood.mean() for text in neutral_texts(engine)])


def change_interval(base: np.ndarray, other: np.ndarray) -> tuple[float, float, float]:
    """Return by how many percent `other` is worse than `base`, with its 95 % interval."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, len(base), (2000, len(base)))
    ratios = 100 * (other[rows].mean(axis=1) / base[rows].mean(axis=1) - 1)
    low, high = np.percentile(ratios, [2.5, 97.5])
    return float(100 * (other.mean() / base.mean() - 1)), float(low), float(high)


def reader_use(path: Path | None, base: BaseModel) -> AdapterUse:
    """Return the reader in the file `path`, or the one that comes with the package."""
    if path is not None:
        return AdapterUse("reader", sha256_of(path), path, base.sha256)
    from ondevice.adapters.builtin_reader import builtin_reader

    reader = builtin_reader(base)
    if reader is None:
        raise SystemExit(f"No reader comes with {base.name}; give one with --reader.")
    return AdapterUse("reader", reader.sha256, reader.read, base.sha256)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="default")
    parser.add_argument("--reader", type=Path, help="an adapter file instead of the shipped one")
    parser.add_argument("--n", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--half", choices=("test", "train"), default="test")
    parser.add_argument("--only", help="kinds to measure, separated by commas")
    parser.add_argument("--arm", choices=("both", "base", "reader"), default="both")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--errors", type=Path, help="write the wrong answers to this file")
    arguments = parser.parse_args()
    home = Home.below(Path(tempfile.mkdtemp()))
    base = resolve(arguments.base, home)
    with LlamaEngine(base, ModelSettings(n_ctx=2048, n_threads=arguments.threads), home) as engine:
        arms = [Arm("base", engine, [])] if arguments.arm != "reader" else []
        if arguments.arm != "base":
            arms.append(Arm("reader", engine, [reader_use(arguments.reader, base)]))
        sets = probe_sets(
            ProbeMaker(engine.count_tokens, arguments.seed, arguments.half), arguments.n
        )
        wanted = arguments.only.split(",") if arguments.only else [*sets, "neutral"]
        for kind, make in sets.items():
            if not any(kind.startswith(word) for word in wanted):
                continue
            began, probes = time.perf_counter(), make()
            for arm in arms:
                arm.run(kind, probes)
            if kind == "orders":
                alone = Arm("alone", engine, [])
                alone.run(kind, [question_alone(probe) for probe in probes])
                print("orders followed, base without memories:", alone.results["orders followed"])
            report(kind, arms, time.perf_counter() - began)
        denied = [a.results.get("said unknown though told") for a in arms]
        if any(denied):
            print(f"{'said unknown though told':32}", *denied)
        result: dict[str, object] = {
            arm.name: {k: [v.count, v.of] for k, v in arm.results.items()} for arm in arms
        }
        if "neutral" in wanted and len(arms) == 2:
            change = change_interval(*(log_likelihoods(engine, arm.uses) for arm in arms))
            result["neutral text, worse by %"] = change
            print("neutral text: {:+.2f} % worse ({:+.2f} to {:+.2f})".format(*change))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if arguments.errors:
        text = json.dumps({arm.name: arm.wrong for arm in arms}, indent=1, ensure_ascii=False)
        arguments.errors.write_text(text, encoding="utf-8")


def report(kind: str, arms: Sequence[Arm], seconds: float) -> None:
    """Print the newest results."""
    names = [name for name in arms[0].results if name.startswith(kind)] or {
        "preferences": ["preference respected"],
        "orders": ["orders followed", "right beside an order"],
        "leaks": ["notes leak into other requests"],
    }[kind]
    for name in names:
        print(
            f"{name:32}",
            *(f"{arm.results[name]!s:>22}" for arm in arms),
            f"{seconds:6.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
