from __future__ import annotations

import numpy as np
import pytest
from fake_engine import FakeEngine

from ondevice.memory.embedders.protocol import Calibration
from ondevice.models.base_model import BaseModel, resolve
from ondevice.store.profile import Profile
from ondevice.store.records import NewPassage

DAY = 86_400.0
THINGS = [
    ("kettle", "kitchen", "Sunday"), ("lamp", "cellar", "feast day"), ("gate", "garden", "Monday"),
    ("clock", "hall", "birthday"), ("tap", "bathroom", "market day"), ("stove", "shed", "Friday"),
    ("wheel", "yard", "pay day"), ("bell", "porch", "wash day"), ("rope", "loft", "Tuesday"),
]  # fmt: skip

FACTS = (
    "The user lives in Ulm.", "The user's dog is called Biscuit.", "The user hates phone calls.",
    "The user plays the harmonica.",
)  # fmt: skip


class NoEmbedder:
    """Every text has the same meaning; what is recalled is not what is tested."""

    name, sha256, dimensions = "none", "0" * 64, 384
    calibration = Calibration(unrelated=0.0, same=0.95)

    def embed(self, texts):
        return np.ones((len(texts), 384), np.float32) / 384**0.5

    embed_queries = embed


@pytest.fixture
def no_embedder() -> NoEmbedder:
    """An embedder that takes no time."""
    return NoEmbedder()


@pytest.fixture
def base(home) -> BaseModel:
    """The embedded default model."""
    return resolve("default", home)


@pytest.fixture
def make_profile(home):
    """Make profiles that hold the same nine notes and three facts, under other ids."""
    made = []

    def make(name="default", *, n_things=9, facts=FACTS):
        profile = Profile.create(home, name, passphrase="only for tests")
        made.append(profile)
        for number, (thing, place, day) in enumerate(THINGS[:n_things]):
            note(profile, f"The {thing} in the {place} gave up on a {day}, as it would.", number)
        for fact in facts:
            profile.facts.add(fact, time=DAY)
        return profile

    yield make
    for profile in made:
        profile.close()


def note(profile, text, day=1):
    source = profile.sources.add("import", "note", time=day * DAY)
    return profile.passages.add(source.id, [NewPassage(text, time=day * DAY)])[0]


@pytest.fixture
def add_note():
    """Add a note to a profile."""
    return note


@pytest.fixture
def engine(base):
    """An engine that finds every text equally likely: nothing is won by an adapter."""
    return FakeEngine(["Yes."], model=base)
