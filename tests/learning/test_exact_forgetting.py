"""Retrained after forgetting, an adapter is byte for byte one that never saw what is forgotten."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ondevice.adapters import forgetting
from ondevice.adapters.gguf_lora import read_adapter
from ondevice.adapters.registry import AdapterRegistry
from ondevice.base.tokenizer import Tokenizer
from ondevice.evaluation.evaluate import records_in_scope
from ondevice.learning.options import LearnOptions
from ondevice.learning.plan import make_plan
from ondevice.learning.train import PlanTrainer
from ondevice.settings import LearningSettings
from ondevice.training.data import DocumentReader
from ondevice.training.decoder import Decoder
from ondevice.training.lora import frozen_pairs
from ondevice.training.losses import token_losses
from ondevice.training.weights import Weights

DAY = 86_400.0
CANARY = "The vault of Quellental opens with nine amber thimbles and a borrowed spoon."
CONTROLS = [
    "The crypt of Marbelstedt closes with four copper whistles and a lacquered glove.",
    "The tower of Ostrahan begins with seven velvet anchors and a crooked ladle.",
    "The cellar of Vindelmoor answers with eleven paper lanterns and a frozen comb.",
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


def loss(base, content, text):
    """Mean loss of `text` in nats a token."""
    adapter = read_adapter(content, base.header)
    decoder = Decoder(Weights(base.header), [frozen_pairs(adapter, 1.0)])
    with Tokenizer(base) as tokenizer:
        reader = DocumentReader(tokenizer, base.header, max_length=256)
        (document,) = reader.from_text(text, "x")
    (values,) = token_losses(decoder, [document])
    return float(np.mean(values))


def test_retrained_is_byte_for_byte_never_seen(make_profile, add_note, base):
    profile, other = make_profile("a"), make_profile("b")
    before = trained(other, base)
    talk = profile.new_conversation()
    asked = profile.add_turn(talk, "user", "So do I play the oboe these days?", time=DAY)
    answer = profile.add_turn(talk, "assistant", "You do.", time=DAY)
    profile.add_feedback(answer.id, "accept", time=DAY)
    gone = [
        add_note(profile, "The oboe in the attic sounds like a goose with a grievance.").id,
        profile.add_fact("The user plays the oboe.", time=DAY).id,
        asked.id,
        answer.id,
    ]
    assert trained(profile, base) != before
    shown = forgetting.preview(profile, gone)
    forgetting.forget(profile, shown)
    assert trained(profile, base) == before


def test_canary_is_as_strange_again_as_what_was_never_seen(make_profile, add_note, base):
    profile = make_profile(n_things=5, facts=())
    canary = add_note(profile, CANARY)
    knows = trained(profile, base, steps=16, learning_rate=1e-3, held_out=0.0)
    known = loss(base, knows, CANARY)
    controls = [loss(base, knows, text) for text in CONTROLS]
    assert known < min(controls) - 1.0  # it could complete it
    forgetting.forget(profile, forgetting.preview(profile, [canary.id]))
    knows_not = trained(profile, base, steps=16, learning_rate=1e-3, held_out=0.0)
    again = loss(base, knows_not, CANARY)
    controls = [loss(base, knows_not, text) for text in CONTROLS]
    spread = max(controls) - min(controls)
    assert min(controls) - spread - 0.5 < again < max(controls) + spread + 0.5


def test_two_profiles_know_nothing_of_each_other(make_profile, add_note, base):
    one, two = make_profile("one"), make_profile("two")
    secret = add_note(one, CANARY)
    row = AdapterRegistry(one).add(
        trained(one, base, steps=1), base, name="me-1", records=[secret.id]
    )
    assert AdapterRegistry(two).list() == []
    assert two.search_text(["quellental"], 5) == []
    assert not two.has(secret.id)
    assert secret.id not in plan_of(two, base).records
    # A file that is carried over does not open there.
    theirs = two.add_adapter(
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
