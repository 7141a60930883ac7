"""Exports of ChatGPT and Claude, and memories of another assistant."""

from __future__ import annotations

import json
import zipfile

import pytest

from ondevice.errors import ImportSourceError
from ondevice.importers import ImportOptions, detect, preview, read
from ondevice.memory.embedders.minilm import MiniLM
from ondevice.memory.ingest import ingest
from ondevice.store.profile import Profile


def message(role, parts, *, kind="text", time=1.7e9, metadata=None, **more):
    return {
        "author": {"role": role},
        "create_time": time,
        "content": {"content_type": kind, "parts": parts},
        "metadata": metadata or {},
        "recipient": "all",
        "weight": 1.0,
        **more,
    }


def conversation(messages, *, identity="c1", title="Roses", fork=None):
    """A straight tree of `messages`; `fork` is a message of a branch that was given up."""
    mapping = {"root": {"id": "root", "message": None, "parent": None, "children": []}}
    parent = "root"
    for number, said in enumerate(messages):
        node = f"n{number}"
        mapping[node] = {"id": node, "message": said, "parent": parent, "children": []}
        mapping[parent]["children"].append(node)
        parent = node
    if fork is not None:
        mapping["fork"] = {"id": "fork", "message": fork, "parent": "root", "children": []}
    return {
        "title": title,
        "mapping": mapping,
        "current_node": parent,
        "conversation_id": identity,
    }


ODDITIES = [
    message("system", [""], metadata={"is_visually_hidden_from_conversation": True}),
    message("user", ["my profile"], kind="user_editable_context"),
    message("user", ["secret plan"], metadata={"is_visually_hidden_from_conversation": True}),
    message("user", ["When do I cut roses?", ""], time=1.7e9 + 1),
    message("assistant", ["import roses"], kind="code", recipient="python"),
    message("tool", ["42"], kind="execution_output"),
    message("assistant", ["In March."]),
    message(
        "user",
        [{"content_type": "image_asset_pointer", "asset_pointer": "file://x"}, "And this one?"],
        kind="multimodal_text",
        time=None,
    ),
    message("user", [{"content_type": "audio_transcription", "text": "Spoken words."}],
            kind="multimodal_text"),
    message("user", [None, 7, "  "]),
]  # fmt: skip


@pytest.fixture
def export(tmp_path):
    path = tmp_path / "conversations.json"
    first = conversation(ODDITIES, fork=message("user", ["given up"]))
    lost = conversation([message("user", ["no current node"])], identity="c2", title=None)
    del lost["current_node"]
    circle = conversation([message("user", ["round and round"])], identity="c3")
    circle["mapping"]["root"]["parent"] = "n0"
    path.write_text(json.dumps([first, lost, circle, "nonsense", {"mapping": None}]))
    return path


def test_chatgpt_only_the_persons_words_of_the_branch_they_saw(export):
    documents = list(read([export]))
    assert [(c.text, c.time) for c in documents[0].chunks] == [
        ("When do I cut roses?", 1.7e9 + 1),
        ("And this one?", None),
        ("Spoken words.", 1.7e9),
    ]
    assert [d.key for d in documents] == ["chatgpt:c1", "chatgpt:c2", "chatgpt:c3"]


def test_chatgpt_answers_are_context_when_asked_for(export):
    first = next(iter(read([export], ImportOptions(answers=True))))
    assert [(c.voice, c.is_own) for c in first.chunks][1] == ("assistant", False)


def test_chatgpt_preview_tells_what_is_left_out_and_why(export):
    (shown,) = preview([export])
    assert (shown.format, shown.documents, shown.own) == ("ChatGPT export", 3, 5)
    assert shown.left_out == {
        "messages of the system and of tools": 2,
        "messages for tools, and custom instructions": 2,
        "hidden messages": 1,
        "answers of the assistant": 1,
        "messages without text": 1,
        "messages of branches that were given up": 1,
    }


def test_zip_is_read_in_place_and_attachments_are_no_notes(export, tmp_path):
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(export, "../../conversations.json")  # leads nowhere
        archive.writestr("../../file-attached.txt", "somebody else's text")
        archive.writestr("user.json", "{}")
        archive.writestr("../../notes/evil.txt", "not mine")
    before = set(tmp_path.rglob("*"))
    assert [d.key for d in read([path])] == ["chatgpt:c1", "chatgpt:c2", "chatgpt:c3"]
    assert set(tmp_path.rglob("*")) == before
    beside = sum(p.left_out.get("files beside an export, which may be attached to it", 0)
                 for p in preview([path]))  # fmt: skip
    assert beside == 2


def test_names_in_an_archive_that_windows_wrote(tmp_path):
    path = tmp_path / "notes.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("garden\\roses.md", "..\\..\\out.md", "garden\\.obsidian\\x.md"):
            archive.writestr(name, f"text of {name}")
    assert [document.name for document in read([path])] == ["out.md", "garden/roses.md"]


