"""The store against a dictionary, over random sequences of changes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from stamped import stamped

from ondevice.home import Home
from ondevice.store.profile import Profile
from ondevice.store.vectors import UNSTAMPED_SHA256

WORDS = ("amber", "birch", "cedar", "dune", "ember")
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)


class StoreMachine(RuleBasedStateMachine):
    facts = Bundle("facts")

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.home = Home.below(Path(self.folder.name))
        self.profile = Profile.create(self.home)
        self.model: dict[str, tuple[str, str]] = {}  # id: text, state
        self.trained: dict[str, set[str]] = {}  # adapter: ids, emptied when stale

    def touch(self, *ids):
        for listed in self.trained.values():
            if listed & set(ids):
                listed.clear()

    @rule(target=facts, text=texts, with_vector=st.booleans())
    def add(self, text, with_vector):
        vector = stamped(np.ones(8)) if with_vector else None
        fact = self.profile.facts.add(text, vector=vector)
        self.model[fact.id] = (text, "active")
        return fact.id

    @rule(target=facts, text=texts, old=facts)
    def supersede(self, text, old):
        fact = self.profile.facts.add(text, supersedes=[old])
        self.model[old] = (self.model[old][0], "superseded")
        self.model[fact.id] = (text, "active")
        self.touch(old)
        return fact.id

    @rule(fact_id=facts, text=texts)
    def edit(self, fact_id, text):
        self.profile.facts.edit(fact_id, text=text)
        self.model[fact_id] = (text, self.model[fact_id][1])
        self.touch(fact_id)

    @rule(fact_id=consumes(facts))
    def forget(self, fact_id):
        assert self.profile.forget([fact_id]).purged
        del self.model[fact_id]
        self.touch(fact_id)

    @rule(fact_id=facts)
    def train(self, fact_id):
        name = f"adapter{len(self.trained)}"
        row = self.profile.adapters.add(
            name, file_sha256="", base_sha256="", rank=1, alpha=1, state="active", records=[fact_id]
        )
        active = self.model[fact_id][1] == "active"
        assert row.state == ("active" if active else "stale")
        self.trained[name] = {fact_id} if active else set()

    @rule()
    def reopen(self):
        self.profile.close()
        self.profile = Profile.open(self.home)

    @invariant()
    def same_as_the_model(self):
        assert {f.id: (f.text, f.state) for f in self.profile.facts.all()} == self.model
        outline = self.profile.search_tables.outline()
        known = list(zip(outline.number, outline.id, outline.state, strict=True)) if outline else []
        for word in WORDS:
            hits = set(self.profile.search_tables.rank_text([word], 1000)[0].tolist())
            found = {record_id for number, record_id, active in known if active and number in hits}
            assert found == {
                i for i, (text, state) in self.model.items() if word in text and state == "active"
            }
        assert set(self.profile.vectors.all(UNSTAMPED_SHA256)[0]) <= set(self.model)
        states = {row.name: row.state for row in self.profile.adapters.all()}
        assert states == {n: "active" if ids else "stale" for n, ids in self.trained.items()}

    def teardown(self):
        self.profile.check()
        self.profile.close()
        self.folder.cleanup()


StoreMachine.TestCase.settings = settings(
    max_examples=12, stateful_step_count=20, deadline=None, derandomize=True, database=None
)
TestStore = StoreMachine.TestCase
