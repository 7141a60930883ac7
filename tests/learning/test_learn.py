"""A whole run: what is kept, what is used, what stops it, and that it goes on."""

from __future__ import annotations

import dataclasses
import threading

import pytest
from fake_engine import FakeEngine

from ondevice.adapters.builtin_reader import builtin_reader
from ondevice.adapters.registry import AdapterRegistry
from ondevice.engine.protocol import AdapterUse
from ondevice.errors import AdapterStaleError, LearningError, TrainingError
from ondevice.evaluation.evaluate import records_in_scope
from ondevice.learning import plan as plan_module
from ondevice.learning import run
from ondevice.learning.options import LearnOptions
from ondevice.memory.embedders.protocol import Calibration
from ondevice.memory.form import TAUGHT
from ondevice.memory.search import Recall
from ondevice.remedies import Notice, Remedy
from ondevice.settings import LearningSettings, Settings
from ondevice.training.trainer import Trainer

pytestmark = pytest.mark.model  # adapters are really trained

QUICK = LearnOptions(method="sft", token_budget=256, quick=True)
SETTINGS = Settings(learning=LearningSettings(paraphrases=False, fewest_examples=8))


class NoEmbedder:
    """Every text has the same meaning; what is recalled is not what is tested."""

    name, sha256, dimensions = "none", "0" * 64, 384
    calibration = Calibration(unrelated=0.0, same=0.95)

    def embed(self, texts):
        import numpy as np

        return np.ones((len(texts), 384), np.float32) / 384**0.5

    embed_queries = embed


def learner(profile, engine, options=QUICK, settings=SETTINGS, **more):
    recall = Recall(profile, NoEmbedder())
    return run.Learner(profile, engine, recall, settings, options=options, **more)


def plan_of(one, records):
    return one._plan(records)  # a preview tells its figures, but not its texts


@pytest.fixture
def always(monkeypatch):
    """An evaluation that lets every adapter through."""

    def make(activate=True):
        real = run.evaluate

        def evaluate(*args, **options):
            found = real(*args, **options)
            decision = dataclasses.replace(
                found.decision, activate=activate, arm="hybrid", summary="it helps."
            )
            return dataclasses.replace(found, decision=decision)

        monkeypatch.setattr(run, "evaluate", evaluate)

    return make


def test_without_a_gain_it_stays_a_candidate_with_the_reason(make_profile, engine):
    profile = make_profile()
    stages = []
    report = learner(profile, engine, tell=lambda event: stages.append(event.stage)).learn()
    assert report.outcome == "candidate"
    assert "not enough data" in report.reason
    assert [s for i, s in enumerate(stages) if s not in stages[:i]] == [
        "examples", "training", "evaluation", "done",
    ]  # fmt: skip
    (row,) = AdapterRegistry(profile).list()
    assert (row.name, row.state) == ("me-1", "candidate")
    facts = {r.id for r in records_in_scope(profile, None)}
    assert set(row.records) == facts  # too few texts to keep some back
    assert row.training["method"] == "sft"
    assert row.training["texts"]["steps"] == 1
    assert row.training["metrics"]["decision"]
    assert not list(profile.folder.glob("adapters/*.checkpoint.enc"))
    assert engine.active_adapters == []


@pytest.mark.parametrize("what", ["empty", "one", "same"])
def test_too_little_is_one_sentence_and_changes_nothing(home, engine, add_note, what):
    from ondevice.store.profile import Profile

    with Profile.create(home, passphrase="only for tests") as profile:
        for _ in range({"empty": 0, "one": 1, "same": 20}[what]):
            add_note(profile, "The kettle in the kitchen gave up on a Sunday, as it would.")
        report = learner(profile, engine).learn()
        assert report.outcome == "nothing"
        assert (
            "nothing to learn" if what == "empty" else "there is 1 example of yours"
        ) in report.reason
        assert AdapterRegistry(profile).list() == []


