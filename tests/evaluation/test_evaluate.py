"""The four arms over a real profile and the real embedder; the fake engine plays the model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine

from ondevice.engine.protocol import AdapterUse, TokenScores
from ondevice.errors import OndeviceError
from ondevice.evaluation.decision import GateSettings
from ondevice.evaluation.evaluate import Evaluation, evaluate, records_in_scope
from ondevice.evaluation.items import ItemSettings
from ondevice.evaluation.split import split
from ondevice.home import Home
from ondevice.memory.embedders.protocol import Embedder
from ondevice.memory.embedding import embedded
from ondevice.memory.search import Recall
from ondevice.settings import RecallSettings
from ondevice.store.profile import Profile
from ondevice.store.records import NewPassage

DAY = 86_400.0
TOPICS = [
    "baking rye bread", "mending the fence", "the cello lesson", "my tax return", "planting beans",
    "the bus strike", "painting the door", "sorting old photographs",
]  # fmt: skip


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Iterator[Profile]:
    home = Home.below(tmp_path_factory.mktemp("home"))
    with Profile.create(home, "me", passphrase="a test's own") as opened:
        source = opened.sources.add("import", "diary")
        notes = [
            NewPassage(
                f"Entry {i}: today was about {TOPICS[i % 8]}, which took {i + 3} minutes longer "
                f"than I had hoped, and then number {i * i} of my list was done at last.",
                time=DAY * i,
            )
            for i in range(64)
        ]
        opened.passages.add(source.id, notes, embedded(embedder, [note.text for note in notes]))
        for text in [
            "The user lives in Ulm.", "The user's dog is called Biscuit.", "The user is a nurse.",
            "The user loves rye bread.", "The user hates bus rides.", "The user plays the cello.",
            "The user's sister is called Clara.", "The user's favourite colour is green.",
            "The user grew up in Ghent.", "The user is learning Swedish.",
            "The user is 41 years old.", "The user's birthday is 3 May.",
        ]:  # fmt: skip
            opened.facts.add(text, category="demographic", vector=embedded(embedder, [text]))
        yield opened


class ScriptedEngine(FakeEngine):
    """Likes the person's texts by `own` nats a token better with the adapter, others by `other`."""

    def __init__(self, own: float = 0.0, other: float = 0.0) -> None:
        super().__init__(("Biscuit",), n_ctx=20_000)
        self.own, self.other = own, other

    def score(self, text: str | list[int], *, context: str | list[int] = "") -> TokenScores:
        scores = super().score(text, context=context)
        assert isinstance(text, list)
        seed = hashlib.sha256(bytes(text)).digest()[0] / 255  # texts are not equally hard
        gain = 0.0
        if self.active_adapters:
            gain = self.own if b"longer than I" in bytes(text) else self.other
            gain *= 0.5 + seed
        value = -2.0 - seed + gain
        return TokenScores(scores.tokens, np.full(len(scores.tokens), value))


CANDIDATE = AdapterUse("mine", "a" * 64, lambda: b"")


def run(profile: Profile, embedder: Embedder, engine: FakeEngine, **more: object) -> Evaluation:
    recall = Recall(profile, embedder)
    return evaluate(engine, profile, recall, RecallSettings(), **more)  # type: ignore[arg-type]


def test_a_clearly_better_adapter_wins(profile: Profile, embedder: Embedder) -> None:
    evaluation = run(profile, embedder, ScriptedEngine(own=0.3), candidate=CANDIDATE)
    assert evaluation.decision.status == "decided"
    assert evaluation.decision.arm in ("adapter", "hybrid")
    assert evaluation.decision.activate
    assert evaluation.table.gain("hybrid", "prompt", "text").low > 0.2
    assert evaluation.counts["text"] == 13


def test_a_harmful_adapter_loses(profile: Profile, embedder: Embedder) -> None:
    decision = run(profile, embedder, ScriptedEngine(own=-0.3), candidate=CANDIDATE).decision
    assert (decision.arm, decision.status, decision.activate) == ("prompt", "refused", False)


def test_an_adapter_that_spoils_neutral_text_loses(profile: Profile, embedder: Embedder) -> None:
    engine = ScriptedEngine(own=0.3, other=-0.05)
    decision = run(profile, embedder, engine, candidate=CANDIDATE).decision
    assert (decision.status, decision.activate) == ("refused", False)
    assert "neutral text" in decision.summary


def test_an_adapter_that_changes_nothing_is_not_activated(
    profile: Profile, embedder: Embedder
) -> None:
    decision = run(profile, embedder, ScriptedEngine(), candidate=CANDIDATE).decision
    assert (decision.arm, decision.status) == ("prompt", "inconclusive")


