"""Files made to hang, to fill the memory, or to crash; a text is cut whatever it is made of."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ondevice.errors import ImportSourceError
from ondevice.importers import ImportOptions, preview, read
from ondevice.importers.html import text_of_html
from ondevice.importers.surrogates import BROKEN, Whole, whole
from ondevice.memory.ingest import cut, ingest
from ondevice.store.profile import Profile

# What takes quadratic time takes minutes at this length, and what is linear takes a moment.
LONG = 200_000
CHAT = "31/12/23, 10:00 - Anna: hi\n31/12/23, 10:01 - Anna: "
MAIL = b"From anna@x Mon Jan 1 10:00:00 2024\nFrom: a@x\nSubject: s\n"
ME = ImportOptions(me=("anna", "a@x"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("spaces.txt", CHAT + "a" + " " * LONG + "b\n"),
        ("marks.txt", CHAT + "\u200e" * LONG + "b>\n"),
        ("brackets.txt", CHAT + "<" * LONG + ">\n"),
        ("files.txt", CHAT + ".aa (aaa" * (LONG // 8) + "\n"),
        ("colons.txt", CHAT[:-6] + "a:" * LONG + "\n"),
        ("heading.md", "# a" + " " * LONG + "b\n"),
        ("closed.md", "# a" + " #" * LONG + "b\n"),
        ("links.md", "[" * LONG + "\n"),
        ("aliases.md", "[[a|" * LONG + "\n"),
        ("embeds.md", "![[" * LONG + "\n"),
        ("blocks.md", "a" + " " * LONG + "b\n" + " ^" * LONG + "\n"),
        ("comments.md", "%%" * LONG + "%\n"),
        ("memories.txt", "User likes " + " " * LONG + "x\n"),
        ("starts.mbox", MAIL + b"\nhi\n\nFrom x" + b"00:00" * LONG + b"\n"),
        ("folded.mbox", MAIL + b"Date: x" + b"\n " * LONG + b"x\n\nhi\n"),
        ("words.mbox", MAIL + b"Date: " + b"=?utf-8?q?" * LONG + b"x\n\nhi\n"),
        ("html.mbox", MAIL + b"Content-Type: text/html\n\n" + b"<!" * LONG + b"<!--" * LONG),
        ("dashes.mbox", MAIL + b"\n" + b"-" * LONG + b"\n" + b"-- " * LONG + b"\n>x\n"),
        ("nested.mbox", MAIL + b"Content-Type: message/rfc822\n\n" * LONG + b"hi\n"),
    ],
)
def test_no_line_makes_reading_hang(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for document in read([path], ME):
        list(document.chunks)


@pytest.mark.model  # millions of characters, with the real vocabulary
def test_a_huge_line_is_cut_in_linear_time(embedder):
    for line in ("x" * LONG, "a b " * LONG, " " * LONG + "b", "漢" * LONG):
        passages = list(cut(line, embedder.count_tokens, 100))
        assert max(map(len, passages)) <= 1600
        assert "".join("".join(passages).split()) == "".join(line.split())


def test_a_message_without_end_is_yielded_in_parts(tmp_path):
    path = tmp_path / "chat.txt"
    path.write_text("31/12/23, 10:00 - Anna: hi\n" + ("x" * 70 + "\n") * 50_000)
    (document,) = read([path], ME)
    lengths = [len(chunk.text) for chunk in document.chunks]
    assert max(lengths) < 2 << 20
    assert sum(lengths) > 3_500_000


def test_a_piece_of_another_chat_does_not_turn_the_dates_round(tmp_path):
    path = tmp_path / "chat.txt"
    path.write_text(
        "31/12/23, 10:00 - Anna: look\n2023/12/30, 09:00 - Cleo: pasted\n"
        "31/12/23, 10:05 - Ben: ok\n"
    )
    (document,) = read([path], ME)
    times = [chunk.time for chunk in document.chunks]
    assert times[-1] - times[0] == 300


def test_damaged_mails_are_left_out_and_the_others_read(tmp_path):
    def part(headers):
        return MAIL + headers + b"\n\nhello\n\n"

    path = tmp_path / "mail.mbox"
    path.write_bytes(
        part(b"Content-Type: text/plain; charset=punycode")
        + part(b"Content-Type: text/plain; charset=base64")
        + part(b'Content-Type: text/plain; charset="\0x"')
        + part(b"Content-Type: text/plain; charset*=x''%ff")
        + part(b'Content-Type: multipart/mixed; boundary=""')
        + MAIL.replace(b"From: a@x", b"From: " + b"(" * 5000 + b" a@x")
        + b"\nnot mine\n\n"
        + b"".join(b"Content-Type: message/rfc822\n\n" for _ in range(5)).join([MAIL, b"deep\n\n"])
        + part(b"Date: Mon, 1 Jan 99999 10:00:00 +9999999")
    )
    options = ImportOptions(me=("a@x",))
    (document,) = read([path], options)
    assert {chunk.text for chunk in document.chunks} >= {"hello"}
    assert options.left_out["mails of others"] == 1


def test_html_that_is_not_closed():
    assert text_of_html("<p>a<!-- b") == "\na"
    assert text_of_html("a <b>c</b> & <blockquote>q<br>r").strip() == "a c &"
    assert text_of_html("<head><title>t</title></head>x<script>1<2</script>y") == "xy"
    assert text_of_html("1 < 2 &lt; 3") == "1 < 2 < 3"


def test_what_utf_8_cannot_hold_is_imported(home, tmp_path, embedder):
    message = {"role": "\ud83d", "content": "a\ud800b\0c"}
    (tmp_path / "chat.jsonl").write_text(json.dumps(message) + "\n")
    node = {"message": {"author": {"role": "user"}, "content": {"content_type": "text",
            "parts": ["said\ud83d"]}}}  # fmt: skip
    export = [{"mapping": {"n": node}, "conversation_id": "\ud800", "title": "\ud83d"}]
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "conversations.json").write_text(json.dumps(export))
    (tmp_path / os.fsdecode(b"\xff.md")).write_text("odd name")
    with Profile.open(home, create=True) as profile:
        report = ingest(profile, embedder, read([tmp_path]))
        assert {passage.text for passage in profile.passages.all()} == {
            "a�b c",
            "said�",
            "odd name",
        }
        again = ingest(profile, embedder, read([tmp_path]))
    assert (report.documents, again.documents, again.unchanged) == (3, 0, 3)


@pytest.mark.parametrize("half", ["\ud83d", "\ude00", "\ude00\ud83d", "\ud83d\ud83d"])
def test_one_broken_emoji_does_not_cost_an_export(tmp_path, half):
    """The two halves of an emoji are escapes of their own in JSON, and one may be missing."""
    text = f"before {half} 😀 after"
    whole = f"before {'�' * len(half)} 😀 after"
    node = {"message": {"author": {"role": "user"}, "content": {"content_type": "text",
            "parts": [text]}}}  # fmt: skip
    said = {"type": "message", "from_id": "user7", "text": text}
    for name, content in (
        ("conversations.json", [{"mapping": {"n": node}}]),
        ("conversations.json", [{"chat_messages": [{"sender": "human", "text": text}]}]),
        ("result.json", {"name": "Ben", "type": "personal_chat", "id": 8, "messages": [said]}),
        ("chat.jsonl", {"role": "user", "content": text}),
    ):
        path = tmp_path / name
        path.write_text(json.dumps(content))
        options = ImportOptions()
        assert [c.text for d in read([path], options) for c in d.chunks] == [whole]
        (shown,) = preview([path])
        assert shown.left_out == options.left_out == {BROKEN: len(half)}


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(
        [r"\ud83d", r"\ude00", r"\uD83D", r"\uDE00", r"\\", r"\"", r"\n", r"\u4f60",
         r"\\ud83d", r"\\ude00", "ude00", "x" * 30, "é"]), max_size=12),
    st.integers(1, 60),
)  # fmt: skip
def test_halves_are_found_wherever_a_block_ends(pieces, size):
    content = ('["' + "".join(pieces) + '"]').encode()
    expected, counted = Counter(), Counter()
    text = whole(json.loads(content)[0], expected)
    stream = Whole(io.BytesIO(content), counted)
    assert json.loads(b"".join(iter(lambda: stream.read(size), b""))) == [text]
    assert counted == expected


def test_members_of_the_wrong_type_are_passed_over(tmp_path):
    path = tmp_path / "conversations.json"
    said = {"sender": "human", "text": "kept"}
    path.write_text(json.dumps([
        {"uuid": 7, "name": [], "chat_messages": [
            {**said, "attachments": 7}, {**said, "created_at": [], "content": "x"}, [], None]},
        {"chat_messages": {}},
    ]))  # fmt: skip
    (document,) = read([path])
    assert [chunk.text for chunk in document.chunks] == ["kept", "kept"]
    path = tmp_path / "result.json"
    kept = {"type": "message", "from_id": "user7", "text": ["a", {"text": "b"}, 7, None, [["c"]]]}
    path.write_text(json.dumps({
        "name": "Ben", "type": "personal_chat", "id": 8,
        "messages": [7, None, "s", [], [{"type": "message", "text": "no"}], {"type": "message",
                     "text": {"x": []}}, {**kept, "date_unixtime": [], "date": 5}],
    }))  # fmt: skip
    document = next(read([path]))
    assert [chunk.text for chunk in document.chunks] == ["ab"]


def test_links_out_of_the_folder_are_not_followed(tmp_path):
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "secret.md").write_text("secret")
    (inside / "note.md").write_text("note")
    (inside / "folder").symlink_to(outside)
    (inside / "file.md").symlink_to(outside / "secret.md")
    (inside / "gone.md").symlink_to(outside / "nothing")
    assert [document.name for document in read([inside])] == ["note.md"]


def test_a_single_element_of_too_many_bytes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("ondevice.importers.json_stream.MAX_ELEMENT_BYTES", 1 << 20)
    path = tmp_path / "conversations.json"
    path.write_bytes(b'[{"mapping": {"' + b"x" * (2 << 20))
    with pytest.raises(ImportSourceError, match="single element"):
        list(read([path]))


def test_the_meter_counts_every_byte_once(tmp_path, embedder, home):
    (tmp_path / "a.md").write_text("a note")
    (tmp_path / "chat.txt").write_text("31/12/23, 10:00 - Anna: hi\n" * 9000)
    (tmp_path / "other.json").write_text("{}")
    (tmp_path / "picture.png").write_bytes(b"x" * 500)
    options = ImportOptions(me=("anna",))
    seen = []
    options.meter.changed = lambda: seen.append((options.meter.done, options.meter.total))
    for document in read([tmp_path], options):
        list(document.chunks)
    expected = sum((tmp_path / n).stat().st_size for n in ("a.md", "chat.txt", "other.json"))
    assert options.meter.done == options.meter.total == expected
    assert seen == sorted(seen) and len(seen) > 4


def exported(*texts):
    """Conversations of ChatGPT, of one message each."""
    return json.dumps([
        {"conversation_id": text[:9], "mapping": {"n": {"message": {
            "author": {"role": "user"}, "content": {"content_type": "text", "parts": [text]}}}}}
        for text in texts
    ]).encode()  # fmt: skip


def chatted(*texts):
    """A chat of Telegram."""
    messages = [
        {"type": "message", "from_id": "user7", "text": text, "date_unixtime": str(1.7e9 + 999 * n)}
        for n, text in enumerate(texts)
    ]
    head = {"name": "Ben", "type": "personal_chat", "id": 8, "messages": messages}
    return json.dumps(head).encode()


def lines(*texts):
    return b"".join(json.dumps({"role": "user", "content": t}).encode() + b"\n" for t in texts)


def zipped(content, *, flip=None):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("conversations.json", content)
    damaged = bytearray(packed.getvalue())
    if flip is not None:
        damaged[damaged.index(flip)] ^= 1
    return bytes(damaged)


TEXTS = ("One, which is whole.", "Two, which is whole.", "Three, which is not.")
# A checksum is wrong at the end: what is read with the last bytes is not believed.
FAR_APART = exported(*TEXTS).replace(b', {"conversation_id": "Three', b"," + b" " * 200_000
                                     + b'{"conversation_id": "Three')  # fmt: skip
PARAGRAPHS = b"".join(b"Paragraph %d is of some words.\n\n" % n for n in range(2000))


@pytest.mark.parametrize(
    ("name", "damaged", "whole_file", "kept"),
    [
        ("conversations.json", exported(*TEXTS)[:-40], exported(*TEXTS), 2),
        ("a.zip", zipped(FAR_APART, flip=b"Three"), zipped(FAR_APART), 2),
        ("result.json", chatted(*TEXTS)[:-40], chatted(*TEXTS), 1),
        ("a.jsonl", lines(*TEXTS)[:-9], lines(*TEXTS), 2),
        ("a.jsonl", lines(*TEXTS[:2]) + b'{"role": "user", "content": "\0"}', lines(*TEXTS), 2),
        ("a.txt", PARAGRAPHS + b"\xff\xfe", PARAGRAPHS + b"End.", 1),
        ("a.md", PARAGRAPHS + b"\0", PARAGRAPHS + b"End.", 1),
        ("a.txt", (CHAT + "x").encode() + b"\0", (CHAT + "x").encode(), 0),  # read twice
    ],
)
def test_what_came_before_the_damage_is_kept_and_the_rest_follows(
    home, tmp_path, embedder, name, damaged, whole_file, kept
):
    path = tmp_path / name

    def stored():
        profile.check()
        return [passage.text for passage in profile.passages.all()]

    with Profile.create(home) as profile:
        path.write_bytes(damaged)
        options = ImportOptions(me=ME.me)
        try:  # of an archive the member is passed over, of JSON Lines the line
            ingest(profile, embedder, read([path], options))
            (why,) = (remark.why for remark in options.skipped)
        except ImportSourceError as error:
            assert path.suffix not in (".zip", ".jsonl")
            why = str(error)
        assert str(path) in why and "\n" not in why
        before = stored()
        assert len(before) >= kept and all("not" not in text for text in before)
        path.write_bytes(whole_file)
        ingest(profile, embedder, read([path], ME))
        after = stored()
        assert after[: len(before)] == before and len(after) > len(before)
        assert len(set(after)) == len(after)  # nothing is there twice
        assert ingest(profile, embedder, read([path], ME)).passages == 0
