"""Evaluation of a profile: the four arms measured on the same items, the table, the decision."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ondevice.engine.borrowing import borrowed
from ondevice.engine.prompt import shared_prefix
from ondevice.evaluation.arms import (
    ACTIVE_ARM,
    ALL_ARMS,
    Arm,
    MemoryPrompts,
    plain_messages,
)
from ondevice.evaluation.audits import Audit, AuditSettings, AuditTexts, run_audits
from ondevice.evaluation.bootstrap import BootstrapSettings
from ondevice.evaluation.decision import Decision, GateSettings, decide
from ondevice.evaluation.items import Items, ItemSettings, build_items
from ondevice.evaluation.likelihood import Scorer, scorer_for, set_adapters
from ondevice.evaluation.measure import (
    AT_ONCE,
    exact_match,
    is_right,
    nats_of,
    option_scores,
    short_answers,
    token_f1,
)
from ondevice.evaluation.split import Split, SplitSettings, content_hash, own_texts, split
from ondevice.evaluation.table import ArmName, Metric, Outcome, Table, build_table
from ondevice.remedies import Notice, Remedy
from ondevice.store.records import ANY_SCOPE, AnyRecord

if TYPE_CHECKING:
    from ondevice.engine.protocol import AdapterUse, Engine
    from ondevice.memory.search import Recall
    from ondevice.models.messages import Message
    from ondevice.settings import RecallSettings
    from ondevice.store.profile import Profile

# Called with what is done, what there is to do, and what is being done.
Progress = Callable[[float, float, str], None]


@dataclass(frozen=True)
class EvaluationSettings:
    """All settings of an evaluation."""

    split: SplitSettings = field(default_factory=SplitSettings)
    items: ItemSettings = field(default_factory=ItemSettings)
    bootstrap: BootstrapSettings = field(default_factory=BootstrapSettings)
    gate: GateSettings = field(default_factory=GateSettings)

    @classmethod
    def fast(cls) -> EvaluationSettings:
        """Return the settings of a quick look with fewer items."""
        return cls(items=ItemSettings.fast())

    def within(self, neutral_growth: float) -> EvaluationSettings:
        """Return these settings with another bound for the perplexity of neutral text."""
        gate = dataclasses.replace(self.gate, neutral_growth=neutral_growth)
        return dataclasses.replace(self, gate=gate)


@dataclass(frozen=True)
class Evaluation:
    """What was measured and what follows.

    Attributes:
        table: figures and gains with their intervals.
        decision: the arm to use, and why.
        counts: items of each kind.
        notes: sentences about what was left out.
        seconds: how long it took.
    """

    table: Table
    decision: Decision
    counts: dict[str, int]
    notes: tuple[str, ...]
    seconds: float


def records_in_scope(profile: Profile, scope: str | None) -> list[AnyRecord]:
    """Return all facts, passages, turns and verdicts that a chat in `scope` may use.

    Both the split and the items must be made of these.
    """
    turns = [
        turn
        for turn in profile.turns.all()
        if scope == ANY_SCOPE or turn.scope is None or turn.scope == scope
    ]
    return [
        *profile.facts.all(scope=scope),
        *profile.passages.all(scope=scope),
        *turns,
        *profile.feedback.all(),
    ]


def evaluate(
    engine: Engine,
    profile: Profile,
    recall: Recall,
    recall_settings: RecallSettings,
    *,
    candidate: AdapterUse | None = None,
    active: AdapterUse | None = None,
    below: Sequence[AdapterUse] = (),
    scope: str | None = None,
    trained_on: Collection[str] = (),
    settings: EvaluationSettings | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure every arm on what the profile's split has kept back.

    The engine's adapters are put back afterwards, also if it is interrupted.

    Args:
        engine: with the base model loaded or ready to load.
        profile: whose records.
        recall: over the same profile.
        recall_settings: budgets of the notes, as in chats.
        candidate: the adapter to judge; without one only base and prompt are measured.
        active: the adapter in use that the candidate would replace, measured on the same items.
        below: adapters that are applied in every arm, under the candidate.
        scope: the context, as in a chat.
        trained_on: ids that either adapter lists; held-out items among them are left out.
        settings: numbers of items, bootstrap and bounds.
        progress: called often.

    Raises:
        AdapterError: the candidate is refused.
        EngineError: the model failed.
    """
    settings = settings or EvaluationSettings()
    started = time.monotonic()
    records = records_in_scope(profile, scope)
    parts = split(records, settings.split)
    items = build_items(records, parts.held_out, trained_on=trained_on, settings=settings.items)
    prompts = MemoryPrompts(
        profile, recall, engine, recall_settings, scope=scope, held_out=parts.held_out
    )
    arms = [arm for arm in ALL_ARMS if candidate is not None or not arm.adapter]
    if candidate is not None and active is not None:
        arms.append(ACTIVE_ARM)
    table, left_out = measure_arms(
        engine, items, prompts, arms, candidate, below, settings.bootstrap, progress, active
    )
    notes = [*items.notes, *_notes_about(items, parts, settings)]
    if left_out:
        notes.append(f"{left_out} items left out: too long for the model's context.")
    counts = {
        "text": len(items.texts),
        "choices": len(items.choices),
        "questions": len(items.questions),
        "neutral": len(items.neutral),
    }
    decision = decide(table, settings.gate)
    return Evaluation(table, decision, counts, tuple(notes), time.monotonic() - started)