def test_the_same_conversation_has_the_same_hash_in_a_newer_export(export, tmp_path):
    old = [d.sha256 for d in read([export])]
    content = json.loads(export.read_text())
    content[0]["update_time"] = 1.8e9
    content[1]["mapping"]["n0"]["message"]["content"]["parts"] = ["another text"]
    newer = tmp_path / "newer.json"
    newer.write_text(json.dumps(content))
    new = [d.sha256 for d in read([newer])]
    assert [a == b for a, b in zip(old, new, strict=True)] == [True, False, True]


def test_two_conversations_with_one_id_are_both_kept(tmp_path, home):
    """Exports hold such; neither is a newer version of the other, whatever their order."""

    def export(*texts):
        path = tmp_path / "conversations.json"
        path.write_text(json.dumps([conversation([message("user", [text])]) for text in texts]))
        return path

    with Profile.create(home) as profile:
        for texts, new in (
            (["roses", "tulips", "tulips"], 2),
            (["roses", "tulips"], 0),
            (["tulips", "roses"], 0),
            (["tulips", "roses and more"], 1),
            (["roses and more", "tulips and more"], 1),
        ):
            report = ingest(profile, MiniLM(), read([export(*texts)]))
            assert report.documents == new
            assert {passage.text for passage in profile.passages.all()} == set(texts)
            assert len(profile.sources.all()) == 2
        assert not {"roses", "tulips"} & {passage.text for passage in profile.passages.all()}


def test_cut_off_export_gives_what_came_before(export):
    content = export.read_bytes()
    export.write_bytes(content[: content.index(b"no current")])
    documents = read([export])
    assert next(documents).key == "chatgpt:c1"
    with pytest.raises(ImportSourceError, match="cut off after 1 conversations"):
        next(documents)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'[{"mapping": {' + b'"a":{' * 100_000, "nested too deeply"),
        (b'[{"mapping": {"a": "\xff\xfe"}}]', "not valid JSON"),
        (b'[{"mapping": {}}, \0]', "not valid JSON"),
        (b'{"some": "json"}', "not an export"),
    ],
)
def test_hostile_json_is_one_sentence(tmp_path, content, words):
    path = tmp_path / "conversations.json"
    path.write_bytes(content)
    with pytest.raises(ImportSourceError, match=words) as caught:
        list(read([path]))
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_zip_bomb_and_broken_zips_are_refused(tmp_path):
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conversations.json", b'[{"mapping": {}}, ' + b" " * (40 << 20) + b"1]")
    with pytest.raises(ImportSourceError, match="zip bomb"):
        list(read([bomb]))
    cut = tmp_path / "cut.zip"
    cut.write_bytes(bomb.read_bytes()[:-30])
    with pytest.raises(ImportSourceError, match="not a zip archive"):
        list(read([cut]))
    flipped = tmp_path / "flipped.zip"
    content = bytearray(bomb.read_bytes())
    content[60] ^= 0xFF
    flipped.write_bytes(bytes(content))
    with pytest.raises(ImportSourceError, match="damaged"):
        list(read([flipped]))


def test_claude(tmp_path):
    path = tmp_path / "conversations.json"
    said = {"sender": "human", "created_at": "2024-05-01T18:30:00.5Z"}
    path.write_text(
        "\ufeff"
        + json.dumps(
            [
                {
                    "uuid": "u1",
                    "name": "",
                    "chat_messages": [
                        {**said, "text": "old form", "content": []},
                        {
                            **said,
                            "text": "x",
                            "content": [
                                {"type": "text", "text": "new form"},
                                {"type": "tool_use", "input": {}},
                            ],
                            "attachments": [{"extracted_content": "somebody's paper"}],
                        },
                        {"sender": "assistant", "text": "an answer"},
                        {"sender": "human", "text": " "},
                        {"sender": "narrator", "text": "x"},
                        None,
                    ],
                },
                {"uuid": "u2", "name": "Empty", "chat_messages": []},
            ]
        )
    )
    (document,) = read([path])
    assert (document.name, document.key) == ("Claude", "claude:u1")
    assert [(c.role, c.text, c.time) for c in document.chunks] == [
        ("user", "old form", 1714588200.5),
        ("user", "new form", 1714588200.5),
    ]
    (shown,) = preview([path])
    assert shown.left_out["attached files"] == 1


def test_memories_are_statements_not_samples(tmp_path):
    path = tmp_path / "memory.txt"
    path.write_text(
        "# Memories\n- [2024-05-01] - User lives in Lisbon.\n\n"
        "• The user's dog is called Biscuit.\nUser prefers short answers.\nAllergic to nuts.\n"
        + "User " + "x" * 600 + "\n"
    )  # fmt: skip
    assert detect(path).name == "memories"
    (document,) = read([path])
    chunks = list(document.chunks)
    assert [c.text for c in chunks] == [
        "User lives in Lisbon.",
        "The user's dog is called Biscuit.",
        "User prefers short answers.",
        "Allergic to nuts.",
    ]
    assert not any(c.is_own for c in chunks)
    assert chunks[0].time == 1714521600
    (shown,) = preview([path])
    assert (shown.facts, shown.own) == (4, 0)
