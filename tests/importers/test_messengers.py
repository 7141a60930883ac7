"""WhatsApp chats of many places, and Telegram exports."""

from __future__ import annotations

import json
import zipfile
from datetime import datetime

import pytest

from ondevice.errors import ImportSourceError
from ondevice.importers import ImportOptions, detect, preview, read
from ondevice.remedies import Remedy

ANNA = ImportOptions(me=("anna",))


def chat(tmp_path, text, name="chat.txt", options=None):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert detect(path).name == "whatsapp"
    (document,) = read([path], options or ImportOptions(me=("anna",)))
    return [(c.voice, c.text, c.time) for c in document.chunks]


NEW_YEAR = datetime(2023, 12, 31, 23, 59).timestamp()


@pytest.mark.parametrize(
    "line",
    [
        "31.12.23, 23:59 - Anna: Hi",
        "31/12/2023, 23:59 - Anna: Hi",
        "12/31/23, 11:59 PM - Anna: Hi",
        "12/31/23, 11:59\u202fPM - Anna: Hi",
        "31/12/23, 11:59 pm - Anna: Hi",
        "31/12/23 11:59 p. m. - Anna: Hi",
        "31/12/23, 11:59\u00a0p.\u00a0m. - Anna: Hi",
        "31-12-2023 23:59 - Anna: Hi",
        "31. 12. 2023 23:59 - Anna: Hi",
        "2023-12-31, 23:59 - Anna: Hi",
        "2023/12/31 23:59 - Anna: Hi",
        "2023/12/31 下午11:59 - Anna: Hi",
        "2023년 12월 31일 오후 11:59, Anna : Hi",
        "٣١/١٢/٢٠٢٣، ١١:٥٩ م - Anna: Hi".replace("،", ","),
        "31.12.23, 23.59 - Anna: Hi",
        "[31.12.23, 23:59:00] Anna: Hi",
        "\u200e[31/12/2023, 23:59:00] Anna: Hi",
        "[2023-12-31, 23:59:00] Anna: Hi",
        "[12/31/23, 11:59:00\u202fPM] ~\u202fAnna: Hi",
    ],
)
def test_whatsapp_of_many_places(tmp_path, line):
    assert chat(tmp_path, line + "\n") == [("user", "Hi", NEW_YEAR)]


def test_whatsapp_messages_lines_and_what_is_left_out(tmp_path):
    text = (
        "\ufeff31.12.23, 10:00 - Nachrichten sind Ende-zu-Ende-verschlüsselt.\n"
        "31.12.23, 10:01 - Anna: first line\n\nthird: line\n"
        "31.12.23, 10:02 - Anna: right after\n"
        "31.12.23, 10:30 - Anna: later\n"
        '31.12.23, 10:31 - Ben hat den Betreff von "a: b" zu "c" geändert\n'
        "31.12.23, 10:32 - Ben: <Medien ausgeschlossen>\n"
        "31.12.23, 10:33 - Ben: IMG-1.jpg (Datei angehängt)\nwith a caption\n"
        "31.12.23, 10:34 - Anna: Diese Nachricht wurde gelöscht.\n"
        "31.12.23, 10:35 - Anna: better <Diese Nachricht wurde bearbeitet.>\n"
        "99.99.23, 10:36 - Anna: only looks like a line\n"
        "31.12.23, 10:37 - user: I am called user\n"
    )
    assert [(voice, said) for voice, said, _ in chat(tmp_path, text)] == [
        ("user", "first line\n\nthird: line\nright after"),
        ("user", "later"),
        ("Ben", "with a caption"),
        (
            "user",
            "better <Diese Nachricht wurde bearbeitet.>\n"
            "99.99.23, 10:36 - Anna: only looks like a line",
        ),
        ("“user”", "I am called user"),
    ]
    (shown,) = preview([tmp_path / "chat.txt"])
    assert shown.others == {"Anna": 3, "Ben": 1, "“user”": 1}
    assert shown.left_out == {"system lines": 2, "media and deleted messages": 3}


