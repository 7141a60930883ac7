"""Import through the page: files and folders are dropped or chosen, looked at, and taken in."""

from __future__ import annotations

from hostile import ATTACKS


def test_files_are_looked_at_then_imported_and_their_source_is_forgotten(browser, me, tmp_path):
    (tmp_path / "garden.md").write_text("# Garden\n\nThe quinces are ripe in October.\n")
    (tmp_path / "broken.jsonl").write_text("{not json\n")
    chat = [f"{n + 1:02d}.03.24, 10:00 - {('Anna', 'Ben')[n % 2]}: note {n}\n" for n in range(20)]
    (tmp_path / "chat.txt").write_text("".join(chat))
    browser.enter("import")
    names = ("garden.md", "broken.jsonl", "chat.txt")
    browser.one("#files").send_keys("\n".join(str(tmp_path / name) for name in names))
    browser.says("Who are you?", "#preview")
    browser.says("not JSON", "#preview .files")
    assert "0 yours" in browser.text("#preview .files")
    assert not list(me.profile.passages.all()), "a preview takes nothing"
    next(b for b in browser.all("#who label") if b.text == "Ben").click()
    browser.says("10 yours", "#preview .files")
    browser.click("Import", "#preview")
    browser.says("Imported", "#import-status")
    browser.says("broken.jsonl was left out", ".result")
    assert str(tmp_path) not in browser.text()
    own = {p.text for p in me.profile.passages.all() if p.learn}
    assert len(own) == 11 and "note 1" in own and "note 0" not in own
    browser.says("garden", "table")
    browser.all("table .plain")[-1].click()
    browser.click("Forget for good", "dialog")
    browser.wait(lambda: len(browser.all("table tbody tr")) == 1)
    browser.one("#files").send_keys(str(tmp_path / "garden.md"))
    browser.click("Cancel", "#preview")
    browser.says("Nothing was imported.", "#import-status")
    assert browser.one(".drop").is_displayed()


def test_of_a_folder_only_what_can_be_read_is_sent(browser, tmp_path):
    vault = tmp_path / "vault"
    (vault / "garden").mkdir(parents=True)
    (vault / ".obsidian").mkdir()
    (vault / "garden" / "quince.md").write_text("# Quince\n\nRipe in October.\n")
    (vault / ".obsidian" / "app.json").write_text("{}")
    (vault / "picture.png").write_bytes(b"\x89PNG")
    browser.enter("import")
    browser.one("#folder").send_keys(str(vault))
    browser.says("vault/garden/quince.md", "#preview")
    browser.says("2 other files in the folders were passed over", "#preview")
    assert "app.json" not in browser.text("#preview")


def test_what_files_say_is_only_text(browser, me, tmp_path):
    lines = [
        f"{n + 1:02d}.03.24, 10:00 - <img src=x onerror=window.hit={n}>: {attack.split(chr(10))[0]}"
        for n, attack in enumerate(ATTACKS)
    ]
    (tmp_path / "chat.txt").write_text("\n".join(lines))
    browser.enter("import")
    browser.one("#files").send_keys(str(tmp_path / "chat.txt"))
    browser.says("<img src=x", "#preview")
    browser.one("#who input").click()
    browser.wait(lambda: browser.all("#who :checked") and "0 yours" not in browser.text("#preview"))
    browser.click("Import", "#preview")
    browser.says("Imported", "#import-status")
    assert browser.all("main :is(img, script, iframe, svg, form)") == []
    assert browser.driver.execute_script("return window.hit ?? null") is None
    assert browser.problems() == []


def test_what_is_dropped_is_looked_at_and_imported_with_progress(browser, me, tmp_path):
    vault = tmp_path / "vault"
    (vault / "garden").mkdir(parents=True)
    for number in range(30):
        text = f"# Day {number}\n\nThe quince in bed {number} has {number} fruits, and I counted."
        (vault / "garden" / f"day-{number}.md").write_text(text)
    (tmp_path / "broken.jsonl").write_text("{not json\n")
    browser.enter("import")
    paths = [str(vault), str(tmp_path / "broken.jsonl")]
    browser.drag("dragEnter", ".drop", paths)
    browser.drag("dragOver", ".drop", paths)
    assert browser.one(".drop.over")
    browser.drag("drop", ".drop", paths)
    browser.wait(lambda: len(browser.all("#preview .files > li")) == 31)
    names = [node.text for node in browser.all("#preview .files .name")]
    assert names[:4] == ["broken.jsonl", *(f"vault/garden/day-{n}.md" for n in range(3))]
    browser.driver.execute_script(WATCH)
    assert browser.button("Import", "#preview").is_displayed()
    browser.click("Import", "#preview")
    browser.says("Imported 30 passages from 30 files", "#import-status")
    shares = browser.driver.execute_script("return window.shares")
    assert shares == sorted(shares) and any(0 < share < 1 for share in shares), shares
    assert "broken.jsonl was left out: line 1" in browser.text(".result")
    assert len(list(me.profile.passages.all())) == 30
    browser.go("memories")
    browser.one("select[aria-label=Kind] option[value=passage]").click()
    browser.says("30 memories", "#count")
    browser.one("select[aria-label=Source] option:nth-child(2)").click()
    browser.says("1 memory", "#count")
    assert browser.problems() == []


# Notes how far the bar of the import has come.
WATCH = """
window.shares = [];
new MutationObserver(() => {
  const bar = document.querySelector('progress[aria-label=Importing]');
  if (bar && bar.hasAttribute('value')) window.shares.push(bar.value);
}).observe(document.querySelector('main'), {childList: true, subtree: true, characterData: true});
"""


def test_why_a_file_was_left_out_is_a_sentence(browser, tmp_path):
    (tmp_path / "settings.json").write_text("{}")
    (tmp_path / "note.md").write_text("The heron was at the lock.")
    browser.enter("import")
    paths = [str(tmp_path / name) for name in ("settings.json", "note.md")]
    browser.one("#files").send_keys("\n".join(paths))
    browser.says("that cannot be read", "#preview")
    browser.click("Import", "#preview")
    browser.says("settings.json was left out: it is JSON, but not an export", ".result")