def test_activated_and_rolled_back(make_profile, engine, add_note, always):
    always()
    profile = make_profile()
    registry = AdapterRegistry(profile)
    assert learner(profile, engine).learn().outcome == "activated"
    # Nothing new: nothing is trained.
    assert "nothing new" in learner(profile, engine).learn().reason
    new = add_note(profile, "The barometer in the corridor predicted nothing on a Thursday.")
    report = learner(profile, engine).learn()
    assert report.training["from"] == "me-1"
    assert report.training["run"] == 2
    first, second = registry.list()
    assert set(second.records) == {*first.records, new.id}  # warm starts are lineage
    assert (first.state, second.state) == ("off", "active")
    active, lost = profile.adapters.roll_back()
    assert ([row.name for row in active], lost) == (["me-1"], 0)
    active, lost = profile.adapters.roll_back()
    assert active == []
    scratch = learner(profile, engine, dataclasses.replace(QUICK, from_scratch=True)).learn()
    assert scratch.training["run"] == 1


def test_one_worse_than_the_active_adapter_stays_a_candidate(
    make_profile, engine, add_note, always, monkeypatch
):
    always()
    profile = make_profile()
    learner(profile, engine).learn()
    add_note(profile, "The barometer in the corridor predicted nothing on a Thursday.")
    seen = []
    lenient = run.evaluate

    def evaluate(*args, **options):
        seen.append((options["active"], options["candidate"], options["trained_on"]))
        found = lenient(*args, **options)
        return dataclasses.replace(
            found, decision=dataclasses.replace(found.decision, activate=False, arm="active")
        )

    monkeypatch.setattr(run, "evaluate", evaluate)
    report = learner(profile, engine).learn()
    first, second = AdapterRegistry(profile).list()
    assert (report.outcome, first.state, second.state) == ("candidate", "active", "candidate")
    ((active, candidate, trained_on),) = seen
    assert (active.name, candidate.name) == ("me-1", "me-2")
    assert trained_on == {*first.records, *second.records}
    assert "the adapter in use stays" in report.summary
    # One that knew something that is forgotten is compared with nothing.
    profile.forget_shown(profile.preview_forget([profile.facts.all()[0].id]))
    learner(profile, engine).learn()
    assert seen[-1][0] is None


def learned_before(profile, base, name, state="candidate", **more):
    """Put the row of a learned adapter there, without a file."""
    notes = {"method": "sft", "run": 1, "reader_sha256": builtin_reader(base).sha256,
             "persona_version": TAUGHT.version}  # fmt: skip
    row = {"file_sha256": "0" * 64, "base_sha256": base.sha256, "rank": 8, "alpha": 32.0, **more}
    return profile.adapters.add(name, state=state, training=notes, **row)


@pytest.mark.parametrize(("before", "keep", "left"), [(1, 3, [1, 2]), (2, 2, [2, 3]), (1, 0, [2])])
def test_so_many_candidates_are_kept_the_new_one_in_any_case(
    make_profile, engine, before, keep, left
):
    profile = make_profile()
    for number in range(before):
        learned_before(profile, engine.model, f"me-{number + 1}")
    settings = dataclasses.replace(
        SETTINGS, learning=dataclasses.replace(SETTINGS.learning, keep_candidates=keep)
    )
    assert learner(profile, engine, settings=settings).learn().adapter == f"me-{before + 1}"
    assert [row.name for row in AdapterRegistry(profile).list()] == [f"me-{n}" for n in left]


@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_nothing_goes_on_from_an_adapter_for_another_base(make_profile, engine, method):
    profile = make_profile()
    options = dataclasses.replace(QUICK, method=method)
    learned_before(profile, engine.model, "me-1", "active")
    one = learner(profile, engine, options)
    # Which adapter is gone on from is decided there; a plan tells it only for a real base.
    beginning, registry, reader = plan_module._beginning, one._registry, one._reader.sha256
    start, run, _ = beginning(registry, engine.model, SETTINGS.learning, options, None, reader)
    assert (start.name, run) == ("me-1", 2)
    other = dataclasses.replace(engine.model, sha256="f" * 64)
    start, run, why = beginning(registry, other, SETTINGS.learning, options, None, reader)
    assert (start, run) == (None, 1)
    assert "another base" in why
    start, _, why = beginning(registry, engine.model, SETTINGS.learning, options, None, "another")
    assert start is None
    assert "another reader" in why