def test_no_held_out_text_ever_stands_in_a_prompt(profile: Profile, embedder: Embedder) -> None:
    engine = ScriptedEngine()
    run(profile, embedder, engine, candidate=CANDIDATE)
    records = {record.id: record for record in records_in_scope(profile, None)}
    held_out = [records[i].text for i in split(records.values()).held_out]  # type: ignore[union-attr]
    assert len(held_out) == 13
    prompts = [bytes(context).decode() for _, context in engine.calls.scores if context]  # type: ignore[arg-type]
    prompts += ["\n".join(m.content for m in messages) for messages, _ in engine.calls.chats]
    assert any("The user wrote (" in prompt for prompt in prompts)
    assert any("The user lives in Ulm." in prompt for prompt in prompts)
    for text in held_out:
        number = text.split(":")[0] + ":"
        ending = text[-45:]
        own = [p for p in prompts if p.count(number)]
        assert not any(ending in prompt for prompt in prompts)
        assert all(prompt.count(number) == 1 for prompt in own)  # the beginning that is given


def test_arms_without_memory_see_no_memory(profile: Profile, embedder: Embedder) -> None:
    engine = ScriptedEngine()
    run(profile, embedder, engine)
    base = len(engine.calls.scores) // 2
    for _, context in engine.calls.scores[: base - 50]:
        assert b"Notes about the user" not in bytes(context)  # type: ignore[arg-type]


def test_the_engine_gets_its_adapters_back(profile: Profile, embedder: Embedder) -> None:
    below = AdapterUse("reader", "b" * 64, lambda: b"")
    former = AdapterUse("former", "c" * 64, lambda: b"")
    engine = ScriptedEngine()
    engine.set_adapters([former])
    run(profile, embedder, engine, candidate=CANDIDATE, below=[below])
    assert engine.active_adapters == [former]
    stacks = [[use.name for use in uses] for uses in engine.calls.adapters]
    assert ["reader"] in stacks
    assert ["reader", "mine"] in stacks

    def interrupt(done: float, total: float, label: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(profile, embedder, engine, candidate=CANDIDATE, progress=interrupt)
    assert engine.active_adapters == [former]


def test_the_adapter_in_use_is_measured_on_the_same_items(
    profile: Profile, embedder: Embedder
) -> None:
    class TwoAdapters(ScriptedEngine):
        other_own = 0.0

        def score(self, text: str | list[int], *, context: str | list[int] = "") -> TokenScores:
            mine = [use for use in self.active_adapters if use.name == "mine"]
            self.own = 0.3 if mine else self.other_own
            return super().score(text, context=context)

    in_use = AdapterUse("former", "c" * 64, lambda: b"")
    for in_use_gains, stays in [(0.5, True), (0.1, False)]:
        engine = TwoAdapters()
        engine.other_own = in_use_gains
        found = run(profile, embedder, engine, candidate=CANDIDATE, active=in_use)
        assert found.decision.activate is not stays
        assert (found.decision.arm == "active") is stays
        figures = found.table.figures
        assert figures["active", "text"].n == figures["hybrid", "text"].n == 13
        assert ("active", "neutral") not in figures
        assert found.table.gain("hybrid", "active", "text").n == 13  # paired


def test_progress_reaches_its_end(profile: Profile, embedder: Embedder) -> None:
    seen: list[tuple[float, float]] = []
    run(
        profile,
        embedder,
        ScriptedEngine(),
        candidate=CANDIDATE,
        progress=lambda done, total, label: seen.append((done, total)),
    )
    assert seen == sorted(seen)
    assert seen[-1][0] == pytest.approx(seen[-1][1])


def test_an_empty_profile_is_measured_without_error(tmp_path: Path, embedder: Embedder) -> None:
    with Profile.create(Home.below(tmp_path), "empty", passphrase="x") as empty:
        evaluation = run(empty, embedder, ScriptedEngine(), candidate=CANDIDATE)
    assert evaluation.decision.summary == "not enough data: staying with the prompt."
    assert len(evaluation.notes) == 2


def test_what_does_not_fit_the_context_is_left_out_and_said(
    profile: Profile, embedder: Embedder
) -> None:
    engine = ScriptedEngine()
    engine.n_ctx = 700  # bytes, of the fake
    evaluation = run(profile, embedder, engine)
    assert any("too long for the model's context" in note for note in evaluation.notes)


def test_other_contexts_stay_out(tmp_path: Path) -> None:
    with Profile.create(Home.below(tmp_path), "two", passphrase="x") as two:
        two.facts.add("The user's code name is Falcon.", scope="work")
        conversation = two.turns.new_conversation(scope="work")
        two.turns.add(conversation, "user", "Falcon speaking", scope="work")
        two.turns.add(conversation, "user", "Home again")
        texts = [getattr(record, "text", "") for record in records_in_scope(two, None)]
        assert texts == ["Home again"]
        assert len(records_in_scope(two, "work")) == 3


def test_errors_are_ours(profile: Profile, embedder: Embedder) -> None:
    wrong = AdapterUse("other", "d" * 64, lambda: b"", base_sha256="1" * 64)
    with pytest.raises(OndeviceError):
        run(profile, embedder, ScriptedEngine(), candidate=wrong)


def test_fast_measures_less_and_can_decide() -> None:
    assert GateSettings().fewest <= ItemSettings.fast().texts < ItemSettings().texts
