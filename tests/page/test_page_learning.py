"""Learning through the page, and the whole loop with the real model."""

from __future__ import annotations

import time

import pytest
from browser import Browser, served
from fake_engine import FakeEngine

from ondevice.adapters.registry import AdapterRegistry
from ondevice.chat import Assistant
from ondevice.memory.service import Memory
from ondevice.settings import LearningSettings, Settings
from ondevice.store.records import NewPassage

THINGS = ["kettle", "lamp", "gate", "clock", "tap", "stove", "wheel", "bell", "rope"]
COLOURS = ["blue", "green", "red"]


@pytest.fixture
def learner(profile, default_model, embedder):
    """An assistant with the real base to train on, judged by an engine that sees no difference."""
    for number, thing in enumerate(THINGS):
        source = profile.sources.add("import", "note", time=86_400.0 * number)
        text = f"The {thing} in the shed gave up on a Sunday, as it would."
        profile.passages.add(source.id, [NewPassage(text, time=86_400.0 * number)])
    for fact in ("lives in Ulm", "has a dog", "plays the harmonica", "hates phone calls"):
        profile.facts.add(f"The user {fact}.")
    settings = Settings(learning=LearningSettings(paraphrases=False, fewest_examples=8))
    return Assistant(
        FakeEngine(["Yes."], model=default_model), Memory(profile, embedder, settings), settings
    )


def test_learning_shows_its_loss_what_was_measured_and_the_decision(learner, chromium):
    with served(learner) as (address, app):
        browser = Browser(chromium, address, app)
        browser.enter("learn")
        browser.one("#quick").click()
        browser.write("#minutes", "0.05")
        browser.click("Start learning")
        browser.wait(lambda: browser.all("#loss svg, #report svg"), 90)
        browser.says("Kept as a candidate, not in use", "#report", 90)
        assert browser.all("#report .arms svg .dot")
        browser.one("#report .arms summary").click()
        browser.says("with both", "#report table")
        (row,) = AdapterRegistry(learner.profile).list()
        assert row.state == "candidate"
        browser.click("Use it all the same")
        browser.wait(lambda: AdapterRegistry(learner.profile).get(row.name).state == "active")
        browser.go("adapters")
        browser.says("in use", ".card")
        browser.go("learn")
        browser.says("Kept as a candidate", "#report")  # the view keeps what it showed


class HelpedEngine(FakeEngine):
    """Predicts every text better when an adapter that was learned is applied."""

    def score(self, text, *, context=""):
        scores = super().score(text, context=context)
        if any(use.name.startswith("me-") for use in self.active_adapters):
            scores.log_likelihood[:] = -0.9
        return scores


@pytest.fixture
def helped(profile, default_model, embedder):
    """An assistant whose adapters help, with enough texts to tell."""
    for number in range(70):
        source = profile.sources.add("import", "note", time=86_400.0 * number)
        thing, other = THINGS[number % 9], THINGS[(number // 9) % 9]
        text = f"On day {number} the {thing} by the {other} was {COLOURS[number % 3]}."
        profile.passages.add(source.id, [NewPassage(text, time=86_400.0 * number)])
    settings = Settings(learning=LearningSettings(paraphrases=False, fewest_examples=8))
    return Assistant(
        HelpedEngine(["Yes."], model=default_model), Memory(profile, embedder, settings), settings
    )


def test_an_adapter_that_helps_is_used_rolled_back_and_judged_again(helped, chromium):
    with served(helped) as (address, app):
        browser = Browser(chromium, address, app)
        browser.enter("learn")
        browser.write("#minutes", "0.05")
        browser.click("Start learning")
        browser.says("It helps, and is in use", "#report", 120)
        assert len(browser.all("#report .audit svg")) >= 3
        assert browser.all("#report .audit .tag")
        (row,) = AdapterRegistry(helped.profile).list()
        assert row.state == "active"
        browser.driver.refresh()  # how the last run ended is still shown
        browser.says("It helps, and is in use", "#report")
        browser.click("Roll back")
        browser.wait(lambda: AdapterRegistry(helped.profile).get(row.name).state != "active")
        browser.says("Rolled back", "#decided")
        browser.one("#with-audits").click()
        browser.click("Judge")
        browser.says(f"“{row.name}”, judged", "#report", 60)
        assert browser.all("#report .arms svg .dot.hybrid")
        assert len(browser.all("#report .audit svg")) >= 3
        assert AdapterRegistry(helped.profile).get(row.name).state != "active"
        browser.go("adapters")
        browser.one(".card summary").click()
        browser.wait(lambda: browser.all(".card .audit svg"))
        assert browser.problems() == []


def test_learning_is_stopped_and_goes_on_later(learner, chromium):
    with served(learner) as (address, app):
        browser = Browser(chromium, address, app)
        browser.enter("learn")
        browser.click("Start learning")
        browser.wait(lambda: browser.all("#loss svg"), 120)
        browser.click("Stop; go on later")
        browser.says("Stopped; the next run goes on from here", "#report", 60)
        assert browser.button("Start learning").is_enabled()
        assert not AdapterRegistry(learner.profile).list()


def test_judging_is_stopped_too_and_the_adapter_waits(learner, chromium, monkeypatch):
    score = FakeEngine.score

    def slowly(self, text, *, context=""):
        time.sleep(0.3)
        return score(self, text, context=context)

    monkeypatch.setattr(FakeEngine, "score", slowly)
    with served(learner) as (address, app):
        browser = Browser(chromium, address, app)
        browser.enter("learn")
        browser.one("#quick").click()
        browser.write("#minutes", "0.05")
        browser.click("Start learning")
        browser.says("Judging on what was held back", "#run", 120)
        browser.click("Stop; go on later")
        browser.says("Stopped before it was judged", "#run")
        (row,) = AdapterRegistry(learner.profile).list()
        assert row.state == "candidate"
        browser.says(row.name, "#judged")
        assert browser.button("Judge").is_enabled()


def test_too_little_is_said_before_anything_is_trained(me, default_model, browser):
    me.engine.model = default_model
    browser.enter("learn")
    browser.click("Estimate")
    browser.says("Not yet:", ".note", 60)
    assert not AdapterRegistry(me.profile).list()
