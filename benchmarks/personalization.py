"""Does personalization help, whom, and where does it not?

For several speakers of a folder of speeches (files `YEAR-Name….txt`) and users of
a file of chats (`{name: {"history": {date: [{"query", "response"}]}}}`) this makes
an encrypted profile in a temporary folder, learns from it as `ondevice learn`
does, and measures the four arms on what was held out by time. The adapter of each
speaker is then measured on the held-out text of the others, as a control: it must
help its own speaker more than anybody else's does. Prints tables with 95 % intervals and
writes `results/personalization.json` and `.svg`, anew after each person.

    python benchmarks/personalization.py --speeches DIR --chats FILE [--threads 1]

Each training sees `--tokens` at the most, so that four speakers and four users take about
three quarters of an hour on one core; `--thorough` learns and judges all that `learn` does.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from throwaway import throwaway_home

from ondevice.engine.llama import LlamaEngine
from ondevice.engine.prompt import shared_prefix
from ondevice.engine.protocol import AdapterUse
from ondevice.evaluation.arms import plain_messages
from ondevice.evaluation.bootstrap import Bootstrap, Estimate
from ondevice.evaluation.evaluate import Evaluation, EvaluationSettings
from ondevice.evaluation.evaluate import records_in_scope as records_of
from ondevice.evaluation.items import build_items
from ondevice.evaluation.likelihood import scorer_for, set_adapters
from ondevice.evaluation.measure import nats_of
from ondevice.evaluation.report import headline, rows
from ondevice.evaluation.split import split
from ondevice.ground.svg import Dot, Label, Line, Part, Picture
from ondevice.home import Home
from ondevice.learning.options import LearnEvent, LearnOptions
from ondevice.learning.run import learn
from ondevice.memory.embedders.choose import open_embedder
from ondevice.memory.embedders.protocol import Embedder
from ondevice.memory.embedding import embedded
from ondevice.memory.facts import facts_in
from ondevice.memory.search import Recall
from ondevice.models.base_model import BaseModel, resolve
from ondevice.settings import LearningSettings, ModelSettings, RecallSettings, Settings
from ondevice.store.profile import Profile
from ondevice.store.records import NewPassage

WORDS_A_PASSAGE = 110
SHORTEST = 20  # words of a passage
SPECIFIC = "own - others"  # the row of the controls that is about the person
SAY_EVERY = 20.0  # seconds, while something takes long

Control = tuple[str, str, Estimate]  # adapter of, text of, gain in nats a token


@dataclass(frozen=True)
class Person:
    """Somebody with a profile that has been learned from."""

    name: str
    profile: Profile
    adapter: AdapterUse | None
    evaluation: Evaluation | None
    outcome: str
    steps: int
    seconds: dict[str, float]  # of each stage


@dataclass
class Results:
    """What was found so far; written again whenever something is added."""

    options: argparse.Namespace
    base: BaseModel
    persons: list[Person] = field(default_factory=list)
    controls: list[Control] = field(default_factory=list)

    def add(self, *, person: Person | None = None, controls: Iterable[Control] = ()) -> None:
        """Add and write."""
        if person is not None:
            self.persons.append(person)
        self.controls += controls
        _write(self)


def main() -> None:
    """Learn, measure, print and write."""
    options = _options()
    started = time.monotonic()
    with throwaway_home() as home:
        base = resolve(options.model, home)
        embedder = open_embedder(RecallSettings().embedder, Home.default(), threads=options.threads)
        results = Results(options, base)
        with LlamaEngine(base, ModelSettings(n_threads=options.threads), home) as engine:
            for name in options.speakers.split(",") if options.speeches else []:
                profile = speaker_profile(home, name, options, embedder)
                results.add(person=_learned(name, profile, engine, base, embedder, options))
            for found in _controls(list(results.persons), engine, options):
                results.add(controls=found)
            _print_controls(results.controls)
            for name, days in _chats(options):
                profile = user_profile(home, name, days, embedder)
                results.add(person=_learned(name, profile, engine, base, embedder, options))
        for person in results.persons:
            person.profile.close()
    path = _written_to(options)
    print(f"\n{time.monotonic() - started:.0f} s\n{path}\n{path.with_suffix('.svg')}")


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
    parser.add_argument("--tokens", type=int, default=40_000,
                        help="that a training sees at the most; 0: all of its epochs")  # fmt: skip
    parser.add_argument("--fast", action="store_true", help="fewer and shorter items")
    parser.add_argument("--thorough", action="store_true",
                        help="all epochs, paraphrases and audits")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="fast, two of each, a short training")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    if options.speeches is None and options.chats is None:
        parser.error("give --speeches, --chats or both")
    if options.quick:
        options.speakers = ",".join(options.speakers.split(",")[:2])
        options.users, options.passages = min(options.users, 2), min(options.passages, 80)
        options.fast, options.tokens = True, min(options.tokens or 8000, 8000)
    if options.thorough:
        options.tokens = 0
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
        source = profile.sources.add("import", path.name)
        new = [NewPassage(text, time=moment) for text in texts]
        profile.passages.add(source.id, new, embedded(embedder, texts))
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
        conversation = profile.turns.new_conversation(day)
        moment = datetime.fromisoformat(day).replace(hour=9, tzinfo=UTC).timestamp()
        for number, exchange in enumerate(exchanges):
            at = moment + 60 * number
            said = exchange["query"]
            vector = embedded(embedder, [said])
            profile.turns.add(conversation, "user", said, time=at, vector=vector)
            profile.turns.add(conversation, "assistant", exchange["response"], time=at + 30)
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
    recall = Recall(profile, embedder)
    learning = LearningSettings(epochs=options.epochs, paraphrases=options.thorough)
    how = LearnOptions(
        token_budget=options.tokens or None,
        quick=options.fast,
        audits=options.thorough,
        threads=options.threads,
    )
    said = Said(name)
    print(f"\n{name}", flush=True)
    report = learn(profile, engine, recall, Settings(learning=learning), options=how, tell=said)
    adapter = _use(profile, report.adapter, base) if report.adapter else None
    times = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in said.seconds.items())
    print(f"{name}: {report.outcome} ({report.reason}); {report.steps} steps; {times}")
    if report.evaluation is not None:
        for metric, arm, value, interval, n in rows(report.evaluation.table):
            print(f"  {metric:<28}{arm:<9}{value:>9}  {interval:<20} n={n}")
        print(f"  {headline(report.evaluation.table)}")
        print(f"  decision: {report.evaluation.decision.summary}", flush=True)
    return Person(
        name, profile, adapter, report.evaluation, report.outcome, report.steps, said.seconds
    )


class Said:
    """Says from time to time how far a run is, and takes the time of its stages."""

    def __init__(self, name: str) -> None:
        """Say it of the person `name`."""
        self.seconds: dict[str, float] = {}
        self._name = name
        self._stage = ""
        self._last = self._said = time.monotonic()

    def __call__(self, event: LearnEvent) -> None:
        """Hear of an event."""
        now = time.monotonic()
        if self._stage:
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._last
        self._last = now
        if event.stage == self._stage and now - self._said < SAY_EVERY:
            return
        self._stage, self._said = event.stage, now
        parts = [f"  {self._name}: {event.stage}"]
        if event.total:
            parts.append(f"{event.done:.0f} of {event.total:.0f}")
        if event.training is not None and event.training.loss is not None:
            speed = event.training.tokens_per_second or 0.0
            parts.append(f"loss {event.training.loss:.3f}, {speed:.0f} tokens/s")
        print(" ".join(parts), flush=True)


def _use(profile: Profile, name: str, base: BaseModel) -> AdapterUse:
    from ondevice.adapters.registry import AdapterRegistry

    registry = AdapterRegistry(profile)
    row = registry.get(name)
    return AdapterUse(name, row.file_sha256, lambda: registry.read(name), base.sha256)


def _controls(
    speakers: list[Person], engine: LlamaEngine, options: argparse.Namespace
) -> Iterator[list[Control]]:
    """Yield for the text of each speaker what every adapter gains, without memory in the prompt.

    The gain is that over the base; for `SPECIFIC`, what the own adapter gains over the
    mean of the others'. All adapters learn to go on with a speech instead of answering
    like an assistant; only the latter figure is about the person.
    """
    if not speakers:
        return
    settings = EvaluationSettings.fast() if options.fast else EvaluationSettings()
    below = _reader(engine.model)
    scorer = scorer_for(engine)
    for reader in speakers:
        print(f"  controls on the text of {reader.name}", flush=True)
        records = records_of(reader.profile, None)
        held_out = split(records).held_out
        texts = build_items(records, held_out, settings=settings.items).texts
        prompts = [engine.encode_prompt(plain_messages(item.request)) for item in texts]
        tokens = [engine.tokenize(item.text) for item in texts]
        nats: dict[str, npt.NDArray[np.float64]] = {}
        for writer, uses in [("", []), *((w.name, [w.adapter]) for w in speakers if w.adapter)]:
            set_adapters(engine, scorer, [*below, *uses])
            shared = shared_prefix(prompts)
            pairs = zip(tokens, prompts, strict=True)
            nats[writer] = np.array([nats_of(scorer, *pair, shared) for pair in pairs])
        engine.set_adapters([])
        lengths = [len(text) for text in tokens]
        sample = Bootstrap([item.cluster for item in texts], settings.bootstrap)
        base = nats.pop("")
        found = [(w, reader.name, sample.ratio(base - own, lengths)) for w, own in nats.items()]
        others = [values for writer, values in nats.items() if writer != reader.name]
        if reader.name in nats and others:
            specific = np.mean(others, axis=0) - nats[reader.name]
            found.append((SPECIFIC, reader.name, sample.ratio(specific, lengths)))
        yield found


def _reader(base: BaseModel) -> list[AdapterUse]:
    """Return the shared reader that lies under every personal adapter, if this base has one."""
    from ondevice.adapters.builtin_reader import builtin_reader

    found = builtin_reader(base)
    if found is None:
        return []
    return [AdapterUse("reader", found.sha256, found.read, found.base_sha256)]


# --- results ------------------------------------------------------------------------------


def _print_controls(controls: list[Control]) -> None:
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


def _write(found: Results) -> None:
    options = found.options
    options.out.mkdir(parents=True, exist_ok=True)
    results = {
        "base": found.base.sha256,
        "fast": options.fast,
        "epochs": options.epochs,
        "tokens": options.tokens or None,
        "persons": [
            {
                "name": person.name,
                "outcome": person.outcome,
                "steps": person.steps,
                "seconds": {stage: round(took, 1) for stage, took in person.seconds.items()},
                "figures": _listed(person.evaluation.table.figures) if person.evaluation else [],
                "gains": _listed(person.evaluation.table.gains) if person.evaluation else [],
                "decision": person.evaluation.decision.summary if person.evaluation else None,
            }
            for person in found.persons
        ],
        "controls": [
            {"adapter": adapter, "text": text, **dataclasses.asdict(gain)}
            for adapter, text, gain in found.controls
        ],
    }
    path = _written_to(options)
    path.write_text(json.dumps(results, indent=1) + "\n")
    path.with_suffix(".svg").write_text(forest(found.persons, found.controls).svg())


def _written_to(options: argparse.Namespace) -> Path:
    path: Path = options.out / "personalization.json"
    return path


def _listed(estimates: Any) -> list[dict[str, Any]]:
    return [{"of": list(key), **dataclasses.asdict(e)} for key, e in estimates.items()]


def forest(persons: list[Person], controls: list[Control]) -> Picture:
    """Return a picture of what each adapter gains on its own person's text and on others'."""
    lines: list[tuple[str, Estimate, str]] = []
    for person in persons:
        if person.evaluation is not None:
            gain = person.evaluation.table.gain("hybrid", "prompt", "text")
            if gain.n:
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
