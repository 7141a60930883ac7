"""The page, used as a person uses it, in a real browser."""

from __future__ import annotations

import pytest
from hostile import ATTACKS
from memories import add_text
from selenium.webdriver.common.keys import Keys

from ondevice.adapters.registry import AdapterRegistry
from ondevice.memory.embedding import embedded
from ondevice.models.base_model import resolve
from ondevice.store.records import NewPassage


def test_an_answer_streams_and_is_judged(browser, me):
    browser.enter()
    browser.say("My dog is called Biscuit.")
    assert browser.one(".said.it strong").text == "there"
    assert "Biscuit" in browser.text(".under .used")
    browser.click("Good")
    browser.wait(lambda: me.profile.feedback.all())
    assert me.profile.feedback.all()[0].verdict == "accept"
    assert browser.button("Good").get_attribute("aria-pressed") == "true"
    browser.click("Write it better")
    browser.write("dialog textarea", "Hello, friend.")
    browser.click("Save", "dialog")
    browser.wait(lambda: len(me.profile.feedback.all()) == 2)
    assert me.profile.feedback.all()[1].text == "Hello, friend."
    assert browser.problems() == []


def test_what_was_remembered_is_corrected_or_forgotten_under_the_answer(browser, me):
    browser.enter()
    browser.say("My dog is called Biscuit.")
    browser.click("Correct")
    browser.write("dialog textarea", "The user's dog is called Rusk.")
    browser.click("Save", "dialog")
    browser.says("Rusk", ".under")
    assert [fact.text for fact in me.profile.facts.all()] == ["The user's dog is called Rusk."]
    browser.click("Forget")
    browser.says("No adapter learned from it", "dialog")
    assert me.profile.facts.all(), "nothing goes before the preview was confirmed"
    browser.click("Forget for good", "dialog")
    browser.wait(lambda: not me.profile.facts.all())


def test_an_imported_text_is_corrected_under_the_answer_and_brought_back(browser, me):
    source = me.profile.sources.add("import", "chat")
    text = "The spare key hangs in the shed."
    me.profile.passages.add(
        source.id, [NewPassage(text, speaker="Ben")], embedded(me.memory.embedder, [text])
    )
    browser.enter()
    browser.say("Where does the spare key hang?")
    browser.one(".under summary").click()
    browser.says("Ben", ".under .used")
    browser.click("Correct")
    browser.write("dialog textarea", "the spare key hangs in the loft")
    browser.click("Save", "dialog")
    browser.says("loft", ".under")
    assert [p.text for p in me.profile.passages.all()] == ["the spare key hangs in the loft"]
    assert not me.profile.facts.all()
    browser.driver.execute_script("location.hash = '#/memories'")
    browser.says("What I know about you", "h1")
    browser.driver.execute_script(
        "const kind = document.querySelector('select[aria-label=Kind]');"
        "kind.value = 'passage'; kind.dispatchEvent(new Event('change'))"
    )
    browser.wait(lambda: len(browser.all(".memory")) == 2)
    browser.click("Use again")
    browser.wait(lambda: [p.text for p in me.profile.passages.all()] == [text])
    assert browser.problems() == []


def test_again_and_edit_take_the_last_exchange_back(browser, me, script):
    browser.enter()
    browser.say("I live in Ulm.")
    script[0] = "A second try."
    browser.click("Try again")
    browser.says("A second try.", ".log")
    browser.finished()
    assert len(browser.all(".said.it")) == 1
    assert [turn.text for turn in me.profile.turns.all()] == [
        "I live in Ulm.",
        "A second try.",
    ]
    browser.click("Edit my message")
    browser.write(".said.you textarea", "I live in Bonn.")
    browser.click("Send again")
    browser.wait(lambda: "Bonn" in browser.text(".log .said.you"))
    browser.finished()
    assert [turn.text for turn in me.profile.turns.all()] == [
        "I live in Bonn.",
        "A second try.",
    ]
    assert [fact.text for fact in me.profile.facts.all()] == ["The user lives in Bonn."]


def slowly(monkeypatch):
    """Let answers pause after a few words, until they are stopped."""
    from fake_engine import FakeStream

    step = FakeStream.__next__

    def next_word(self):
        if len(self.text) > 20:
            self._cancelled.wait(30)
        return step(self)

    monkeypatch.setattr(FakeStream, "__next__", next_word)


