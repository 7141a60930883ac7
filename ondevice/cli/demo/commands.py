"""`ondevice demo`: the whole loop on a fictional person, live, and then thrown away."""

from __future__ import annotations

import contextlib
import math
import signal
import time
from collections.abc import Iterator, Sequence
from statistics import fmean
from types import FrameType
from typing import TYPE_CHECKING, Literal

import click

from ondevice.cli.completion.complete import complete_models
from ondevice.cli.learn.progress import display, talk_of_report
from ondevice.cli.output import print_table, shows_progress, talk

if TYPE_CHECKING:
    from ondevice.cli.demo.show import Expected


@click.command("demo")
@click.option("--fast", is_flag=True, help="Learn for seconds instead of minutes.")
@click.option("-m", "--model", metavar="NAME|FILE", shell_complete=complete_models,
              help="The base model.")  # fmt: skip
def command(fast: bool, model: str | None) -> int:
    """See the whole loop: remember, chat, learn, judge, chat again, forget.

    A fictional person in a temporary encrypted profile; everything is computed
    now, and everything is deleted at the end. Your own profiles are not touched.
    """
    from ondevice.cli.demo import person
    from ondevice.cli.demo.show import Demo
    from ondevice.cli.memory.preview import preview_lines
    from ondevice.evaluation.report import HEADINGS, rows
    from ondevice.training.plot import loss_text

    started = time.monotonic()
    talk("Loading the model…", dim=True)
    with _ended_like_interrupted(), Demo(model, fast=fast) as demo:
        _heading(f"1. Meet {person.NAME} (she does not exist)")
        count = demo.fill()
        talk(f"{count} notes, turns, verdicts and facts are in a temporary, encrypted profile.")
        sample = next(row["text"] for row in person.rows() if row["kind"] == "note")
        talk(f"She writes like this: “{sample}”")

        _heading("2. Before learning: the model with her memory in the prompt")
        _show_answer(demo.answer(None))
        before = demo.expectations(None)
        _show_expected(before)

        _heading("3. Learning, on this processor")
        with display(False) as show:
            report = demo.learn(show)
        texts = report.training.get("texts")
        if texts and shows_progress():
            talk(loss_text(texts["losses"], [tuple(p) for p in texts["held_out_losses"]]), dim=True)

        _heading("4. Does it help? Judged by what was kept back")
        if report.evaluation is not None:
            print_table(HEADINGS, rows(report.evaluation.table), "Nothing was measured.")
        talk_of_report(report)

        if report.adapter is not None:
            only_shown = report.outcome != "activated"
            _heading("5. After learning" + ", though not activated" * only_shown)
            _show_answer(demo.answer(report.adapter))
            _show_expected(demo.expectations(report.adapter), before)

        _heading("6. She takes one memory back: what her cat is called")
        demo.me.adapters.choose(None)
        gone = demo.forget()
        for line in preview_lines(gone.preview)[:8]:
            talk(line, dim=True)
        talk(f"Forgotten. Memories that still hold the name: {gone.found}.")
        if gone.stale:
            files = "shredded" if gone.files_gone else "still there"
            names = ", ".join(gone.stale)
            talk(f"Adapters that had learned it are stale, their files {files}: {names}.")
        _show_answer(gone.answer)
    talk(
        f"Everything is deleted again ({time.monotonic() - started:.0f} s). Now with your own: "
        "ondevice import NOTES, ondevice chat, ondevice learn."
    )
    return 0


@contextlib.contextmanager
def _ended_like_interrupted() -> Iterator[None]:
    """Clean up also when the process is asked to end."""

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _heading(text: str) -> None:
    click.secho(f"\n{text}", err=True, bold=True)


def _show_answer(answer: str) -> None:
    from ondevice.cli.demo.show import QUESTION

    click.echo(f"> {QUESTION}\n{answer}\n")


def _show_expected(found: Sequence[Expected], before: Sequence[Expected] = ()) -> None:
    """Print how surprised the model is by her own next words, and by somebody else's."""
    from ondevice.cli.demo.show import CONTINUATIONS

    talk("How surprised it is (perplexity) by the ends of notes that were kept back from it:")
    for number, (opening, *endings) in enumerate(CONTINUATIONS):
        click.echo(f"“{opening} …”")
        now = (found[number].own, found[number].other)
        then = (before[number].own, before[number].other) if before else (None, None)
        for who, ending, new, old in zip(_WHO, endings, now, then, strict=True):
            shown = f"{new:.0f}" if old is None else f"{old:.0f} → {new:.0f}"
            click.echo(f"  {who:<14}{shown:>11}  “{ending}”")
    if before:
        hers, others = (_times_likelier(found, before, whose) for whose in ("own", "other"))
        talk(
            f"On average hers became {hers:.1f} times likelier a token, the others' {others:.1f} "
            "times: only what lies between the two is about her."
        )
    click.echo()


def _times_likelier(
    found: Sequence[Expected], before: Sequence[Expected], whose: Literal["own", "other"]
) -> float:
    """Return by what factor perplexities fell, as a geometric mean."""
    old, new = ([math.log(getattr(one, whose)) for one in some] for some in (before, found))
    return math.exp(fmean(old) - fmean(new))


_WHO = ("she went on:", "others might:")