def test_ios_system_lines_in_somebodys_name(tmp_path):
    text = (
        "[31.12.23, 10:00:00] Club: \u200eMessages and calls are end-to-end encrypted.\n"
        "\u200e[31.12.23, 10:00:01] Anna: \u200eimage omitted\n"
        "[31.12.23, 10:00:02] Anna: hello\n"
    )
    assert [said for _, said, _ in chat(tmp_path, text)] == ["hello"]


def dated(*dates):
    return "".join(f"{date}, 10:{n:02d} - Anna: message {n}\n" for n, date in enumerate(dates))


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (("03/04/24", "03/04/24", "25/04/24"), datetime(2024, 4, 3)),  # a number above 12, late
        (("03/04/24", "03/04/24", "04/25/24"), datetime(2024, 3, 4)),
        (("03/04/24", "04/04/24", "01/05/24"), datetime(2024, 4, 3)),  # by the order in time
        (("03/04/24", "03/11/24", "04/01/24"), datetime(2024, 3, 4)),
        (("04.03.24", "04.03.24"), datetime(2024, 3, 4)),
        (("05/05/24", "05/05/24"), datetime(2024, 5, 5)),
    ],
)
def test_day_and_month_are_decided_over_the_whole_file(tmp_path, dates, expected):
    found = chat(tmp_path, dated(*dates))
    assert datetime.fromtimestamp(found[0][2]).date() == expected.date()


def test_undecidable_dates_are_refused_until_the_person_says(tmp_path):
    text = dated("03/04/24", "03/04/24")
    with pytest.raises(ImportSourceError, match="day/month or month/day") as caught:
        chat(tmp_path, text)
    assert caught.value.notice.steps == (Remedy.CHOOSE_DATES(),)
    found = chat(tmp_path, text, options=ImportOptions(me=("Anna",), day_first=False))
    assert datetime.fromtimestamp(found[0][2]).month == 3
    with pytest.raises(ImportSourceError, match=r"line 2.*another order"):
        chat(tmp_path, dated("13/04/24", "04/13/24"))


def test_who_the_person_is(tmp_path):
    text = "31.12.23, 10:00 - Anna: Hi\n31.12.23, 10:01 - Ben: Hello\n"
    with pytest.raises(ImportSourceError, match="does not tell who you are") as caught:
        chat(tmp_path, text, options=ImportOptions())
    assert caught.value.notice.steps == (Remedy.CHOOSE_PERSON(of_these="name"),)
    assert "Anna" not in str(caught.value)
    found = chat(tmp_path, text, "WhatsApp Chat with Ben.txt", ImportOptions())
    assert [voice for voice, _, _ in found] == ["user", "Ben"]
    with pytest.raises(ImportSourceError, match="does not tell who you are") as caught:
        chat(tmp_path, text, options=ImportOptions(me=("Carl",)))
    assert caught.value.notice.steps == (Remedy.CHOOSE_PERSON(of_these="name"),)


def test_whatsapp_zip_is_called_as_the_archive(tmp_path):
    path = tmp_path / "WhatsApp Chat - Ben (1).zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "_chat.txt", "[31.12.23, 10:00:00] Anna: Hi\n[31.12.23, 10:00:01] Ben: X\n"
        )
        archive.writestr("00000012-recipe.txt", "somebody's recipe")
    (document,) = read([path])
    assert (document.name, document.key) == (
        "WhatsApp: WhatsApp Chat - Ben",
        "whatsapp:WhatsApp Chat - Ben",
    )
    assert [c.voice for c in document.chunks] == ["user", "Ben"]


@pytest.mark.parametrize("bad", [b"\0", b"\xff\xfe"])
def test_whatsapp_with_bytes_that_are_no_text(tmp_path, bad):
    path = tmp_path / "chat.txt"
    path.write_bytes(b"31.12.23, 10:00 - Anna: Hi\n31.12.23, 10:01 - Anna: " + bad + b"\n")
    with pytest.raises(ImportSourceError, match="line 2"):
        list(read([path], ANNA))