def test_stop_keeps_what_was_said(browser, me, script, monkeypatch):
    slowly(monkeypatch)
    script[0] = "word " * 90
    browser.enter()
    browser.write("#message", "Go on.\n")
    browser.says("word", ".log")
    browser.click("Stop")
    browser.says("Stopped; what was said so far is kept.", ".under")
    said = me.profile.turns.all()[-1].text
    assert said.startswith("word") and len(said) < 100


def test_the_transcript_comes_back_after_a_reload(browser, me, script):
    browser.enter()
    browser.say("My dog is called Biscuit.")
    browser.click("Good")
    browser.wait(lambda: me.profile.feedback.all())
    browser.say("And now?")
    browser.driver.refresh()
    browser.wait(lambda: len(browser.all(".said.it")) == 2)
    assert browser.one(".said.it strong").text == "there"
    assert [node.text for node in browser.all(".said.you")] == [
        "You\nMy dog is called Biscuit.",
        "You\nAnd now?",
    ]
    assert "Remembered" in browser.all(".said.it")[0].text
    assert browser.all(".said.it [aria-pressed=true]")[0].text == "Good"
    me.new_conversation()  # as after another start of the server: the address names the chat
    browser.driver.refresh()
    browser.wait(lambda: len(browser.all(".said.it")) == 2)
    script[0] = "A second try."
    browser.click("Try again")
    browser.says("A second try.", ".log")
    browser.finished()
    assert [turn.text for turn in me.profile.turns.all() if turn.role == "assistant"] == [
        "Hello **there**.",
        "A second try.",
    ]


def test_earlier_chats_are_found_gone_on_with_and_forgotten(browser, me):
    browser.enter()
    browser.say("What grows in the shade?")
    browser.click("New chat")
    browser.wait(lambda: not browser.all(".said"))
    browser.say("Who built the bridge?")
    browser.click("Earlier")
    browser.wait(lambda: len(browser.all(".chats li")) == 2)
    browser.write("dialog input", "shade")
    browser.wait(lambda: len(browser.all(".chats li")) == 1)
    browser.one(".chat-choice").click()
    browser.says("What grows in the shade?", ".log")
    browser.say("And in the sun?")
    assert len(browser.all(".said.you")) == 2
    browser.click("Earlier")
    browser.wait(lambda: len(browser.all(".chats li")) == 2)
    browser.all(".chats li .plain")[1].click()  # the bridge
    browser.click("Forget for good", "dialog:last-of-type")
    browser.wait(lambda: len(browser.all(".chats li")) == 1)
    assert not [turn for turn in me.profile.turns.all() if "bridge" in turn.text]


def test_a_temporary_chat_is_plain_to_see_and_leaves_nothing(browser, me):
    browser.enter()
    assert not browser.one(".temporary").is_displayed()
    browser.click("Temporary")
    browser.wait(lambda: browser.one(".temporary").is_displayed())
    assert "nothing of this is kept" in browser.text(".temporary")
    browser.say("My dog is called Biscuit.")
    assert not me.profile.turns.all() and not me.profile.facts.all()
    browser.go("memories")
    browser.go("chat")  # another view, the same page: it is still there
    browser.says("Biscuit", ".log")
    browser.driver.refresh()
    browser.wait(lambda: not me.conversation.is_temporary)
    browser.wait(lambda: browser.one(".empty").is_displayed())
    assert not browser.one(".temporary").is_displayed() and not me.conversation.exchanges
    browser.click("Temporary")
    browser.wait(lambda: browser.one(".temporary").is_displayed())
    browser.click("Temporary")
    browser.wait(lambda: not browser.one(".temporary").is_displayed())
    browser.say("I live in Ulm.")
    assert len(me.profile.turns.all()) == 2


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_the_model_writes_is_only_text(browser, script, attack):
    script[0] = f"Before. {attack}\n\n{attack}"
    browser.enter()
    browser.say("Say it.")
    browser.settle()
    hostile = (
        ".said.it :is(a, img, script, iframe, svg, style, input, form, template, math, object)"
    )
    assert browser.all(hostile) == []
    assert browser.driver.execute_script("return window.hit ?? null") is None
    assert browser.one("#message").is_displayed()


def test_hostile_memories_are_only_text(browser, me):
    for attack in ATTACKS:
        me.profile.facts.add(attack)
    browser.enter("memories")
    browser.wait(lambda: len(browser.all(".memory")) >= 8)
    assert browser.all(".list :is(a, img, script, iframe, svg, form)") == []
    assert browser.driver.execute_script("return window.hit ?? null") is None


