"""mbox and Maildir: own mail only, own words only."""

from __future__ import annotations

import base64

import pytest

from ondevice.errors import ImportSourceError
from ondevice.importers import ImportOptions, detect, preview, read
from ondevice.remedies import Remedy

ANNA = ImportOptions(me=("anna@example.org",))


def mail(body, *, sender="Anna <anna@example.org>", headers="", identity="1", start=True):
    first = b"From anna@example.org Mon Jan  1 10:00:00 2024\n" if start else b""
    date = "Mon, 1 Jan 2024 10:00:00 +0100"
    head = f"From: {sender}\nMessage-ID: <{identity}@x>\nDate: {date}\n{headers}\n"
    return first + head.encode() + (body if isinstance(body, bytes) else body.encode()) + b"\n\n"


def texts(path, options=ANNA):
    (document,) = read([path], options)
    return [c.text for c in document.chunks]


def test_own_mail_without_quotes_and_signature(tmp_path):
    path = tmp_path / "mail.mbox"
    path.write_bytes(
        mail(
            "Dear Ben,\n\nyes.\n\nOn Mon, 1 Jan 2024, Ben <ben@x>\nwrote:\n> No?\n>> Yes?\n"
            "\n-- \nAnna\n"
        )
        + mail("Not mine", sender="ben@example.org", identity="2")
        + mail("Twice", identity="3")
        + mail("Twice", identity="3")
        + mail(">From here on it goes.\n\nFrom the heart.", identity="4")
        + mail("Gern!\n\nAm 01.01.2024 um 10:00 schrieb Ben:\n> Na?\n", identity="5")
        + mail("Ok\n\n-----Original Message-----\nFrom: Ben\nall quoted", identity="6")
        + mail("Kurz.\n\nVon: Ben\nGesendet: Montag\nAn: Anna\n\nalles zitiert", identity="7")
        + mail("Short.\n\nSent from my iPhone", identity="8")
        + mail("> only a quote\n", identity="9")
    )
    assert detect(path).name == "mail"
    assert texts(path) == [
        "Dear Ben,\n\nyes.",
        "Twice",
        "From here on it goes.\n\nFrom the heart.",
        "Gern!",
        "Ok",
        "Kurz.",
        "Short.",
    ]
    (shown,) = preview([path], ANNA)
    assert shown.left_out == {
        "mails of others": 1,
        "mails that are there twice": 1,
        "mails without own text": 1,
    }
    assert shown.first == 1704099600


def test_encodings_and_parts(tmp_path):
    path = tmp_path / "mail.mbox"
    coded = base64.encodebytes("Grüße, schöne".encode("latin-1"))
    html = (
        "Content-Type: multipart/mixed; boundary=b\n",
        "--b\nContent-Type: text/html; charset=utf-8\n\n<style>x</style><p>Caf&eacute; &amp;"
        " tea</p><blockquote>quoted</blockquote>\n--b\nContent-Type: text/plain\n"
        'Content-Disposition: attachment; filename="a.txt"\n\nattached\n--b--\n',
    )
    path.write_bytes(
        mail(
            coded,
            headers="Content-Type: text/plain; charset=iso-8859-1\n"
            "Content-Transfer-Encoding: base64\n",
            identity="1",
        )
        + mail(
            "It=E2=80=99s =\none line",
            headers="Content-Type: text/plain; charset=utf-8\n"
            "Content-Transfer-Encoding: quoted-printable\n",
            identity="2",
        )
        + mail(
            "na\xefve".encode("cp1252"),
            headers="Content-Type: text/plain; charset=utf-8\n",
            identity="3",
        )
        + mail("odd", headers="Content-Type: text/plain; charset=klingon\n", identity="4")
        + mail(html[1], headers=html[0], identity="5")
        + mail("bad headers", headers="Date: soon\nSubject: =?x?y?z\n", identity="6")
        + mail("!!!not base64", headers="Content-Transfer-Encoding: base64\n", identity="7")
    )
    found = texts(path)
    assert found[:4] == ["Grüße, schöne", "It’s one line", "naïve", "odd"]
    assert found[4] == "Café & tea"
    assert found[5] == "bad headers"


def test_who_the_person_is(tmp_path):
    path = tmp_path / "mail.mbox"
    path.write_bytes(mail("Hi"))
    with pytest.raises(ImportSourceError, match="which mails are yours") as caught:
        texts(path, ImportOptions())
    assert caught.value.notice.steps == (Remedy.CHOOSE_PERSON(of_these="address"),)
    sent = tmp_path / "Sent.mbox"
    sent.write_bytes(mail("Hi"))
    assert texts(sent, ImportOptions()) == ["Hi"]
    gmail = tmp_path / "All mail.mbox"
    gmail.write_bytes(
        mail("Mine", headers="X-Gmail-Labels: Sent,Opened\n")
        + mail("Theirs", headers="X-Gmail-Labels: Inbox\n", identity="2")
    )
    assert texts(gmail, ImportOptions()) == ["Mine"]


def test_maildir(tmp_path):
    folder = tmp_path / "Maildir"
    for name in ("cur", "new", "tmp"):
        (folder / name).mkdir(parents=True)
    (folder / "cur" / "1.x:2,S").write_bytes(mail("Read", start=False))
    (folder / "new" / "2.x").write_bytes(mail("New", start=False, identity="2"))
    (folder / "tmp" / "3.x").write_bytes(mail("Unfinished", start=False, identity="3"))
    assert texts(folder) == ["Read", "New"]
    assert texts(tmp_path) == ["Read", "New"]


def test_hostile_mail(tmp_path):
    path = tmp_path / "mail.mbox"
    deep = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(300))
    path.write_bytes(
        mail("a\0b", identity="1")
        + mail(deep, identity="2")
        + mail("x" * 3_000_000, identity="3")
        + b"From anna@example.org Mon"
    )
    found = texts(path)
    assert found[0] == "a\0b" and len(found[-1]) == 3_000_000