def test_a_preview_that_fails_leaves_the_adapters_that_were_in_use(
    make_profile, engine, monkeypatch
):
    def fails(*args):
        raise TrainingError("This model cannot be trained.")

    monkeypatch.setattr(run.PlanTrainer, "speed", fails)
    use = AdapterUse("former", "0" * 64, lambda: b"")
    engine.set_adapters([use])
    settings = Settings(learning=LearningSettings(fewest_examples=8))  # asks for other words
    with pytest.raises(TrainingError):
        learner(make_profile(), engine, LearnOptions(), settings).preview()
    assert engine.calls.adapters[1] == []
    assert engine.active_adapters == [use]


def test_each_fact_is_put_in_other_words_once_and_the_progress_told(make_profile, engine):
    profile = make_profile()
    settings = Settings(learning=LearningSettings(fewest_examples=8))
    events = []
    one = learner(profile, engine, LearnOptions(), settings, tell=events.append)
    for _ in range(2):
        plan_of(one, records_in_scope(profile, None))
    told = [(event.done, event.total) for event in events if event.total]
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_budget_is_shared_by_texts_and_verdicts(make_profile, engine):
    profile = make_profile()
    for number in range(12):
        talk = profile.turns.new_conversation()
        profile.turns.add(talk, "user", f"What about lock number {number}?", time=86_400.0)
        answer = profile.turns.add(talk, "assistant", f"Lock {number} is fine.", time=86_400.0)
        profile.feedback.add(answer.id, "edit", f"Number {number} leaks, as ever.", time=86_400.0)

    def planned(budget):
        options = LearnOptions(method="both", token_budget=budget, quick=True)
        plan = plan_of(learner(profile, engine, options), records_in_scope(profile, None))
        assert plan.documents
        assert plan.pairs
        return plan

    whole = planned(None)
    assert planned(whole.tokens_to_train).recipe.max_steps == 0  # it suffices
    half = planned(whole.tokens_to_train // 2)
    assert half.recipe.max_steps > 0
    assert half.preference_recipe.max_steps > 0
    assert half.tokens_to_train < 0.7 * whole.tokens_to_train
    options = LearnOptions(method="both", token_budget=whole.tokens_to_train // 4, quick=True)
    report = learner(profile, engine, options).learn()
    training = report.training
    assert training["texts"]["steps"] == training["recipe"]["max_steps"]
    assert training["preferences"]["steps"] == training["preference_recipe"]["max_steps"]
    assert report.steps == training["texts"]["steps"] + training["preferences"]["steps"]


class Reading(FakeEngine):
    """Reads adapters when they are applied, as the real engine does."""

    def set_adapters(self, adapters):
        for use in adapters:
            use.source()
        super().set_adapters(adapters)


@pytest.mark.parametrize("fails", [False, True])
def test_a_former_adapter_that_has_gone_stale_hides_neither_report_nor_error(
    make_profile, base, fails, monkeypatch
):
    engine = Reading(["Yes."], model=base)
    profile = make_profile()
    stale = []

    def source():
        if stale:
            raise AdapterStaleError("The former adapter is stale.")
        return b""

    engine.set_adapters([AdapterUse("former", "0" * 64, source)])

    def tell(event):
        if event.stage == "evaluation":
            stale.append(True)
            if fails and event.total:
                raise TrainingError("This went wrong first.")

    learning = learner(profile, engine, tell=tell)
    if fails:
        with pytest.raises(TrainingError, match="first"):
            learning.learn()
    else:
        assert learning.learn().outcome == "candidate"
    assert engine.active_adapters == []


def test_after_forgetting_it_starts_from_scratch(make_profile, engine, add_note, always):
    always()
    profile = make_profile()
    registry = AdapterRegistry(profile)
    learner(profile, engine).learn()
    (row,) = registry.list()
    path = profile.folder / "adapters" / f"{row.id}.gguf.enc"
    assert path.exists()
    shown = profile.preview_forget([profile.facts.all()[0].id])
    assert shown.adapters_stale == ("me-1",)
    done = profile.forget_shown(shown)
    assert done.shredded == ("me-1",)
    assert not path.exists()
    with pytest.raises(AdapterStaleError):
        registry.read("me-1")
    with pytest.raises(AdapterStaleError):
        profile.adapters.set_active([("me-1", 1.0)])
    active, lost = profile.adapters.roll_back()
    assert (active, lost) == ([], 0)
    report = learner(profile, engine).learn()
    assert report.training["run"] == 1
    assert "forgotten" in report.training["why"]
    assert [r.name for r in registry.list()] == ["me-2"]  # the stale row has gone too


def test_every_few_runs_from_scratch_and_on_another_base(make_profile, engine, add_note, always):
    always()
    profile = make_profile()
    settings = Settings(
        learning=LearningSettings(paraphrases=False, fewest_examples=8, from_scratch_every=1)
    )
    learner(profile, engine, settings=settings).learn()
    add_note(profile, "The barometer in the corridor predicted nothing on a Thursday.")
    report = learner(profile, engine, settings=settings).learn()
    assert "as every 1 runs" in report.training["why"]
    other = dataclasses.replace(engine.model, sha256="f" * 64)
    engine.model = other
    plan = plan_of(learner(profile, engine), records_in_scope(profile, None))
    assert plan.start is None
    assert "another base" in plan.why


def test_stopped_and_resumed_gives_the_same_bytes(make_profile, engine):
    one, two = make_profile("one"), make_profile("two")
    options = dataclasses.replace(QUICK, token_budget=768)
    learner(one, engine, options).learn()
    steps = []
    stopped = learner(two, engine, options, tell=lambda e: steps.append(e)).learn(
        should_stop=lambda: steps[-1].stage == "training"
    )
    assert stopped.outcome == "stopped"
    (left,) = two.folder.glob("adapters/*.checkpoint.enc")
    content = left.read_bytes()
    assert content.startswith(b"ODCHECK1")
    assert b"array/" not in content  # the names inside are encrypted too
    assert learner(two, engine, options).learn().outcome == "candidate"
    assert not left.exists()
    first, second = AdapterRegistry(one).list(), AdapterRegistry(two).list()
    assert first[0].file_sha256 == second[0].file_sha256


@pytest.mark.parametrize("stage", ["examples", "evaluation"])
def test_stopped_where_nothing_need_be_saved(make_profile, engine, stage):
    profile = make_profile()
    seen = []
    report = learner(profile, engine, tell=lambda event: seen.append(event.stage)).learn(
        should_stop=lambda: seen[-1] == stage
    )
    assert report.outcome == "stopped"
    rows = AdapterRegistry(profile).list()
    if stage == "examples":
        assert (report.reason, rows) == ("nothing was changed", [])
    else:  # what was trained is not lost
        assert [row.state for row in rows] == ["candidate"]
        assert report.reason == Notice("'me-1' was not judged", Remedy.EVALUATE)
    assert seen[-1] == "done"
    assert engine.active_adapters == []


def test_two_at_once(make_profile, engine):
    profile = make_profile()
    found = []

    def second():
        try:
            learner(profile, engine).learn()
        except LearningError as error:
            found.append(str(error))

    def tell(event):
        if event.stage == "training" and not found:
            thread = threading.Thread(target=second)
            thread.start()
            thread.join()

    assert learner(profile, engine, tell=tell).learn().outcome == "candidate"
    assert "Another run" in found[0]
    assert len(AdapterRegistry(profile).list()) == 1


def test_full_disk_before_and_while_writing(make_profile, engine, monkeypatch):
    profile = make_profile()
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1 << 20})())
        with pytest.raises(LearningError, match="only 1 MB are free"):
            learner(profile, engine).learn()

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ondevice.store.adapter_files.write_atomic", full)
    with pytest.raises(LearningError, match="the disk is full"):
        learner(profile, engine).learn()
    assert AdapterRegistry(profile).list() == []
    assert not list(profile.folder.rglob("*.part"))