def test_memories_are_added_searched_filtered_edited_and_pinned(browser, me):
    me.profile.facts.add("The user plays the harmonica.", category="preference")
    browser.enter("memories")
    browser.write(".add input", "I live in Ulm.\n")
    browser.says("The user lives in Ulm.", ".list")
    browser.write("#search", "harmo")
    browser.says("1 memory", "#count")
    assert "harmonica" in browser.text(".list") and "Ulm" not in browser.text(".list")
    browser.click("Pin")
    browser.says("pinned", ".list")
    assert [fact.pinned for fact in me.profile.facts.all()] == [True, False]
    browser.click("Edit")
    browser.write("dialog textarea", "The user plays the harmonium.")
    browser.click("Save", "dialog")
    browser.says("harmonium", ".list")
    browser.write("#search", "zzz")
    browser.says("Nothing fits.", "#count")
    browser.one("#search").send_keys(Keys.BACKSPACE * 3)
    browser.one("select[aria-label=Category] option[value=preference]").click()
    browser.says("1 memory", "#count")


def test_a_long_memory_is_read_whole_and_the_rows_fit_every_width(browser, me):
    end = "where nobody asks for the maps that are kept in order there."
    me.profile.facts.add("The user works at the library, in the map room, " * 6 + end)
    me.profile.facts.add("The user owns a canoe.")
    browser.enter("memories")
    browser.wait(lambda: len(browser.all(".memory")) == 2)
    assert browser.one(".memory").rect["height"] == 66
    browser.as_phone()
    browser.wait(lambda: browser.one(".memory").rect["height"] == 92)
    first, second = browser.all(".memory")
    parts = [node.rect for node in first.find_elements("css selector", ".text, .actions")]
    assert all(part["y"] + part["height"] <= second.rect["y"] for part in parts)
    browser.all(".memory .text")[1].click()
    browser.says(end, "dialog .whole")
    browser.click("Close", "dialog")
    browser.wait(lambda: not browser.all("dialog"))


def test_pending_memories_are_approved(browser, me):
    add_text(me.memory.recall, "I own a canoe.", state="pending")
    browser.enter("memories")
    browser.says("to approve", ".list")
    browser.click("Approve", ".list")
    browser.wait(lambda: "to approve" not in browser.text(".list"))
    assert [fact.state for fact in me.profile.facts.all()] == ["active"]


def test_bulk_forgetting_can_be_undone_and_shows_the_adapters(browser, me, make_adapter, home):
    facts = [me.profile.facts.add(f"The user owns canoe number {n}.") for n in range(5)]
    path, _ = make_adapter(1)
    registry = AdapterRegistry(me.profile)
    registry.add(path, resolve("default", home), name="mine", records=[facts[0].id])
    browser.enter("memories")
    browser.wait(lambda: len(browser.all(".memory")) == 5)
    browser.all(".memory input")[0].click()
    browser.click("Choose all that fit", ".bar")
    browser.says("5 memories chosen", ".bar")
    browser.click("Forget", ".bar")
    browser.says("nothing is forgotten yet", ".bar")
    browser.click("Undo", ".bar")
    assert len(me.profile.facts.all()) == 5 and not browser.all(".memory.gone")
    browser.all(".memory input")[0].click()
    browser.click("Choose all that fit", ".bar")
    browser.click("Forget", ".bar")
    browser.click("See what goes…", ".bar")
    browser.says("mine", "dialog .note.warn")
    browser.click("Keep it", "dialog")
    assert len(me.profile.facts.all()) == 5
    browser.click("See what goes…", ".bar")
    browser.click("Forget for good", "dialog")
    browser.wait(lambda: not me.profile.facts.all())
    browser.says("Nothing is remembered here yet.", "#count")
    assert registry.get("mine").state == "stale"


def test_adapters_are_shown_with_their_lineage_used_and_removed(browser, me, make_adapter, home):
    fact = me.profile.facts.add("The user owns a canoe.")
    path, _ = make_adapter(1)
    me.engine.model = resolve("default", home)
    registry = AdapterRegistry(me.profile)
    registry.add(path, me.engine.model, name="mine", records=[fact.id])
    browser.enter("adapters")
    browser.click("Use", ".card")
    browser.says("in use", ".card:first-child")  # the last one is the reader's
    assert [use.name for use in me.engine.active_adapters][-1:] == ["mine"]
    browser.one(".card summary").click()
    browser.says("The user owns a canoe.", ".chain")
    browser.click("Turn off", ".card")
    browser.wait(lambda: registry.get("mine").state == "off")
    browser.click("Roll back")
    browser.wait(lambda: registry.get("mine").state == "active")
    browser.click("Remove", ".card")
    browser.click("Delete", "dialog")
    browser.wait(lambda: not registry.list())