def measure_arms(
    engine: Engine,
    items: Items,
    prompts: MemoryPrompts,
    arms: Sequence[Arm],
    candidate: AdapterUse | None,
    below: Sequence[AdapterUse] = (),
    bootstrap: BootstrapSettings | None = None,
    progress: Progress | None = None,
    active: AdapterUse | None = None,
) -> tuple[Table, int]:
    """Return the table of `arms`, and how many items did not fit the model's context."""
    work, left_out = _prepare(engine, items, prompts)
    scorer = scorer_for(engine)
    meter = _Meter(progress, work, arms)
    outcomes: dict[tuple[ArmName, Metric], Outcome] = {}
    with borrowed(engine):
        neutral: dict[bool, Outcome] = {}
        for arm in arms:
            above = active if arm is ACTIVE_ARM else candidate if arm.adapter else None
            stack = [*below, above] if above is not None else [*below]
            set_adapters(engine, scorer, stack)
            if arm is not ACTIVE_ARM:  # that one was let through already
                if arm.adapter not in neutral:  # the prompt is not part of neutral text
                    neutral[arm.adapter] = _texts(
                        scorer, work.neutral, False, meter, "neutral text"
                    )
                outcomes[arm.name, "neutral"] = neutral[arm.adapter]
            outcomes[arm.name, "text"] = _texts(
                scorer, work.texts, arm.memory, meter, arm.name, work.shared[arm.memory]
            )
            for metric, outcome in _asked(engine, scorer, work, arm, meter).items():
                outcomes[arm.name, metric] = outcome
    clusters: dict[Metric, list[str]] = {
        "text": [task.cluster for task in work.texts],
        "choices": [task.cluster for task in work.choices],
        "exact": [task.cluster for task in work.questions],
        "f1": [task.cluster for task in work.questions],
        "neutral": [task.cluster for task in work.neutral],
    }
    return build_table(outcomes, clusters, bootstrap), left_out


def audit(
    engine: Engine,
    profile: Profile,
    recall: Recall,
    recall_settings: RecallSettings,
    *,
    candidate: AdapterUse,
    below: Sequence[AdapterUse] = (),
    scope: str | None = None,
    trained_on: Collection[str] = (),
    settings: AuditSettings | None = None,
    split_settings: SplitSettings | None = None,
    progress: Progress | None = None,
) -> list[Audit]:
    """Return the audits of `candidate` with the notes of this profile; see `evaluate`."""
    records = records_in_scope(profile, scope)
    held_out = set(split(records, split_settings).held_out)
    own = sorted(own_texts(records), key=lambda record: content_hash(record.text))
    texts = AuditTexts(
        trained=[r.text for r in own if r.id in trained_on],
        held_out=[r.text for r in own if r.id in held_out and r.id not in trained_on],
    )
    prompts = MemoryPrompts(
        profile, recall, engine, recall_settings, scope=scope, held_out=held_out
    )
    return run_audits(
        engine,
        prompts,
        candidate,
        below=below,
        texts=texts,
        settings=settings,
        progress=progress,
    )


# --- tasks: items as tokens, the same for every arm -----------------------------------


@dataclass(frozen=True)
class _Task:
    """An item: the prompts without and with memory, and what is scored after either."""

    cluster: str
    messages: tuple[Sequence[Message], Sequence[Message]]
    prompts: tuple[list[int], list[int]]
    texts: tuple[list[int], ...]
    answer: str = ""

    def cost(self, memory: bool) -> float:
        """Return about how many tokens have to be evaluated."""
        return len(self.prompts[memory]) + sum(map(len, self.texts)) + 8 * 24 * bool(self.answer)


