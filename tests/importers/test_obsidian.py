"""Markdown as Obsidian writes it."""

from __future__ import annotations

from datetime import datetime

from ondevice.importers import preview, read


def test_links_embeds_comments_and_dates(tmp_path):
    (tmp_path / ".obsidian").mkdir()
    (tmp_path / ".obsidian" / "workspace.md").write_text("not a note")
    (tmp_path / "note.md").write_text(
        "---\ncreated: 2024-05-01T10:00\ntags: [a]\n---\n# On [[Ben]]\n"
        "See [[People/Ben|my friend]], [[Roses#Pruning]] and [[#Here]].\n![[photo.png]]\n"
        "%% a\ncomment %%Last line. ^block-1\n"
    )
    (document,) = read([tmp_path])
    (chunk,) = document.chunks
    assert chunk.context == "On Ben"
    assert chunk.text == "See my friend, Roses and Here.\n\nLast line."
    assert chunk.time == datetime(2024, 5, 1, 10).timestamp()
    assert chunk.is_own
    (shown,) = preview([tmp_path])
    assert (shown.file, shown.format, shown.own) == ("note.md", "Markdown", 1)