def test_privacy_tells_the_state_and_wipes_only_when_the_name_is_typed(browser, me):
    me.profile.facts.add("The user owns a canoe.")
    folder = me.profile.folder
    browser.enter("privacy")
    browser.says("What leaves this machine: nothing")
    browser.says("Its key is kept by a key file")
    browser.click("Wipe this profile…")
    browser.write("#wipe-name", "something")
    browser.click("Wipe", "dialog")
    browser.says("Type the name of the profile", "#toasts")
    assert folder.exists()
    browser.click("Wipe this profile…")
    browser.write("#wipe-name", "default")
    browser.click("Wipe", "dialog")
    browser.says("It is gone")
    assert not folder.exists()


def test_an_export_and_a_backup_are_downloaded(browser, me, tmp_path):
    from ondevice.store.exchange import transfer

    me.profile.facts.add("The user owns a canoe.")
    home = me.profile.home
    browser.driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    browser.enter("privacy")
    browser.click("Export…")
    browser.write("dialog input[aria-label=Passphrase]", "another one")
    browser.write("dialog input[aria-label='Passphrase again']", "another one")
    browser.click("Export", "dialog")
    browser.wait(lambda: list(tmp_path.glob("*.ondevice-export")))
    (file,) = tmp_path.glob("*.ondevice-export")
    assert b"canoe" not in file.read_bytes()
    transfer.import_profile(home, file, name="copy", ask_passphrase=lambda: "another one")
    browser.click("Back up")
    browser.wait(lambda: list(tmp_path.glob("*.ondevice-backup")))
    browser.says("backup", ".plain-list")
    (file,) = tmp_path.glob("*.ondevice-backup")
    assert b"canoe" not in file.read_bytes()


def test_a_passphrase_a_recovery_code_and_retention_are_set_on_the_page(browser, me):
    from ondevice.store.access import key_changes

    def ways():
        return set(key_changes.ways_in(me.profile.home, me.profile.name))

    browser.enter("privacy")
    browser.click("Set a passphrase…")
    browser.write("dialog input[aria-label=Passphrase]", "one of them")
    browser.write("dialog input[aria-label='Passphrase again']", "another")
    browser.click("Set it", "dialog")
    browser.says("The two passphrases differ.", "dialog")
    browser.write("dialog input[aria-label='Passphrase again']", "one of them")
    browser.click("Set it", "dialog")
    browser.says("kept by your passphrase", "#keys")
    browser.click("Make a recovery code…")
    assert len(browser.text("#recovery-code")) > 20
    browser.click("I have written it down")
    browser.says("a recovery code", "#keys")
    assert ways() == {"passphrase", "recovery"}
    browser.write("#turn_days", "90")
    browser.click("Save")
    browser.wait(lambda: me.profile.retention.days().turn_days == 90)
    browser.says("retention", "#log")


def test_a_wrong_settings_file_is_plain_to_see_and_mended(browser, home):
    home.config.mkdir(exist_ok=True)
    (home.config / "config.toml").write_text("[generation]\ntop_k = 'x'\n")
    browser.enter()
    browser.says("line 2", "#toasts")
    browser.click("Settings", "#toasts")
    browser.says("line 2", ".note.warn")
    browser.write("#set-model-name", "nobody").send_keys(Keys.TAB)
    browser.says("There is no base model called 'nobody'", "main")
    browser.write("#set-generation-top_p", "0.9").send_keys(Keys.TAB)
    browser.wait(lambda: not browser.one(".note.warn").is_displayed())
    assert "# left out: top_k = 'x'" in (home.config / "config.toml").read_text()


def test_the_page_asks_before_it_keeps_something_while_the_chat_is_temporary(browser, me):
    browser.enter()
    browser.click("Temporary")
    browser.wait(lambda: browser.one(".temporary").is_displayed())
    browser.go("memories")
    for choice, facts in (("Do not keep", 0), ("Keep it", 1)):
        browser.write("form.add input", "I own a canoe.")
        browser.one("form.add button").click()
        browser.says("Keep this anyway?", "dialog")
        browser.click(choice)
        browser.wait(lambda facts=facts: len(me.profile.facts.all()) == facts)


