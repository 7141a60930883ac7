"""`import --preview`: what would be taken, from whom, and what is left out and why."""

from __future__ import annotations

import json

from ondevice.cli import run

MAIL = (
    "From {0} Mon Jan  1 10:00:00 2024\nFrom: {0}\nMessage-ID: <{1}@x>\n"
    "Date: Mon, 1 Jan 2024 10:00:00 +0000\n\nA mail of {0}.\n\n"
)


def preview(capsys, *arguments):
    assert run(["import", "--preview", *map(str, arguments)]) == 0
    shown = capsys.readouterr()
    return [tuple(line.split("\t")[1:]) for line in shown.out.splitlines()], shown.err


def test_a_mailbox_tells_whose_mails_it_holds_until_the_person_says_who_they_are(
    home, tmp_path, capsys
):
    box = tmp_path / "Mail.mbox"
    box.write_text("".join(MAIL.format(f"{who}@x.org", n) for n, who in enumerate("abb")))
    rows, said = preview(capsys, box)
    assert rows == [
        ("mailbox", "1 document"),
        ("yours", "0 pieces"),
        ("left out", "3 mails of others"),
        ("mails from", "2 of b@x.org"),
        ("mails from", "1 of a@x.org"),
    ]
    assert "Nothing in Mail.mbox is known to be yours" in said and "--as" in said
    rows, said = preview(capsys, box, "--as", "a@x.org")
    assert rows == [
        ("mailbox", "1 document, 2024-01-01"),
        ("yours", "1 piece"),
        ("left out", "2 mails of others"),
    ]
    assert "known to be yours" not in said


def test_a_large_group_is_not_listed_to_its_end(home, tmp_path, capsys):
    chat = tmp_path / "chat.txt"
    names = [f"Person {n:02d}" for n in range(30)]
    chat.write_text("".join(f"31/12/23, 10:{n:02d} - {who}: hi\n" for n, who in enumerate(names)))
    rows, _ = preview(capsys, chat, "--as", "Person 00")
    assert rows[:2] == [("WhatsApp chat", "1 document, 2023-12-31"), ("yours", "1 piece")]
    assert [what for what, _ in rows].count("context only") == 13
    assert rows[-1] == ("context only", "and 17 others")


def test_statements_of_another_assistant_are_to_approve(home, tmp_path, capsys):
    notes = tmp_path / "memory.txt"
    notes.write_text("- User lives in Lisbon.\n- User's dog is called Biscuit.\n")
    rows, _ = preview(capsys, notes)
    assert rows == [
        ("memories of another assistant", "1 document"),
        ("to approve", "2 facts"),
    ]
    assert not home.profile("default").exists()  # a preview stores nothing


def test_one_bad_file_costs_no_other_and_is_named(home, tmp_path, capsys):
    folder = tmp_path / "vault"
    folder.mkdir()
    (folder / "a.md").write_text("The first note.")
    (folder / "latin.md").write_bytes("Ein Café".encode("cp1252"))
    (folder / "m.md").write_bytes(b"bin\0ary")
    (folder / "z.md").write_text("The last note.")
    rows, _ = preview(capsys, folder)
    assert ("cannot be read", f"{folder}/m.md, line 1: this is not text but a binary file; choose "
            "another file.") in rows  # fmt: skip
    assert [what for what, _ in rows].count("encoding") == 1
    for passages in (3, 0):
        assert run(["import", str(folder), "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["passages"] == passages and report["unchanged"] == 3 - passages
        assert [one["file"] for one in report["skipped"]] == ["m.md"]
    assert run(["import", str(folder)]) == 0
    said = capsys.readouterr().err
    assert "m.md, line 1: this is not text" in said and "3 were there already" in said
    assert run(["import", str(folder / "m.md")]) == 1
    assert run(["import", str(folder / "m.md"), str(tmp_path / "none")]) == 1
    said = capsys.readouterr().err
    assert "Nothing of 2 can be read" in said and "There is no file or folder" in said
    (folder / "m.md").write_text("It is mended.")
    assert run(["import", str(folder)]) == 0
    assert "Imported 1 passage from 1 file" in capsys.readouterr().err
