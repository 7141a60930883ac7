"""Reading notes and conversations from files."""

from __future__ import annotations

import json
import re

import pytest

from ondevice.errors import ImportSourceError
from ondevice.importers import read


def chunks(path):
    (document,) = read([path])
    return list(document.chunks)


def test_text(tmp_path):
    path = tmp_path / "note.txt"
    path.write_bytes("\ufeffErste Zeile\r\nzweite\r\n\r\n\r\nZweiter Absatz ä\r\n".encode())
    assert [c.text for c in chunks(path)] == ["Erste Zeile\nzweite\n\n\nZweiter Absatz ä"]


def test_markdown_headings_front_matter_and_fences(tmp_path):
    path = tmp_path / "note.md"
    path.write_text(
        '---\ntitle: "My garden"\ntags: [a, b]\n---\n# Garden\nIntro.\n\n## Roses ##\n\nRed.\n'
        "\n```sh\n# a comment\n\necho\n```\n# Kitchen\n- flour\n- eggs\n"
    )
    found = chunks(path)
    assert [(c.context, c.text) for c in found] == [
        ("Garden", "Intro."),
        ("Garden › Roses", "Red.\n\n```sh\n# a comment\n\necho\n```"),
        ("Kitchen", "- flour\n- eggs"),
    ]
    assert found[0].metadata == {"title": "My garden", "tags": "[a, b]"}


def test_a_rule_at_the_start_is_no_front_matter(tmp_path):
    path = tmp_path / "note.md"
    path.write_text("---\nA thought: kept.\n\nAnother.\n")
    assert [c.text for c in chunks(path)] == ["---\nA thought: kept.\n\nAnother."]


def test_jsonl_messages(tmp_path):
    path = tmp_path / "chat.jsonl"
    messages = [
        {"role": "user", "content": "Hi", "time": "2024-05-01T18:30:00Z"},
        {"role": "assistant", "content": "Hello", "time": 1714588201.5},
        {"role": "Anna", "content": "Servus"},
    ]
    path.write_text("\n".join(map(json.dumps, messages)) + "\n\n")
    found = [(c.role, c.speaker, c.text, c.time) for c in chunks(path)]
    assert found == [
        ("user", None, "Hi", 1714588200.0),
        ("assistant", None, "Hello", 1714588201.5),
        (None, "Anna", "Servus", None),
    ]


def test_folders_are_read_to_the_bottom_without_hidden_files(tmp_path):
    for name in ("b.md", "a/deep/c.txt", ".obsidian/x.md", "a/.hidden.md", "picture.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text of {name}")
    (tmp_path / "empty.md").touch()
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    documents = list(read([tmp_path]))
    assert [d.name for d in documents] == ["a/deep/c.txt", "b.md"]
    assert len({d.sha256 for d in documents}) == 2


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("a.txt", b"", "empty"),
        ("a.txt", b" \n\n", "empty lines"),
        ("a.md", b"---\nx: y\n---\n", "no text"),
        ("a.txt", b"one\nt\0wo", "line 2"),
        ("a.md", b"fine\n\xff\xfe\n", "line 2"),
        ("a.jsonl", b"\n{oops\n", "line 2"),
        ("a.jsonl", b'{"role":"user"}\n', "line 1"),
        ("a.jsonl", b"[1]\n", "line 1"),
        ("a.jsonl", b"[" * 100_000, "line 1"),
        ("a.jsonl", b'{"role":"user","content":"x","time":"soon"}\n', "line 1"),
        ("a.jsonl", b'{"role":"user","content":"x","time":1e400}\n', "line 1"),
        ("a.jsonl", b'{"role":"user","content":"x","time":-9e10}\n', "line 1"),
        ("a.jsonl", b"\n", "no messages"),
        ("folder", None, "no file to import"),
        ("nowhere", None, "no file or folder"),
    ],
)
def test_bad_input_is_one_sentence_with_file_and_line(tmp_path, name, content, place):
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ImportSourceError) as caught:
        for document in read([path]):
            list(document.chunks)
    message = str(caught.value)
    assert str(path) in message
    assert re.search(place, message, re.IGNORECASE)
    assert "\n" not in message
    assert len(message) < 300


def test_reading_streams_in_pieces_of_bounded_size(tmp_path):
    path = tmp_path / "big.txt"
    with path.open("w") as file:
        for i in range(20_000):
            file.write(f"paragraph {i}\n\n")
        file.write("\0")
    (document,) = read([path])
    pieces = iter(document.chunks)
    assert next(pieces).text.startswith(
        "paragraph 0\n\nparagraph 1\n"
    )  # although the end cannot be read
    with pytest.raises(ImportSourceError, match="line 40001"):
        assert all(len(piece.text) < 50_000 for piece in pieces)
