"""Who is not let in, and a profile that is locked and opened again on the page."""

from __future__ import annotations

import json
import urllib.request

import pytest

from ondevice.store.access import key_changes
from ondevice.store.access.passphrase import Cost

PASSPHRASE = "correct horse battery"


@pytest.fixture
def told(me):
    """Protect the profile by a passphrase and let it know something."""
    key_changes.set_passphrase(me.profile, PASSPHRASE, cost=Cost(8, 1, 1))
    me.remember("I own a canoe.")
    return me


def test_locking_leaves_nothing_on_the_page_until_the_passphrase_is_given(browser, told):
    browser.enter("memories")
    browser.says("canoe", ".list")
    browser.go("privacy")
    browser.says("Its key is kept by your passphrase")
    browser.click("Lock now")
    browser.says("is closed", ".lead")
    assert not told.profile.is_open
    assert browser.focused().get_attribute("id") == "unlock"
    browser.press("a wrong guess\n")
    browser.says("passphrase", "[role=alert]")
    for view in ("memories", "chat"):  # other views are closed too
        browser.driver.execute_script(f"location.hash = '#/{view}'")
        browser.wait(lambda: browser.one("#unlock").is_displayed())
        assert "canoe" not in browser.driver.page_source
    browser.write("#unlock", PASSPHRASE + "\n")
    browser.wait(lambda: browser.all("#message"))
    assert PASSPHRASE not in browser.driver.page_source
    browser.go("memories")
    browser.says("canoe", ".list")
    browser.go("chat")
    browser.say("I live in Ulm.")
    assert len(told.profile.turns.all()) == 2
    assert browser.problems() == []


def test_a_profile_that_is_locked_in_a_terminal_is_closed_on_the_page_too(browser, told):
    browser.enter()
    browser.say("I live in Ulm.")
    key_changes.lock(told.profile.home, told.profile.name)
    browser.write("#message", "Where do I live?\n")
    browser.says("is closed", ".lead")
    assert "Ulm" not in browser.driver.page_source
    browser.driver.refresh()
    browser.write("#unlock", PASSPHRASE + "\n")
    browser.wait(lambda: browser.all("#message"))


def test_a_profile_that_was_opened_elsewhere_is_not_asked_for_again(browser, told):
    browser.enter("privacy")
    browser.click("Lock now")
    browser.wait(lambda: browser.all("#unlock"))
    request = urllib.request.Request(
        f"{browser.address}/api/privacy/unlock",
        data=json.dumps({"passphrase": PASSPHRASE}).encode(),
        headers={"Authorization": "Bearer " + "t" * 40, "Content-Type": "application/json"},
    )
    urllib.request.urlopen(request).close()
    browser.press("whatever\n")
    browser.wait(lambda: browser.all("#message"))


def test_who_has_no_session_is_told_how_to_get_in(browser, me):
    me.remember("I own a canoe.")
    browser.driver.delete_all_cookies()
    browser.driver.get(browser.address)
    browser.says("This browser is not let in", "h1")
    browser.driver.get(f"{browser.address}/enter?key=used-long-ago")
    browser.says("the link was used or is too old", ".lead")
    browser.one("nav a[data-view=memories]").click()
    browser.says("This browser is not let in", "h1")
    assert "canoe" not in browser.driver.page_source


def test_the_link_may_be_opened_again_where_it_has_let_somebody_in(browser):
    browser.enter()
    browser.driver.get(f"{browser.address}/enter?key=used-before")
    browser.wait(lambda: browser.all("#message"))
    assert not browser.all(".instead")
