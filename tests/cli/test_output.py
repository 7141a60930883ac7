"""What is said while bars are drawn: it stands above them, and leaves them whole."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from ondevice.cli import _learning
from ondevice.cli._output import console_of_bars, talk, warn
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
        assert isinstance(show, _learning._Bars)
        assert show.progress.live.is_started
        show.end()
        assert not show.progress.live.is_started
        show(LearnEvent("done", 1, 1))
        assert not show.progress.live.is_started
