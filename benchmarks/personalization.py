"""Does personalization help, whom, and where does it not?

For several speakers of a folder of speeches (files `YEAR-Name….txt`) and users of
a file of chats (`{name: {"history": {date: [{"query", "response"}]}}}`) this makes
an encrypted profile in a temporary folder, learns from it as `ondevice learn`
does, and measures the four arms on what was held out by time. The adapter of each
speaker is then measured on the held-out text of the others, as a control: it must
help its own speaker more than anybody else's does. Prints tables with 95 % intervals and
writes `results/personalization.json` and `.svg`.

    python benchmarks/personalization.py --speeches DIR --chats FILE [--fast --epochs 1]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ondevice.base.models import BaseModel, resolve
from ondevice.engine.llama import LlamaEngine
from ondevice.engine.protocol import AdapterUse
from ondevice.evaluation.arms import plain_messages
from ondevice.evaluation.bootstrap import Bootstrap, Estimate
from ondevice.evaluation.evaluate import Evaluation, EvaluationSettings
from ondevice.evaluation.evaluate import records_in_scope as records_of
from ondevice.evaluation.items import build_items
from ondevice.evaluation.measure import nats_of
from ondevice.evaluation.report import headline, rows
from ondevice.evaluation.split import split
from ondevice.home import Home
from ondevice.learning.options import LearnOptions
from ondevice.learning.run import learn
from ondevice.picture import Dot, Label, Line, Part, Picture
from ondevice.profile.records import NewPassage
from ondevice.profile.store import Profile
from ondevice.recall.embedder import Embedder
from ondevice.recall.facts import facts_in
from ondevice.recall.search import Recall
from ondevice.settings import LearningSettings, ModelSettings, Settings

WORDS_A_PASSAGE = 110
SHORTEST = 20  # words of a passage
SPECIFIC = "own - others"  # the row of the controls that is about the person


@dataclass(frozen=True)
class Person:
    """Somebody with a profile that has been learned from."""

    name: str
    profile: Profile
    adapter: AdapterUse | None
    evaluation: Evaluation | None
    outcome: str
    seconds: float


def main() -> None:
    """Learn, measure, print and write."""
    options = _options()
    persons: list[Person] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Home.below(Path(folder))
        passphrase = Path(folder) / "passphrase"
        passphrase.write_text("a benchmark's own")
        os.environ["ONDEVICE_PASSPHRASE_FILE"] = str(passphrase)
        base, embedder = resolve(options.model, home), Embedder()
        with LlamaEngine(base, ModelSettings(n_threads=options.threads), home) as engine:
            speakers = []
            for name in options.speakers.split(",") if options.speeches else []:
                profile = speaker_profile(home, name, options, embedder)
                speakers.append(_learned(name, profile, engine, base, embedder, options))
            persons += speakers
            for name, days in _chats(options):
                profile = user_profile(home, name, days, embedder)
                persons.append(_learned(name, profile, engine, base, embedder, options))
            controls = list(_controls(speakers, engine, options))
        for person in persons:
            person.profile.close()
    _print_controls(controls)
    _write(options, base, persons, controls)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speeches", type=Path, help="folder of files YEAR-Name.txt")
    parser.add_argument("--chats", type=Path, help="JSON file of users and their days")
    parser.add_argument("--speakers", default="Truman,Kennedy,Reagan,Clinton")
    parser.add_argument("--users", type=int, default=4, help="how many users of the chats")
    parser.add_argument("--passages", type=int, default=240, help="of a speaker, at the most")
    parser.add_argument("--model", default="default")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--epochs", type=float, default=LearningSettings.epochs)
    parser.add_argument("--fast", action="store_true", help="fewer items, no paraphrases or audits")
    parser.add_argument("--quick", action="store_true", help="fast, two of each, one short pass")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    if options.speeches is None and options.chats is None:
        parser.error("give --speeches, --chats or both")
    if options.quick:
        options.speakers = ",".join(options.speakers.split(",")[:2])
        options.users, options.passages = min(options.users, 2), min(options.passages, 80)
        options.fast, options.epochs = True, 1.0
    return options


# --- profiles -------------------------------------------------------------------------


def speaker_profile(
    home: Home, name: str, options: argparse.Namespace, embedder: Embedder
) -> Profile:
    """Return a profile with the speeches of one speaker, each passage with its year."""
    profile = Profile.create(home, f"speaker-{name}")
    files = sorted(path for path in options.speeches.iterdir() if f"-{name}" in path.name)
    if not files:
        raise SystemExit(f"{options.speeches} has no file of {name}.")
    for path in files:
        moment = datetime(int(path.name[:4]), 1, 20, 12, tzinfo=UTC).timestamp()
        texts = list(_passages(path.read_text(encoding="latin-1")))
        texts = texts[: max(1, options.passages // len(files))]
        source = profile.add_source("import", path.name)
        new = [NewPassage(text, time=moment) for text in texts]
        profile.add_passages(source.id, new, embedder.embed(texts))
    return profile


def _passages(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text):
        words = paragraph.split()
        for start in range(0, len(words), WORDS_A_PASSAGE):
            part = words[start : start + WORDS_A_PASSAGE]
            if len(part) >= SHORTEST:
                yield " ".join(part)


def _chats(options: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    if options.chats is None:
        return
    users = json.loads(options.chats.read_text(encoding="utf-8"))
    for name in list(users)[: options.users]:
        yield name, users[name]["history"]


def user_profile(home: Home, name: str, days: dict[str, Any], embedder: Embedder) -> Profile:
    """Return a profile with the chats of one user, and the facts that are found in them."""
    profile = Profile.create(home, f"user-{name}")
    recall = Recall(profile, embedder)
    for day, exchanges in days.items():
        conversation = profile.new_conversation(day)
        moment = datetime.fromisoformat(day).replace(hour=9, tzinfo=UTC).timestamp()
        for number, exchange in enumerate(exchanges):
            at = moment + 60 * number
            said = exchange["query"]
            vector = embedder.embed([said])[0]
            profile.add_turn(conversation, "user", said, time=at, vector=vector)
            profile.add_turn(conversation, "assistant", exchange["response"], time=at + 30)
            for candidate in facts_in(said):
                recall.add_fact(candidate, source_id=conversation)
    return profile


# --- learning and measuring ---------------------------------------------------------------


def _learned(
    name: str,
    profile: Profile,
    engine: LlamaEngine,
    base: BaseModel,
    embedder: Embedder,
    options: argparse.Namespace,
) -> Person:
    """Learn from the profile, and print what came of it."""
    started = time.monotonic()
    recall = Recall(profile, embedder)
    learning = LearningSettings(epochs=options.epochs, paraphrases=not options.fast)
    settings = Settings(learning=learning)
    how = LearnOptions(quick=options.fast, threads=options.threads)
    report = learn(profile, engine, recall, settings, options=how)
    seconds = time.monotonic() - started
    adapter = _use(profile, report.adapter, base) if report.adapter else None
    print(f"\n{name}: {report.outcome} ({report.reason}), {report.tokens} tokens, {seconds:.0f} s")
    if report.evaluation is not None:
        for metric, arm, value, interval, n in rows(report.evaluation.table):
            print(f"  {metric:<28}{arm:<9}{value:>9}  {interval:<20} n={n}")
        print(f"  {headline(report.evaluation.table)}")
        print(f"  decision: {report.evaluation.decision.summary}", flush=True)
    return Person(name, profile, adapter, report.evaluation, report.outcome, seconds)


def _use(profile: Profile, name: str, base: BaseModel) -> AdapterUse:
    from ondevice.adapters.registry import AdapterRegistry

    registry = AdapterRegistry(profile)
    row = registry.get(name)
    return AdapterUse(name, row.file_sha256, lambda: registry.read(name), base.sha256)


def _controls(
    speakers: list[Person], engine: LlamaEngine, options: argparse.Namespace
) -> Iterator[tuple[str, str, Estimate]]:
    """Yield (adapter of, text of, gain in nats a token) without memory in the prompt.

    The gain is that over the base; for `SPECIFIC`, what the own adapter gains over the
    mean of the others'. All adapters learn to go on with a speech instead of answering
    like an assistant; only the latter figure is about the person.
    """
    settings = EvaluationSettings.fast() if options.fast else EvaluationSettings()
    below = _reader(engine.model)
    for reader in speakers:
        records = records_of(reader.profile, None)
        held_out = split(records).held_out
        texts = build_items(records, held_out, settings=settings.items).texts
        prompts = [engine.encode_prompt(plain_messages(item.request)) for item in texts]
        tokens = [engine.tokenize(item.text) for item in texts]
        lengths = [len(text) for text in tokens]

        def nats(uses: list[AdapterUse], scored: Any = (tokens, prompts)) -> Any:
            engine.set_adapters(uses)
            return np.array([nats_of(engine, *pair) for pair in zip(*scored, strict=True)])

        base = nats(below)
        adapted = {w.name: nats([*below, w.adapter]) for w in speakers if w.adapter is not None}
        engine.set_adapters([])
        sample = Bootstrap([item.cluster for item in texts], settings.bootstrap)
        for writer, values in adapted.items():
            yield writer, reader.name, sample.ratio(base - values, lengths)
        others = [values for writer, values in adapted.items() if writer != reader.name]
        if reader.name in adapted and others:
            specific = np.mean(others, axis=0) - adapted[reader.name]
            yield SPECIFIC, reader.name, sample.ratio(specific, lengths)


def _reader(base: BaseModel) -> list[AdapterUse]:
    """Return the shared reader that lies under every personal adapter, if this base has one."""
    from ondevice.adapters.reader import builtin_reader

    found = builtin_reader(base)
    if found is None:
        return []
    return [AdapterUse("reader", found.sha256, found.read, found.base_sha256)]


# --- results ------------------------------------------------------------------------------


def _print_controls(controls: list[tuple[str, str, Estimate]]) -> None:
    if not controls:
        return
    names = list(dict.fromkeys(text for _, text, _ in controls))
    print("\nGain over the base on held-out text, nats a token (row: adapter of, column: text of)")
    print(" " * 12 + "".join(f"{name:>24}" for name in names))
    for writer in dict.fromkeys(adapter for adapter, _, _ in controls):
        cells = [
            f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"
            for adapter, _, gain in controls
            if adapter == writer
        ]
        print(f"{writer:<12}" + "".join(f"{cell:>24}" for cell in cells))


def _write(
    options: argparse.Namespace,
    base: BaseModel,
    persons: list[Person],
    controls: list[tuple[str, str, Estimate]],
) -> None:
    options.out.mkdir(parents=True, exist_ok=True)
    results = {
        "base": base.sha256,
        "fast": options.fast,
        "epochs": options.epochs,
        "persons": [
            {
                "name": person.name,
                "outcome": person.outcome,
                "seconds": round(person.seconds, 1),
                "figures": _listed(person.evaluation.table.figures) if person.evaluation else [],
                "gains": _listed(person.evaluation.table.gains) if person.evaluation else [],
                "decision": person.evaluation.decision.summary if person.evaluation else None,
            }
            for person in persons
        ],
        "controls": [
            {"adapter": adapter, "text": text, **dataclasses.asdict(gain)}
            for adapter, text, gain in controls
        ],
    }
    path = options.out / "personalization.json"
    path.write_text(json.dumps(results, indent=1) + "\n")
    picture = path.with_suffix(".svg")
    picture.write_text(forest(persons, controls).svg())
    print(f"\n{path}\n{picture}")


def _listed(estimates: Any) -> list[dict[str, Any]]:
    return [{"of": list(key), **dataclasses.asdict(e)} for key, e in estimates.items()]


def forest(persons: list[Person], controls: list[tuple[str, str, Estimate]]) -> Picture:
    """Return a picture of what each adapter gains on its own person's text and on others'."""
    lines: list[tuple[str, Estimate, str]] = []
    for person in persons:
        if person.evaluation is not None:
            gain = person.evaluation.table.gain("hybrid", "prompt", "text")
            lines.append((f"{person.name}, beside memory", gain, "#2b8a57"))
    for adapter, text, gain in controls:
        if adapter == SPECIFIC:
            lines.append((f"{text}: own adapter over others'", gain, "#c0832b"))
        elif adapter == text:
            lines.append((f"{adapter}'s adapter, own text", gain, "#1f4e79"))
        else:
            lines.append((f"{adapter}'s adapter on {text}", gain, "#8a94a0"))
    ends = [0.0, *(end for _, gain, _ in lines for end in (gain.low, gain.high))]
    low, high = min(ends) - 0.05, max(ends) + 0.05

    def x(value: float) -> float:
        return 240 + 380 * (value - low) / (high - low)

    height = 60 + 20 * len(lines)
    title = "Gain on held-out text, nats a token (95 % intervals)"
    parts: list[Part] = [
        Label(12, 20, title, "start", "#000000"),
        Line(((x(0), 30), (x(0), height - 14)), "#cccccc", 1),
    ]
    for number, (label, gain, colour) in enumerate(lines):
        y = 44 + 20 * number
        parts.append(Label(12, y + 4, label, "start", "#000000"))
        parts.append(Line(((x(gain.low), y), (x(gain.high), y)), colour, 3))
        parts.append(Dot(x(gain.value), y, 4, colour))
        parts.append(Label(700, y + 4, f"{gain.value:+.3f}", "end", "#000000"))
    return Picture(720, height, parts)


if __name__ == "__main__":
    main()