@dataclass(frozen=True)
class _Work:
    texts: list[_Task]
    choices: list[_Task]
    questions: list[_Task]
    neutral: list[_Task]

    @functools.cached_property
    def shared(self) -> tuple[int, int]:
        """With how many tokens all prompts begin, without and with memory."""
        own = [*self.texts, *self.choices, *self.questions]
        plain, full = ([task.prompts[memory] for task in own] for memory in (False, True))
        return shared_prefix(plain), shared_prefix(full)


def _prepare(engine: Engine, items: Items, prompts: MemoryPrompts) -> tuple[_Work, int]:
    tokens = engine.tokenize

    def task(
        cluster: str,
        request: str,
        texts: Sequence[str],
        *,
        answer: str = "",
        query: str | None = None,
        conversation_id: str | None = None,
    ) -> _Task:
        plain = plain_messages(request)
        full = prompts.messages(request, query=query, conversation_id=conversation_id)
        encoded = (engine.encode_prompt(plain), engine.encode_prompt(full))
        return _Task(cluster, (plain, full), encoded, tuple(map(tokens, texts)), answer)

    neutral = [
        _Task(item.cluster, ((), ()), ([], []), (tokens(item.text),)) for item in items.neutral
    ]
    work = _Work(
        [
            task(i.cluster, i.request, [i.text], query=i.query, conversation_id=i.conversation_id)
            for i in items.texts
        ],
        [task(i.cluster, i.question, i.options) for i in items.choices],
        [task(i.cluster, i.question, [], answer=i.answer) for i in items.questions],
        neutral,
    )
    left_out = 0
    for tasks in (work.texts, work.choices, work.questions, work.neutral):
        fitting = [t for t in tasks if _length(t) <= engine.n_ctx]
        left_out += len(tasks) - len(fitting)
        tasks[:] = fitting
    return work, left_out


def _length(task: _Task) -> int:
    longest = max(map(len, task.texts), default=0)
    return max(map(len, task.prompts)) + longest + 64  # room for an answer


def _texts(
    scorer: Scorer,
    tasks: Sequence[_Task],
    memory: bool,
    meter: _Meter,
    label: str,
    shared: int = 0,
) -> Outcome:
    nats = []
    for task in meter.each(tasks, memory, label):
        nats.append(nats_of(scorer, task.texts[0], task.prompts[memory], shared))
    return Outcome(np.array(nats), np.array([float(len(task.texts[0])) for task in tasks]))


def _asked(
    engine: Engine, scorer: Scorer, work: _Work, arm: Arm, meter: _Meter
) -> dict[Metric, Outcome]:
    memory, shared = arm.memory, work.shared[arm.memory]
    right = [
        is_right(option_scores(scorer, task.texts, task.prompts[memory], shared))
        for task in meter.each(work.choices, memory, arm.name)
    ]
    exact, f1 = [], []
    for start in range(0, len(work.questions), AT_ONCE):
        tasks = work.questions[start : start + AT_ONCE]
        said = short_answers(engine, [task.messages[memory] for task in tasks], shared)
        for task, answer in zip(meter.each(tasks, memory, arm.name), said, strict=True):
            exact.append(exact_match(answer, task.answer))
            f1.append(token_f1(answer, task.answer))
    ones = np.ones(len(work.questions))
    return {
        "choices": Outcome(np.array(right), np.ones(len(right))),
        "exact": Outcome(np.array(exact), ones),
        "f1": Outcome(np.array(f1), ones),
    }


class _Meter:
    """Tells the progress in tokens."""

    def __init__(self, progress: Progress | None, work: _Work, arms: Sequence[Arm]) -> None:
        self._progress = progress
        self._done = 0.0
        own = [*work.texts, *work.choices, *work.questions]
        self._total = sum(task.cost(arm.memory) for arm in arms for task in own)
        weights = len({arm.adapter for arm in arms})
        self._total += weights * sum(task.cost(False) for task in work.neutral)

    def each(self, tasks: Sequence[_Task], memory: bool, label: str) -> Iterator[_Task]:
        """Yield the tasks and count each as done when the next one is asked for."""
        for task in tasks:
            yield task
            self._done += task.cost(memory)
            if self._progress is not None:
                self._progress(self._done, self._total, label)


def _notes_about(items: Items, parts: Split, settings: EvaluationSettings) -> list[str]:
    notes = []
    if not parts.held_out:
        notes.append(
            f"Nothing was held out: fewer than {settings.split.fewest} different texts of your own."
        )
    if not items.choices:
        notes.append(Notice("There are no facts to ask about.", Remedy.ADD_MEMORY))
    return notes