def test_a_training_that_diverges_does_not_go_on_to_diverge_again(
    make_profile, engine, monkeypatch
):
    profile = make_profile()
    options = dataclasses.replace(QUICK, token_budget=768)
    real = Trainer._check_divergence  # no text that is learned diverges for sure

    def check(trainer, loss, norm):
        if trainer.progress.step:
            trainer._save(lambda event: None)  # as if the minute between two saves were over
            loss = float("nan")
        real(trainer, loss, norm)

    monkeypatch.setattr(Trainer, "_check_divergence", check)  # see above
    with pytest.raises(LearningError, match="at step 2") as raised:
        learner(profile, engine, options).learn()
    assert "learning rate" not in str(raised.value)  # there is no such option
    assert not list(profile.folder.glob("adapters/*"))


def test_what_is_forgotten_while_it_is_judged_is_said_as_such(make_profile, engine):
    profile = make_profile()
    fact = profile.facts.all()[0]

    def tell(event):
        if event.stage == "evaluation" and event.total and profile.has(fact.id):
            profile.forget([fact.id])

    with pytest.raises(LearningError, match="forgotten or changed"):
        learner(profile, engine, tell=tell).learn()
    assert not list(profile.folder.glob("adapters/*.enc"))


@pytest.mark.parametrize("change", ["forget", "edit"])
def test_changed_meanwhile_keeps_nothing(make_profile, engine, change):
    profile = make_profile()
    fact = profile.facts.all()[0]

    def tell(event):
        if event.stage == "training" and profile.has(fact.id):
            if change == "forget":
                profile.forget([fact.id])
            elif profile.get(fact.id).text == fact.text:
                profile.facts.edit(fact.id, text="The user lives in Bonn.")

    with pytest.raises(LearningError, match="forgotten or changed"):
        learner(profile, engine, tell=tell).learn()
    assert not any(AdapterRegistry(profile).has_file(r) for r in AdapterRegistry(profile).list())
    assert not list(profile.folder.glob("adapters/*.enc"))