# --- Telegram ---


def said(text, sender="Anna", identity="user1", **more):
    return {
        "id": 1,
        "type": "message",
        "date": "2023-12-31T23:59:00",
        "date_unixtime": "1704063540",
        "from": sender,
        "from_id": identity,
        "text": text,
        **more,
    }


def export(tmp_path, value):
    path = tmp_path / "result.json"
    path.write_text(json.dumps(value))
    return path


CHAT = {
    "name": "Ben",
    "type": "personal_chat",
    "id": 2,
    "messages": [
        {"id": 0, "type": "service", "actor": "Ben", "action": "phone_call", "text": ""},
        said(["see ", {"type": "link", "text": "https://x.org"}, " there"]),
        said("", photo="x.jpg"),
        said("Hello", "Ben", "user2", date_unixtime="1704063600"),
        said("not my words", forwarded_from="News", date_unixtime="1704063700"),
        said({"unexpected": 1}),
    ],
}


def test_telegram_one_chat(tmp_path):
    path = export(tmp_path, CHAT)
    assert detect(path).name == "telegram"
    document = next(read([path]))
    assert (document.name, document.key) == ("Telegram: Ben", "telegram:2")
    assert [(c.voice, c.text, c.time) for c in document.chunks] == [
        ("user", "see https://x.org there", 1704063540),
        ("Ben", "Hello", 1704063600),
        ("News", "not my words", 1704063700),
    ]
    (shown,) = preview([path])
    assert shown.left_out == {"system lines": 1, "messages without text": 2}


def test_telegram_all_chats_know_their_owner(tmp_path):
    group = {
        "name": "Club",
        "type": "private_group",
        "id": 3,
        "messages": [said("mine"), said("theirs", "Cleo", "user9")],
    }
    path = export(
        tmp_path,
        {
            "about": "x",
            "personal_information": {"user_id": 1, "first_name": "Anna"},
            "chats": {"about": "y", "list": [group, CHAT]},
            "left_chats": {"list": [{**group, "name": "Old", "id": 4}]},
        },
    )
    found = {d.name: [c.voice for c in d.chunks] for d in read([path])}
    assert found == {
        "Telegram: Club": ["user", "Cleo"],
        "Telegram: Ben": ["user", "Ben", "News"],
        "Telegram: Old": ["user", "Cleo"],
    }
    assert len(list(read([path]))) == 3  # although nobody reads the chunks


def test_telegram_group_alone_asks_who_you_are(tmp_path):
    path = export(
        tmp_path,
        {
            "name": "Club",
            "type": "private_group",
            "id": 3,
            "messages": [said("mine"), said("theirs", "Cleo", "user9")],
        },
    )
    with pytest.raises(ImportSourceError, match="does not tell who you are") as caught:
        [list(d.chunks) for d in read([path])]
    assert caught.value.notice.steps == (Remedy.CHOOSE_PERSON(of_these="name or id"),)
    document = next(read([path], ImportOptions(me=("user1",))))
    assert [c.voice for c in document.chunks] == ["user", "Cleo"]
    (shown,) = preview([path])
    assert shown.others == {"Anna": 1, "Cleo": 1}


def test_telegram_chats_of_one_id_are_told_apart(tmp_path):
    chats = [{**CHAT, "messages": [said(text)]} for text in ("here", "there")]
    documents = list(read([export(tmp_path, {"chats": {"list": chats}})]))
    assert [d.is_another for d in documents] == [False, True]
    assert len({d.sha256 for d in documents}) == 2
    assert len({d.key for d in documents}) == 1


def test_telegram_cut_off_keeps_what_came_before(tmp_path):
    path = export(tmp_path, CHAT)
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"not my")])
    document = next(read([path]))
    chunks = iter(document.chunks)
    assert next(chunks).text.startswith("see")
    with pytest.raises(ImportSourceError, match="cut off"):
        list(chunks)
