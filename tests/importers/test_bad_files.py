"""One bad file costs no other: it is passed over and named, and read once it is mended."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest

from ondevice.errors import ImportSourceError, ImportStoppedError, ProfileError
from ondevice.importers import ImportOptions, preview, read
from ondevice.memory.ingest import ingest
from ondevice.store.passages import Passages
from ondevice.store.profile import Profile

CHAT = "31/12/23, 10:00 - Anna: hi\n31/12/23, 10:01 - Ben: yo\n"
LINE = b'{"role": "user", "content": "A line that is sound."}\n'
BAD = {
    "cyrillic.md": "Привет, мир".encode("cp1251"),
    "nul.txt": b"a\0b",
    "empty.md": b"",
    "image.md": b"![[photo.png]]\n",
    "spaces.txt": b" \n\n",
    "broken.jsonl": b"{oops\n",
    "chat.txt": CHAT.encode(),
    "cut.md": b"\xff\xfeh\0i\0\x00\xd8",
    "broken.zip": b"PK no archive",
    "cut.json": b'[{"mapping": {"a"',
    "half.mbox": b"From anna@x Mon Jan 1 10:00:00 2024\nFrom: a@x\n\nHi\n",
}


def texts(paths, options=None):
    return [chunk.text for document in read(paths, options) for chunk in document.chunks]


def fill(folder: Path, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def skipped(options):
    return {remark.file: remark.why for remark in options.skipped}


@pytest.mark.parametrize("name", [name for name in BAD if name != "cut.json"])
def test_a_bad_file_in_a_folder_costs_no_other(tmp_path, name, home, embedder):
    folder = fill(tmp_path / "f", {"a.md": b"note a", name: BAD[name], "z.md": b"note z"})
    with Profile.create(home) as profile:
        for documents, unchanged in ((2, 0), (0, 2)):
            options = ImportOptions()
            report = ingest(profile, embedder, read([folder], options), options=options)
            assert (report.documents, report.unchanged) == (documents, unchanged)
            ((file, why),) = ((one.file, one.why) for one in report.skipped)
            assert file == name and name in why and "\n" not in why
        assert [passage.text for passage in profile.passages.all()] == ["note a", "note z"]
        (folder / name).unlink()
        (folder / name).with_suffix(".md").write_text("It is mended.")
        options = ImportOptions()
        report = ingest(profile, embedder, read([folder], options), options=options)
        assert report.documents == 1 and not report.skipped


@pytest.mark.parametrize("name", BAD)
def test_so_it_is_in_an_archive_and_of_several_paths(tmp_path, name):
    if name == "broken.zip":
        return  # archives in archives have a test of their own
    folder = fill(tmp_path / "f", {"a.md": b"note a", name: BAD[name], "z.md": b"note z"})
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)
    for paths in ([tmp_path / "all.zip"], sorted(folder.iterdir())):
        if name in ("cut.json", "chat.txt") and len(paths) == 1:
            continue  # what lies beside an export in its archive is no note
        options = ImportOptions()
        assert texts(paths, options) == ["note a", "note z"]
        assert list(skipped(options)) == [name]


@pytest.mark.parametrize("name", [name for name in BAD if name != "cut.json"])
def test_alone_it_is_an_error(tmp_path, name):
    folder = fill(tmp_path / "f", {name: BAD[name]})
    for paths in ([folder / name], [folder]):
        with pytest.raises(ImportSourceError) as caught:
            texts(paths)
        assert name in str(caught.value) and "\n" not in str(caught.value)


def test_a_preview_shows_what_will_be_passed_over(tmp_path):
    folder = fill(tmp_path / "f", {"a.md": b"note a", **BAD, "z.md": b"note z"})
    del_export = folder / "cut.json"
    del_export.unlink()
    options = ImportOptions()
    assert texts([folder], options) == ["note a", "note z"]
    shown = [remark for part in preview([folder]) for remark in part.skipped]
    assert {one.file: one.why for one in shown} == {
        (str(folder / f) if (folder / f).name in ("chat.txt", "half.mbox") else f): why
        for f, why in skipped(options).items()
    }
    assert [Path(one.file).name for one in shown if one.asks] == ["chat.txt", "half.mbox"]


TEXT = "Grüße aus Zürich – „schön“, n'est-ce pas?\n\nEin Café, 20 m² groß.\n"


@pytest.mark.parametrize(
    ("encoding", "mark", "said"),
    [
        ("utf-8", b"\xef\xbb\xbf", False),
        ("utf-16-le", b"\xff\xfe", False),
        ("utf-16-be", b"\xfe\xff", False),
        ("utf-32-le", b"\xff\xfe\0\0", False),
        ("utf-32-be", b"\0\0\xfe\xff", False),
        ("utf-16-le", b"", True),
        ("utf-16-be", b"", True),
        ("cp1252", b"", True),
    ],
)
def test_encodings_that_can_be_told_are_read(tmp_path, encoding, mark, said):
    long = TEXT * 5000  # of several blocks, with characters at their ends
    for text in (TEXT, long):
        path = tmp_path / "note.md"
        path.write_bytes(mark + text.encode(encoding))
        options = ImportOptions()
        assert "\n".join(texts([path], options)).split() == text.split()
        assert [one.file for one in options.guessed] == (["note.md"] if said else [])
    chat = tmp_path / "WhatsApp Chat with Ben.txt"
    chat.write_bytes(mark + CHAT.encode(encoding))
    assert [document.name for document in read([chat])] == ["WhatsApp: WhatsApp Chat with Ben"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Zażółć gęślą jaźń, był dom.", "cp1250"),
        ("Příliš žluťoučký kůň úpěl ďábelské ódy.", "cp1250"),
        ("Árvíztűrő tükörfúrógép", "cp1250"),
        ("Съешь ещё этих мягких булок", "cp1251"),
        ("Съешь ещё этих мягких булок", "koi8-r"),
        ("Καλημέρα κόσμε, τι κάνεις;", "cp1253"),
        ("Pijamalı hasta yağız şoföre çabucak güvendi", "cp1254"),
        ("שלום עולם", "cp1255"),
        ("für schöne Grüße", "mac-roman"),
        ("für schöne Grüße", "cp850"),
        ("今日はいい天気です。", "shift-jis"),
        ("今日はいい天気です。", "euc-jp"),
        ("你好,今天天气很好。", "gb18030"),
        ("你好,今天天氣很好。", "big5"),
        ("안녕하세요 세계", "euc-kr"),
    ],
)
def test_wrong_letters_are_never_stored(tmp_path, text, encoding):
    path = tmp_path / "note.txt"
    path.write_bytes(text.encode(encoding))
    with pytest.raises(ImportSourceError, match="not UTF-8 text"):
        texts([path])


@pytest.mark.parametrize(
    "text",
    [
        "Hôtel à Besançon : œuvre, cœur, ça, où, Noël",
        "¿Qué tal? ¡El niño está aquí! El 1º y la 2ª, 25 €",
        "Não, o coração são dois; às três põe-se à mesa.",
        "Pääöljy, hyvää yötä, Åbo",
        "Rødgrød med fløde på Sjælland",
        "Það er gott að vera á Íslandi, þú ert góð ö",
        "“It’s a naïve café…” — she said, 5°C",
        "Perché no? È così, però più in là",
        "ÜBER ALLE ÄCKER",
    ],
)
def test_western_languages_are_read_from_windows_1252(tmp_path, text):
    path = tmp_path / "note.txt"
    path.write_bytes(text.encode("cp1252"))
    options = ImportOptions()
    assert texts([path], options) == [text]
    assert [one.file for one in options.guessed] == ["note.txt"]


def test_a_byte_that_was_lost_costs_a_character_and_is_counted(tmp_path):
    path = tmp_path / "note.md"
    content = "Grüße, schöne Größe".encode()
    path.write_bytes(content.replace("ö".encode(), b"\xf6", 1))
    options = ImportOptions()
    assert texts([path], options) == ["Grüße, sch�ne Größe"]
    assert sum(options.left_out.values()) == 1
    path.write_bytes("Grüße, schön".encode()[:-2])
    assert texts([path]) == ["Grüße, sch�"]


def test_one_broken_line_of_json_lines_costs_no_other(tmp_path):
    path = tmp_path / "chat.jsonl"
    wrong = [b"{oops\n", b"\0\n", b'{"role": 5}\n', b"x" * (9 << 20) + b"\n", b"[]\n", b"\xff\n"]
    path.write_bytes(wrong[0] + LINE + b"".join(wrong[1:]) + LINE + b'{"role": "us')
    options = ImportOptions()
    assert len(texts([path], options)) == 2
    assert list(skipped(options)) == [f"chat.jsonl, line {n}" for n in (1, 3, 4, 5, 6, 7, 9)]
    assert all(str(path) in why for why in skipped(options).values())


def conversation(number, text="said"):
    message = {"author": {"role": "user"}, "content": {"content_type": "text", "parts": [text]}}
    return json.dumps({"title": "t", "conversation_id": f"c{number}",
                       "mapping": {"n": {"message": message}}})  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        '{"title": "}", "a" 5}',
        '{"a": [1,}',
        '{"a": {"b": 1}',
        '{"a": 1]}',
        "null",
        "x",
        '{"mapping": 5}',
        "{'a': 1}",
    ],
)
@pytest.mark.parametrize("place", [1, 2])  # of the first one the format is recognised
def test_one_broken_conversation_of_an_export_costs_no_other(tmp_path, wrong, place):
    path = tmp_path / "conversations.json"
    whole = [conversation(n, "x" * 5000) for n in range(3)]
    path.write_text("[" + ",\n".join([*whole[:place], wrong, *whole[place:]]) + "]")
    options = ImportOptions()
    assert [document.key for document in read([path], options)] == [f"chatgpt:c{n}" for n in "012"]
    assert list(skipped(options)) == [f"conversations.json, conversation {place + 1}"]


def test_a_damaged_mail_is_named(tmp_path):
    def mail(more=""):
        return f"From a@x Mon Jan 1 10:00:00 2024\nFrom: a@x\nDate: 1 Jan 2024\n{more}\nHi.\n\n"

    path = tmp_path / "Sent.mbox"
    path.write_text(mail() + mail('Content-Type: text/plain; charset="\0x"\n') + mail("X: 1\n"))
    deep = mail("Content-Type: message/rfc822\n\n" * 200)
    path.write_text(mail() + deep + mail("X: 1\n"))
    options = ImportOptions()
    assert texts([path], options) == ["Hi.", "Hi."]
    ((file, why),) = skipped(options).items()
    assert file.endswith("Sent.mbox, mail 2") and "1 Jan 2024" in why


def test_damaged_and_locked_members_of_an_archive(tmp_path):
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a.md", "damaged.md", "locked.md", "z.md"):
            archive.writestr(name, f"the text of {name}")
        archive.writestr("inner.zip", b"PK")
    content = bytearray(path.read_bytes())
    content[content.index(b"the text of damaged")] ^= 1
    entry = content.rindex(b"PK\x01\x02", 0, content.rindex(b"locked.md"))
    content[entry + 8] |= 1  # the flag of encryption, in the directory
    content[content.index(b"PK\x03\x04", content.index(b"text of damaged")) + 6] |= 1
    path.write_bytes(bytes(content))
    options = ImportOptions()
    assert texts([path], options) == ["the text of a.md", "the text of z.md"]
    why = skipped(options)
    assert sorted(why) == ["damaged.md", "inner.zip", "locked.md"]
    assert "is damaged" in why["damaged.md"] and "password" in why["locked.md"]


def test_an_archive_in_a_folder_is_read_if_it_is_an_export(tmp_path):
    folder = fill(tmp_path / "f", {"a.md": b"note a"})
    with zipfile.ZipFile(folder / "export.zip", "w") as archive:
        archive.writestr("conversations.json", f"[{conversation(1)}]")
    with zipfile.ZipFile(folder / "program.zip", "w") as archive:
        archive.writestr("README.md", "Not mine.")
    options = ImportOptions()
    assert texts([folder], options) == ["note a", "said"]
    ((_, why),) = skipped(options).items()
    assert "program.zip" in why and "by name" in why
    assert options.meter.done == options.meter.total
    assert texts([folder / "program.zip"]) == ["Not mine."]


def test_links_pipes_and_folders_that_are_named_like_files(tmp_path):
    folder = fill(tmp_path / "f", {"a.md": b"note a", "z.md": b"note z"})
    (folder / "b.md").mkdir()
    (folder / "gone.md").symlink_to(folder / "nothing.md")
    (folder / "round.md").symlink_to(folder / "round.md")
    (folder / "out.md").symlink_to(tmp_path / "secret.md")
    (tmp_path / "secret.md").write_text("secret")
    os.mkfifo(folder / "pipe.md")
    options = ImportOptions()
    assert texts([folder], options) == ["note a", "note z"]
    assert sorted(skipped(options)) == ["gone.md", "out.md", "pipe.md", "round.md"]
    options = ImportOptions()
    assert texts([tmp_path / "nowhere", folder / "a.md"], options) == ["note a"]
    assert "There is no file" in options.skipped[0].why


def test_what_may_not_be_read_or_vanishes(tmp_path, monkeypatch):
    folder = fill(tmp_path / "f", {"a.md": b"note a", "b.md": b"secret", "c.md": b"note c"})
    fill(folder / "closed", {"d.md": b"secret"})
    whole_open, whole_list = Path.open, Path.iterdir

    def opened(self, *arguments, **more):
        if self.name == "b.md":
            raise PermissionError(13, "Permission denied")
        return whole_open(self, *arguments, **more)

    def listed(self):
        if self.name == "closed":
            raise PermissionError(13, "Permission denied")
        return whole_list(self)

    monkeypatch.setattr(Path, "open", opened)
    monkeypatch.setattr(Path, "iterdir", listed)
    options = ImportOptions()
    documents = read([folder], options)
    first = next(documents)
    (folder / "c.md").unlink()
    assert [chunk.text for chunk in first.chunks] == ["note a"]
    assert list(documents) == []
    assert sorted(skipped(options)) == ["b.md", "c.md", "closed"]


def test_what_must_stop_an_import_stops_it(tmp_path, home, embedder, monkeypatch):
    folder = fill(tmp_path / "f", {"a.md": b"note a", "z.md": b"note z"})

    def failing(error):
        def read_it(*_):
            raise error

        return read_it

    with Profile.create(home) as profile:
        for error in (ImportStoppedError("Stopped."), KeyboardInterrupt()):
            with monkeypatch.context() as patch:
                patch.setattr("ondevice.importers.encoding.readable", failing(error))
                with pytest.raises(type(error)):
                    ingest(profile, embedder, read([folder]))
        monkeypatch.setattr(Passages, "add", failing(ProfileError("The disk is full.")))
        with pytest.raises(ProfileError):
            ingest(profile, embedder, read([folder]))