def test_doubts_are_asked_about(make_profile, engine, always, monkeypatch):
    always()
    from ondevice.evaluation.audits import Audit
    from ondevice.evaluation.bootstrap import Estimate

    worse = Estimate(0.2, 0.1, 0.3, 50)
    found = [Audit("agreement", "agreement with wrong claims", None, worse, worse, 0.05, True)]
    monkeypatch.setattr(run, "audit", lambda *args, **options: found)
    options = dataclasses.replace(QUICK, quick=False)
    profile = make_profile()
    report = learner(profile, engine, options).learn()
    assert report.outcome == "candidate"
    assert "agreement with wrong claims" in report.reason
    asked = []
    report = learner(profile, engine, options).learn(
        confirm=lambda question: not asked.append(question)
    )
    assert report.outcome == "activated"
    assert "wrong claims" in asked[0]


def test_foreign_language_is_said(make_profile, engine, add_note):
    profile = make_profile(n_things=0)
    letters = "გადასახადიმთავრობასაქართველომდინარეშემოდგომა"  # no word of it is a single token
    for start in range(12):
        words = [letters[(start + i) % 30 :][:7] for i in range(0, 60, 7)]
        add_note(profile, " ".join(words))
    plan = plan_of(learner(profile, engine), records_in_scope(profile, None))
    assert "hardly knows their language" in plan.warnings[0]
    assert not plan_of(learner(make_profile("en"), engine), []).warnings
