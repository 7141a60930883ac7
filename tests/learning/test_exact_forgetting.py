"""Retrained after forgetting, an adapter is byte for byte one that never saw what is forgotten."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from fake_engine import FakeEngine

from ondevice.adapters.gguf_lora import read_adapter
from ondevice.adapters.registry import AdapterRegistry
from ondevice.evaluation.evaluate import records_in_scope
from ondevice.evaluation.split import split
from ondevice.learning.options import LearnOptions
from ondevice.learning.plan import make_plan
from ondevice.learning.run import Learner
from ondevice.learning.train import PlanTrainer
from ondevice.memory.search import Recall
from ondevice.models.tokenizer import Tokenizer
from ondevice.settings import LearningSettings, Settings
from ondevice.store.records import NewPassage
from ondevice.training.data import DocumentReader
from ondevice.training.decoder import Decoder
from ondevice.training.lora import frozen_pairs
from ondevice.training.losses import token_losses
from ondevice.training.weights import Weights

pytestmark = pytest.mark.model  # adapters are really trained

DAY = 86_400.0
FACTS = ("The user lives in Ulm.", "The user hates phone calls.", "The user plays the harmonica.")
CANARY = "The vault of Quellental opens with nine amber thimbles and a borrowed spoon."
CONTROLS = [  # never seen by anybody, each of the canary's form
    f"The {room} of {place} {does} with {number} {what} {things} and a {which} {thing}."
    for room, place, does, number, what, things, which, thing in [
        ("crypt", "Marbelstedt", "closes", "four", "copper", "whistles", "lacquered", "glove"),
        ("tower", "Ostrahan", "begins", "seven", "velvet", "anchors", "crooked", "ladle"),
        ("cellar", "Vindelmoor", "answers", "eleven", "paper", "lanterns", "frozen", "comb"),
        ("attic", "Sarnbruck", "sings", "three", "marble", "ribbons", "polished", "brick"),
        ("stable", "Tolvenau", "sleeps", "twelve", "silken", "hammers", "folded", "drum"),
        ("chapel", "Hexenried", "waits", "eight", "woollen", "bottles", "painted", "shoe"),
        ("garden", "Lomashire", "turns", "fifteen", "brazen", "feathers", "missing", "key"),
        ("mill", "Drossental", "ends", "six", "salted", "mirrors", "patient", "chair"),
    ]
]
SETTINGS = LearningSettings(paraphrases=False, replay_share=0.1, fewest_examples=4)


def plan_of(profile, base):
    options = LearnOptions(method="sft")
    with Tokenizer(base) as tokenizer:
        reader = DocumentReader(tokenizer, base.header, max_length=256)
        return make_plan(
            records_in_scope(profile, None),
            AdapterRegistry(profile),
            base,
            reader,
            SETTINGS,
            options,
        )


def trained(profile, base, steps=2, **changes):
    plan = plan_of(profile, base)
    recipe = dataclasses.replace(plan.recipe, rank=4, max_steps=steps, **changes)
    plan = dataclasses.replace(plan, recipe=recipe)
    return PlanTrainer(base, AdapterRegistry(profile)).train(plan, lambda event: None).content


def losses(base, content, texts):
    """Mean loss of each of `texts` in nats a token, with an adapter or without (None)."""
    adapters = [] if content is None else [frozen_pairs(read_adapter(content, base.header), 1.0)]
    decoder = Decoder(Weights(base.header), adapters)
    with Tokenizer(base) as tokenizer:
        reader = DocumentReader(tokenizer, base.header, max_length=256)
        documents = [document for text in texts for document in reader.from_text(text, "x")]
    assert len(documents) == len(texts)
    return np.array([np.mean(values) for values in token_losses(decoder, documents)])


def test_retrained_is_byte_for_byte_never_seen(make_profile, add_note, base):
    profile, other = make_profile("a"), make_profile("b")
    before = trained(other, base)
    talk = profile.turns.new_conversation()
    asked = profile.turns.add(talk, "user", "So do I play the oboe these days?", time=DAY)
    answer = profile.turns.add(talk, "assistant", "You do.", time=DAY)
    profile.feedback.add(answer.id, "accept", time=DAY)
    gone = [
        add_note(profile, "The oboe in the attic sounds like a goose with a grievance.").id,
        profile.facts.add("The user plays the oboe.", time=DAY).id,
        asked.id,
        answer.id,
    ]
    assert trained(profile, base) != before
    shown = profile.preview_forget(gone)
    profile.forget_shown(shown)
    assert trained(profile, base) == before


def test_canary_is_as_strange_again_as_what_was_never_seen(make_profile, add_note, base):
    """Its gain over the base is compared with those of controls, which differ in difficulty."""
    profile = make_profile(n_things=5, facts=())
    canary = add_note(profile, CANARY)
    texts = [CANARY, *CONTROLS]
    without = losses(base, None, texts)

    def z_score(content):
        canarys, *others = without - losses(base, content, texts)
        return (canarys - np.mean(others)) / np.std(others, ddof=1)

    how = {"steps": 24, "learning_rate": 1e-3, "held_out": 0.0}
    knows = trained(profile, base, **how)
    assert z_score(knows) > 5  # it can complete it
    profile.forget_shown(profile.preview_forget([canary.id]))
    assert abs(z_score(trained(profile, base, **how))) < 2.5


def test_a_whole_run_after_forgetting_is_one_that_never_saw_it(make_profile, base, no_embedder):
    """With held-out texts, early stopping, verdicts and a budget; stored in another order."""
    notes = [
        f"The {'weir' if i % 2 else 'sluice'} number {i} hums in {i + 3} keys." for i in range(24)
    ]
    wishes = [f"Say {i} times nothing, and mean it." for i in range(9)]

    def store(name, extra, order):
        profile = make_profile(name, n_things=0, facts=FACTS[::order])
        gone = []
        log = profile.sources.add("import", "log", time=DAY)
        for i, text in list(enumerate([*notes, *extra]))[::order]:
            (passage,) = profile.passages.add(log.id, [NewPassage(text, time=DAY * (i + 1))])
            gone += [passage.id] * (text in extra)
        for i, wanted in list(enumerate([*wishes, *extra[:1]]))[::order]:
            talk = profile.turns.new_conversation()
            asked = profile.turns.add(talk, "user", f"And lock {i}?", time=DAY * i)
            answer = profile.turns.add(talk, "assistant", "It is fine.", time=DAY * i)
            profile.feedback.add(answer.id, "edit", wanted, time=DAY * i)
            gone += [asked.id, answer.id] * (wanted in extra)
        return profile, gone

    def learned(profile):
        options = LearnOptions(method="both", token_budget=1500, quick=True)
        settings = Settings(learning=SETTINGS)
        engine = FakeEngine(["Yes."], model=base)
        Learner(profile, engine, Recall(profile, no_embedder), settings, options=options).learn()
        return AdapterRegistry(profile).list()[-1]

    # The first is among what is trained on, the others are newer than all else: held out.
    extra = ["The oboe in the attic sounds like a goose.", "The last note of all is a gong."]
    profile, gone = store("knew", extra, 1)
    never, _ = store("never", [], -1)
    parts = split(records_in_scope(profile, None))
    assert any(i in parts.held_out for i in gone)
    assert any(i in parts.training for i in gone)
    knew = learned(profile)
    profile.forget_shown(profile.preview_forget(gone))
    again, expected = learned(profile), learned(never)
    assert again.training["preferences"]["steps"] > 0
    assert again.training["texts"]["documents"][1] > 0  # early stopping has what it needs
    assert again.file_sha256 == expected.file_sha256 != knew.file_sha256
    assert again.training["texts"] == expected.training["texts"]
    assert again.training["preferences"] == expected.training["preferences"]


def test_two_profiles_know_nothing_of_each_other(make_profile, add_note, base):
    one, two = make_profile("one"), make_profile("two")
    secret = add_note(one, CANARY)
    row = AdapterRegistry(one).add(
        trained(one, base, steps=1), base, name="me-1", records=[secret.id]
    )
    assert AdapterRegistry(two).list() == []
    assert len(one.search_tables.rank_text(["quellental"], 5)[0]) == 1
    assert len(two.search_tables.rank_text(["quellental"], 5)[0]) == 0
    assert not two.has(secret.id)
    assert secret.id not in plan_of(two, base).records
    # A file that is carried over does not open there.
    theirs = two.adapters.add(
        "stolen", file_sha256=row.file_sha256, base_sha256=row.base_sha256, rank=row.rank,
        alpha=row.alpha, adapter_id=row.id,
    )  # fmt: skip
    source = one.folder / "adapters" / f"{row.id}.gguf.enc"
    target = two.folder / "adapters" / f"{theirs.id}.gguf.enc"
    target.parent.mkdir(mode=0o700, exist_ok=True)
    target.write_bytes(source.read_bytes())
    from ondevice.errors import InvalidAdapterError

    with pytest.raises(InvalidAdapterError):
        AdapterRegistry(two).read("stolen")
