"""What a person does with the page, with the real model behind it."""

from __future__ import annotations

import dataclasses

import pytest
from browser import Browser, served

from ondevice.chat import Assistant
from ondevice.memory.service import Memory
from ondevice.settings import GenerationSettings, Settings


@pytest.fixture
def real(profile, shared_engine, embedder):
    """An assistant with the default model, which always takes the likeliest word."""
    generation = GenerationSettings(temperature=0.0, max_tokens=300)
    settings = dataclasses.replace(Settings(), generation=generation)
    assistant = Assistant(shared_engine, Memory(profile, embedder, settings), settings)
    assistant.adapters.choose(None)
    yield assistant
    shared_engine.set_adapters([])


@pytest.fixture
def browser(real, chromium):
    with served(real) as (address, app):
        shown = Browser(chromium, address, app)
        shown.enter()
        yield shown
        assert shown.problems() == []
        chromium.get("about:blank")


def test_what_was_told_is_used_in_the_next_chat_and_forgotten(browser, profile):
    browser.say("My dog is called Biscuit.")
    browser.click("New chat")
    browser.wait(lambda: not browser.all(".said"))
    browser.say("What is my dog called?")
    assert "Biscuit" in browser.text(".said.it .body")
    browser.one(".under summary").click()
    browser.says("The user's dog is called Biscuit.", ".under")
    browser.click("Good")
    browser.wait(lambda: profile.feedback.all())
    browser.click("Forget")
    browser.click("Forget for good", "dialog")
    browser.wait(lambda: not profile.facts.all())


def test_a_long_answer_streams_and_stops_and_another_takes_its_place(browser, profile):
    browser.write("#message", "Write a long story about a river.\n")
    browser.wait(lambda: len(browser.all(".said.it .body")) and browser.text(".said.it .body"), 60)
    browser.wait(lambda: len(browser.text(".said.it .body")) > 20, 60)
    browser.click("Stop")
    browser.says("Stopped; what was said so far is kept.", ".under")
    begun = profile.turns.all()[-1].text
    browser.click("Edit my message")
    browser.write(".said.you textarea", "What is the capital of France?")
    browser.click("Send again")
    browser.says("Paris", ".said.it .body", 60)
    browser.finished()
    browser.click("Try again")
    browser.wait(lambda: not browser.all(".again"))
    browser.finished()
    assert "Paris" in browser.text(".said.it .body")
    asked, answer = profile.turns.all()
    assert asked.text == "What is the capital of France?" and "Paris" in answer.text
    assert begun not in answer.text


def test_imported_notes_are_asked_about_and_a_temporary_chat_does_not_know_them(
    browser, profile, tmp_path
):
    (tmp_path / "boat.md").write_text("# Boat\n\nMy boat is called Albatross.\n")
    browser.go("import")
    browser.one("#files").send_keys(str(tmp_path / "boat.md"))
    browser.click("Import", "#preview")
    browser.says("Imported 1 passage", "#import-status")
    browser.one(".result a[href='#/chat']").click()
    browser.say("What is my boat called?")
    assert "Albatross" in browser.text(".said.it .body")
    assert "My boat is called Albatross." in browser.one(".under .used").get_attribute(
        "textContent"
    )
    kept = len(profile.turns.all())
    browser.click("Temporary")
    browser.wait(lambda: browser.one(".temporary").is_displayed() and not browser.all(".said"))
    browser.say("What is my boat called?")
    assert "Albatross" not in browser.text(".said.it .body")
    assert not browser.all(".under .used") and len(profile.turns.all()) == kept
