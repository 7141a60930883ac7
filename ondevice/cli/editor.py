"""Correcting an answer: in the terminal's own line, or in an editor after a warning."""

from __future__ import annotations

import os

import click

from ondevice.cli.output import talk


def edited(answer: str, text: str, interactive: bool) -> str | None:
    """Return what the answer should have been, or None if nothing was changed.

    Args:
        answer: as the model gave it.
        text: what was wanted; "editor" opens one; "" gives the answer to be edited in the line.
        interactive: whether somebody sits at the terminal.
    """
    try:
        if text == "editor":
            wanted = _in_editor(answer) if interactive else None
        elif text or not interactive:
            wanted = text
        else:
            wanted = _in_line(answer)
    except (EOFError, KeyboardInterrupt, click.Abort):  # of this question, not of the chat
        talk("")
        wanted = None
    wanted = (wanted or "").strip()
    return wanted if wanted and wanted != answer.strip() else None


def _in_line(answer: str) -> str:
    """Let the person edit the answer where they would type; nothing is written to a file."""
    try:
        import readline
    except ImportError:  # Windows: an empty line instead of the answer to be changed
        return input("instead: ")
    readline.set_startup_hook(lambda: readline.insert_text(" ".join(answer.split())))
    try:
        return input("instead: ")
    finally:
        readline.set_startup_hook(None)
        position = readline.get_current_history_length() - 1
        if position >= 0:  # the edit is no message
            readline.remove_history_item(position)


def _in_editor(answer: str) -> str | None:
    name = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "the default editor"
    talk(f"{name} writes the answer to a temporary file in clear, and may keep copies of its own.")
    if not click.confirm("Open it all the same?", err=True):
        return None
    return click.edit(answer)