def test_settings_are_changed_on_the_page(browser, me):
    browser.enter("settings")
    field = browser.write("#set-generation-temperature", "0.9")
    field.send_keys(Keys.TAB)
    browser.wait(lambda: me.settings.generation.temperature == 0.9)
    browser.says("Saved.", ".setting")
    browser.click("Default")
    browser.wait(lambda: me.settings.generation.temperature == 0.3)
    field = browser.write("#set-recall-memories", "1.5")
    field.send_keys(Keys.TAB)
    browser.says("whole number", "main")
    assert field.get_attribute("aria-invalid") == "true"


def test_empty_views_say_what_to_do_next(browser):
    browser.enter("memories")
    browser.says("Nothing is known here yet.", ".none")
    assert browser.all(".none a[href='#/import']")
    browser.go("adapters")
    assert browser.one("main .card a").get_attribute("href").endswith("#/learn")
    browser.go("privacy")
    browser.says("Nothing yet", "#log")


def test_a_long_list_holds_only_what_is_seen(browser, me):
    source = me.profile.sources.add("import", "diary")
    me.profile.passages.add(source.id, [NewPassage(f"Entry number {n}.") for n in range(20_000)])
    browser.enter("memories")
    browser.one("select[aria-label=Kind] option[value=passage]").click()
    browser.says("20,000 memories", "#count")
    assert len(browser.all(".memory")) < 60
    browser.driver.execute_script("document.querySelector('.list').scrollTop = 1e9")
    browser.says("Entry number 0.", ".list")
    assert len(browser.all(".memory")) < 60


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_fits_a_phone_and_its_text_stands_out(browser, me, scheme):
    add_text(me.memory.recall, "I own a canoe that is painted green and lies behind the mill.")
    browser.as_phone(scheme)
    browser.enter()
    browser.say("My dog is called Biscuit.")
    for view in VIEWS:
        browser.go(view)
        browser.settle()
        assert browser.driver.execute_script(TOO_WIDE) == [], view
        assert browser.driver.execute_script(PALE) == [], view


def test_every_view_fits_the_smallest_phone(browser, me):
    """320 pixels: also what a phone of 400 has with letters a quarter larger (WCAG 2.2, 1.4.10)."""
    browser.as_phone(width=320, height=640)
    browser.enter()
    for view in VIEWS:
        browser.go(view)
        browser.settle()
        assert browser.driver.execute_script(BEYOND_320) == [], view
        title = browser.one(".top h1")
        beside = [node.rect for node in browser.all(".top button") if node.is_displayed()]
        words = browser.driver.execute_script(WIDTH_OF_WORDS, title)
        same_line = [b["x"] for b in beside if b["y"] < title.rect["y"] + title.rect["height"]]
        assert all(title.rect["x"] + words <= x for x in same_line), view


BEYOND_320 = """
return [...document.querySelectorAll('main *, nav *')].filter(node => node.checkVisibility())
  .filter(node => !node.closest('.wide, pre, .hidden'))
  .filter(node => node.getBoundingClientRect().right > 321 || innerWidth > 320)
  .map(node => node.outerHTML.slice(0, 100));
"""
WIDTH_OF_WORDS = """
const range = document.createRange();
range.selectNodeContents(arguments[0]);
return range.getBoundingClientRect().width;
"""


VIEWS = ("chat", "memories", "import", "learn", "adapters", "privacy", "settings")

# What reaches beyond the right edge of the screen and cannot be scrolled to.
TOO_WIDE = """
return [...document.querySelectorAll('main *')].filter(node => node.checkVisibility())
  .filter(node => !node.closest('.wide, pre, .hidden'))
  .filter(node => node.getBoundingClientRect().right > innerWidth + 1)
  .map(node => node.outerHTML.slice(0, 100));
"""
# Text with less contrast than 4.5 to 1 against what lies behind it (WCAG 2.2, 1.4.3).
PALE = """
const light = (color) => color.slice(0, 3).map(c => c / 255)
  .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
  .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const rgb = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
const behind = (node) => {
  for (; node; node = node.parentElement) {
    const color = rgb(getComputedStyle(node).backgroundColor);
    if (color.length === 3 || color[3] === 1) return color;
  }
  return [255, 255, 255];
};
return [...document.querySelectorAll('main *, nav *')].filter(node => node.checkVisibility())
  .filter(node => [...node.childNodes].some(child => child.nodeType === 3 && child.data.trim()))
  .filter(node => !node.closest(':disabled, .gone, svg'))
  .filter(node => {
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(behind(node))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
  }).map(node => `${node.outerHTML.slice(0, 80)} ${getComputedStyle(node).color}`);
"""
