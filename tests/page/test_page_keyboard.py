"""The page without a mouse, and what a screen reader is told."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from selenium.webdriver.common.keys import Keys

from ondevice.store.records import NewPassage

VIEWS = ("chat", "memories", "import", "learn", "adapters", "privacy", "settings")


def tab_to(browser, name, most=60):
    """Press Tab until the focus is on what is called `name`."""
    for _ in range(most):
        browser.press(Keys.TAB)
        node = browser.focused()
        if name in (node.accessible_name, node.text):
            assert browser.driver.execute_script(RING, node), f"{name} shows no focus"
            return node
    raise AssertionError(f"Tab never comes to {name}")


def test_a_chat_by_keyboard_alone(browser, me):
    browser.enter()
    tab_to(browser, "Your message")
    browser.press("My dog is called Biscuit.", Keys.ENTER)
    browser.wait(lambda: browser.all(".said.it"))
    browser.finished()
    assert browser.focused().get_attribute("id") == "message"
    tab_to(browser, "Skip to the content")  # from the last thing on the page to the first
    browser.press(Keys.ENTER)
    assert browser.focused().get_attribute("id") == "main"
    tab_to(browser, "Correct: The user's dog is called Biscuit.")
    browser.press(Keys.ENTER)
    browser.wait(lambda: browser.all("dialog"))
    assert browser.focused().tag_name == "textarea"
    for _ in range(6):  # the focus stays in the dialog
        browser.press(Keys.TAB)
        assert browser.driver.execute_script(
            "return document.activeElement === document.body"
            " || Boolean(document.activeElement.closest('dialog'))"
        )
    browser.press(Keys.ESCAPE)
    browser.wait(lambda: not browser.all("dialog"))
    assert browser.focused().accessible_name == "Correct: The user's dog is called Biscuit."
    tab_to(browser, "Good")
    browser.press(Keys.SPACE)
    browser.wait(lambda: me.profile.feedback.all())
    tab_to(browser, "Edit my message")
    browser.press(Keys.ENTER)
    browser.press(Keys.END, " He is a beagle.", Keys.ENTER)
    browser.says("He is a beagle.", ".said.you p")
    browser.finished()
    assert len(me.profile.turns.all()) == 2


def test_memories_by_keyboard_alone(browser, me):
    me.profile.facts.add("The user owns a canoe.")
    me.profile.facts.add("The user plays chess.")
    browser.enter("memories")
    browser.wait(lambda: len(browser.all(".memory")) == 2)
    tab_to(browser, "Something to remember")
    browser.press("I live in Ulm.", Keys.ENTER)
    browser.says("The user lives in Ulm.", ".list")
    tab_to(browser, "Choose: The user plays chess.").send_keys(Keys.SPACE)
    browser.says("1 memory chosen", ".bar")
    tab_to(browser, "Read: The user plays chess.")
    browser.press(Keys.ENTER)
    browser.says("The user plays chess.", "dialog")
    browser.press(Keys.ESCAPE)
    assert browser.focused().accessible_name == "Read: The user plays chess."
    tab_to(browser, "Forget: The user plays chess.")
    browser.press(Keys.ENTER)
    browser.says("No adapter learned from it", "dialog")
    tab_to(browser, "Forget for good")
    browser.press(Keys.ENTER)
    browser.wait(lambda: len(browser.all(".memory")) == 2)
    assert [fact.text for fact in me.profile.facts.all()] == [
        "The user owns a canoe.",
        "The user lives in Ulm.",
    ]
    assert browser.focused().tag_name != "body", "the focus is not lost with what was forgotten"


@pytest.fixture
def filled(me, browser):
    source = me.profile.sources.add("import", "diary")
    me.profile.passages.add(source.id, [NewPassage("The quinces are ripe.")])
    me.profile.facts.add("The user owns a canoe.")
    browser.enter()
    browser.say("My dog is called Biscuit.")
    return browser


def test_a_screen_reader_finds_landmarks_headings_and_names(filled):
    for view in VIEWS:
        filled.go(view)
        filled.settle()
        nodes = tree(filled)
        roles = Counter(role for role, _, _ in nodes)
        assert roles["main"] == roles["navigation"] == roles["banner"] == 1, (view, roles)
        assert roles["status"] >= 1, f"{view} tells nothing of what happens"
        nameless = [(role, props) for role, name, props in nodes if role in NAMED and not name]
        assert nameless == [], view
        levels = [props["level"] for role, _, props in nodes if role == "heading"]
        assert levels[0] == 1 and levels.count(1) == 1, (view, levels)
        steps = [after - before for before, after in itertools.pairwise(levels)]
        assert all(step <= 2 for step in steps), (view, levels)
        links = [name for role, name, _ in nodes if role == "link"]
        assert len(links) >= len(VIEWS)


def test_a_screen_reader_hears_an_answer_once_and_what_went_wrong(browser, me, monkeypatch):
    browser.enter()
    browser.say("My dog is called Biscuit.")
    assert browser.one("main > .view > [role=status].hidden").get_attribute("textContent") == (
        "Answer: Hello **there**."
    )
    assert browser.one(".log").get_attribute("aria-live") == "off"
    monkeypatch.setattr(me.engine, "chat", broken)
    browser.write("#message", "Again?\n")
    browser.says("The model failed", "[role=alert]")


def broken(*_):
    from ondevice.errors import EngineError

    raise EngineError("The model failed; try again.")


NAMED = {
    "button", "link", "textbox", "searchbox", "checkbox", "combobox", "spinbutton", "image",
    "progressbar", "list", "dialog", "table", "img", "svg", "StaticImage", "DisclosureTriangle",
}  # fmt: skip

# Whether the node with the focus shows it: by a ring of its own, or by the frame that it is in.
RING = """
const shows = (node) => getComputedStyle(node).outlineStyle !== 'none'
  && parseFloat(getComputedStyle(node).outlineWidth) >= 2;
return shows(arguments[0]) || Boolean(arguments[0].closest('.write'));
"""


def tree(browser):
    """Return (role, name, properties) of everything in the accessibility tree, in order."""
    found = browser.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    return [
        (
            node["role"]["value"],
            node.get("name", {}).get("value", ""),
            {one["name"]: one["value"].get("value") for one in node.get("properties", [])},
        )
        for node in found
        if not node["ignored"]
    ]
