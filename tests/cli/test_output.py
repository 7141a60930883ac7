"""What is printed: nothing that a terminal would obey, and above bars while they are drawn."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest
from rich.console import Console
from rich.progress import Progress

from ondevice.cli.learn import progress as _learning
from ondevice.cli.output import console_of_bars, print_table, say, stream, talk, warn
from ondevice.ground.text import visible
from ondevice.learning.options import LearnEvent


@pytest.mark.parametrize("say", [talk, warn])
def test_a_sentence_goes_through_the_bars_console(
    say: object, capfd: pytest.CaptureFixture[str]
) -> None:
    """Written past it, it would be overwritten, and old bars would stay behind."""
    screen = io.StringIO()
    with Progress(console=Console(file=screen, force_terminal=True, width=60)) as progress:
        progress.add_task("one")
        say("Saving after this step…")  # type: ignore[operator]
    assert "Saving after this step…" in screen.getvalue()
    assert capfd.readouterr() == ("", "")
    talk("No bars now.")
    assert capfd.readouterr().err == "No bars now.\n"


def test_bars_leave_room_for_what_the_terminal_shows_of_an_interrupt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    console = console_of_bars()
    assert console.options.max_width <= 60 - len("^C")


def test_a_question_stands_below_bars_that_are_drawn_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_learning, "shows_progress", lambda: True)
    with _learning.display(False) as show:
        show(LearnEvent("audits", 1, 2, "wrong claims"))
        assert isinstance(show, _learning._Bars)  # and not lines
        assert show.progress.live.is_started
        show.end()
        assert not show.progress.live.is_started
        show(LearnEvent("done", 1, 1))
        assert not show.progress.live.is_started


# Renames the window, writes into the clipboard, clears the screen, and goes back over the line.
EVIL = "Tea\x1b]0;owned\x07 \x1b]52;c;cm0gLXJm\x1b\\\x1b[2J\x9b31m\rand\x08 milk"


def obeyed(text: str) -> set[str]:
    return {c for c in text if (c < " " and c not in "\n\t") or "\x7f" <= c <= "\x9f"}


def test_control_characters_are_written_out() -> None:
    assert visible("a\x1b[2Jb\x7f\x9b\r") == "a\\x1b[2Jb\\x7f\\x9b\\x0d"
    assert visible("one\r\ntwo\n\tthree – ü 狗 🐕") == "one\r\ntwo\n\tthree – ü 狗 🐕"


class _Answer:
    def __iter__(self) -> object:
        yield from EVIL


def test_a_terminal_is_shown_nothing_that_it_would_obey(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    talk(EVIL)
    warn(EVIL)
    say(EVIL)
    assert stream(_Answer())  # type: ignore[arg-type]
    shown = capsys.readouterr()
    assert obeyed(shown.out + shown.err) == set()
    assert "milk" in shown.out and "milk" in shown.err
    print_table(["text"], [(EVIL,)], "")
    table = capsys.readouterr().out
    assert "]0;owned" in table and "\x1b]" not in table and "\x07" not in table


def test_a_file_gets_an_answer_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    say("a\x08b\r")
    assert capsys.readouterr().out == "a\x08b\r\n"


def test_memories_and_errors_of_a_hostile_import(ondevice, tmp_path):  # type: ignore[no-untyped-def]
    code, _, err = ondevice("memory", "add", f"I drink {EVIL}.")
    assert code == 0 and obeyed(err) == set()
    code, out, _ = ondevice("memory", "list", "--json")
    assert code == 0 and obeyed(out) == set()
    assert "\x1b]0;owned" in json.loads(out)[0]["text"]
    code, _, err = ondevice("import", str(tmp_path / "a\x1b[2J.txt"))
    assert code == 1 and obeyed(err) == set()


@pytest.mark.model  # whole programs
@pytest.mark.skipif(os.name == "nt", reason="a shell of Unix closes them")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams(home, closed):  # type: ignore[no-untyped-def]
    command = f"{sys.executable} -m ondevice profile create anna {closed}"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.returncode == 0 and "unforeseen" not in done.stderr
    command = f"{sys.executable} -m ondevice memory add -p anna 'I live in Rome.' {closed}"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.returncode == 0 and "unforeseen" not in done.stderr, done.stderr


def test_a_table_in_a_narrow_terminal_breaks_no_id(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    row = ("01m8d2bw6ymk6f7k", "active", "preference", "2026-11-26 23:17", "The user likes tea.")
    headings = ("id", "state", "category", "time", "text")
    monkeypatch.setenv("COLUMNS", "42")
    print_table(headings, [row], "")
    assert capsys.readouterr().out == "  ".join(row[:-1]) + "\n    The user likes tea.\n"
    monkeypatch.setenv("COLUMNS", "80")
    print_table(headings, [row], "")
    shown = capsys.readouterr().out.splitlines()
    assert all(word in shown[0] for word in headings) and all(c in shown[1] for c in row[:-1])
    monkeypatch.setenv("COLUMNS", "30")  # what fits stays a table
    print_table(("a", "text"), [("1", "x " * 40)], "")
    assert len(capsys.readouterr().out.splitlines()) > 2
