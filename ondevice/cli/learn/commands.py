"""`ondevice learn`: the profile becomes an adapter, which is used only if it helps."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ondevice.cli.chat.session import (
    open_assistant,
    open_profile,
    profile_option,
    scope_option,
)
from ondevice.cli.completion.complete import complete_models
from ondevice.cli.learn.plot import check_plot, write_plot
from ondevice.cli.learn.progress import (
    display,
    preview_json,
    report_json,
    talk_of_preview,
    talk_of_report,
)
from ondevice.cli.output import print_json, talk
from ondevice.cli.paths import UserPath
from ondevice.learning.options import METHODS

if TYPE_CHECKING:
    from ondevice.cli.learn.progress import Show
    from ondevice.learning.report import LearnReport

_UNITS = {"s": 1, "m": 60, "h": 3600}
MAINS_SECONDS = 10.0  # between two looks at the mains power, which may take a program of its own


def parse_duration(text: str) -> float:
    """Turn `90s`, `10m` or `1h30m` into seconds.

    Raises:
        click.BadParameter: it is no duration.
    """
    if not re.fullmatch(r"(?:\d+(?:\.\d+)?[smh])+", text.strip().lower()):
        raise click.BadParameter(
            f"'{text}' is not a duration; write for example 90s, 10m or 1h30m."
        )
    parts = re.findall(r"([\d.]+)([smh])", text.lower())
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


@click.command("learn")
@profile_option
@click.option(
    "-m", "--model", metavar="NAME|FILE", shell_complete=complete_models, help="The base model."
)
@scope_option
@click.option("--method", type=click.Choice(METHODS), default="both", show_default=True,
              help="sft: texts and answers; dpo: verdicts.")  # fmt: skip
@click.option("--time-budget", type=parse_duration, metavar="10m",
              help="Train for about this long; kept as a number of tokens.")  # fmt: skip
@click.option("--scratch", is_flag=True, help="Do not go on from the active adapter.")
@click.option("--quick", is_flag=True, help="Judge with fewer items; no audits.")
@click.option("--threads", type=click.IntRange(min=0), default=0, show_default=True,
              help="Threads; 0: one per processor.")  # fmt: skip
@click.option(
    "--dry-run", is_flag=True, help="Only say what would be trained, how long, how much memory."
)
@click.option("--plot", type=UserPath(), metavar="FILE",
              help="Write the losses as a picture, an SVG.")  # fmt: skip
@click.option("--schedule", type=click.Choice(["nightly", "off"]),
              help="Learn at night, on mains power and when idle; off ends that.")  # fmt: skip
@click.option("--scheduled", is_flag=True, hidden=True,
              help="Started by the scheduler: only on mains power and when idle.")  # fmt: skip
@click.option("-y", "--yes", is_flag=True, help="Activate although an audit raises doubts.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each event.")
def command(**options: Any) -> int:
    """Learn from the profile: train an adapter, and use it only if it helps.

    What it is judged by was kept back from the training. A training that is
    stopped goes on when the same command is given again.
    """
    if options["schedule"] is not None:
        return _schedule(options)
    plot: Path | None = options["plot"]
    if plot is not None:
        check_plot(plot)
    if options["scheduled"]:
        from ondevice.learning.conditions import why_not_now

        reason = why_not_now()
        if reason is not None:
            talk(reason)
            return 0
    return _learn(options, plot)


def _learn(options: dict[str, Any], plot: Path | None) -> int:
    from ondevice.cli.train.commands import stop_on_interrupt
    from ondevice.learning.options import LearnOptions

    how = LearnOptions(
        method=options["method"],
        time_budget=options["time_budget"],
        from_scratch=options["scratch"],
        quick=options["quick"],
        threads=options["threads"],
    )
    with open_assistant(_session(options)) as me:
        if options["dry_run"]:
            with display(False) as show:
                preview = me.learning.preview(how, tell=show)
            if options["as_json"]:
                print_json(preview_json(preview))
            else:
                talk_of_preview(preview)
            return 0
        stopping = stop_on_interrupt("Stopping; Ctrl-C again does not wait.")
        with display(options["as_json"]) as show, stopping as should_stop:
            report = me.learning.learn(
                how,
                tell=show,
                should_stop=_unless_on_battery(should_stop, options["scheduled"]),
                confirm=_confirm(options, show),
            )
    if plot is not None:
        _plot(report, plot)
    if options["as_json"]:
        click.echo(json.dumps({"stage": "report", **report_json(report)}, ensure_ascii=False))
    else:
        talk_of_report(report)
    return 130 if report.outcome == "stopped" else 0


def _session(options: dict[str, Any]) -> dict[str, Any]:
    """Return what `open_assistant` asks for; nothing is generated here."""
    unused = dict.fromkeys(("temperature", "seed", "max_tokens", "system"))
    chosen = {name: options[name] for name in ("profile", "model", "scope", "threads")}
    return {
        **unused,
        **chosen,
        "adapters": (),
        "no_adapter": True,  # the one in use may be for another base
        "no_reader": False,
        "temporary": False,
    }


def _confirm(options: dict[str, Any], show: Show) -> Any:
    import sys

    if options["yes"]:
        return lambda question: True
    if options["as_json"] or not sys.stdin.isatty():
        return None

    def ask(question: str) -> bool:
        show.end()
        return click.confirm(question, err=True)

    return ask


def _unless_on_battery(should_stop: Callable[[], bool], scheduled: bool) -> Callable[[], bool]:
    """Stop a nightly run also when the mains power goes; it goes on next time."""
    if not scheduled:
        return should_stop
    from ondevice.learning.conditions import on_mains

    looked, mains = time.monotonic(), True

    def stops() -> bool:
        nonlocal looked, mains
        if time.monotonic() - looked >= MAINS_SECONDS:
            looked, mains = time.monotonic(), on_mains()
        return should_stop() or not mains

    return stops


def _plot(report: LearnReport, path: Path) -> None:
    from ondevice.training.plot import loss_picture

    texts = report.training.get("texts") or report.training.get("preferences")
    if texts is None:
        talk("Nothing was trained, so there is no plot.")
        return
    held_out = [(step, loss) for step, loss in texts["held_out_losses"]]
    write_plot(path, loss_picture(texts["losses"], held_out))


def _from_anywhere(model: str) -> str:
    """Return a model's name, or its file's absolute path: at night the program starts elsewhere."""
    from ondevice.ground.files import expanded
    from ondevice.models.catalogue import CATALOGUE

    path = expanded(Path(model))
    is_name = model in ("default", *CATALOGUE) or not path.is_file()
    return model if is_name else str(path.absolute())


def _schedule(options: dict[str, Any]) -> int:
    from ondevice.errors import LearningError, ProfileLockedError
    from ondevice.home import Home
    from ondevice.learning.schedule import Entry, scheduler
    from ondevice.store.profile import Profile
    from ondevice.store.profiles import profile_in_use

    home = Home.default()
    name = options["profile"] or profile_in_use(home)
    arguments = ["--model", _from_anywhere(options["model"])] if options["model"] else []
    arguments += ["--context", options["scope"]] if options["scope"] else []
    entry = Entry.for_profile(name, arguments)
    system = scheduler(home.config)
    if options["schedule"] == "off":
        removed = system.remove(entry)
        talk(
            f"'{name}' is no longer learned from at night."
            if removed
            else f"'{name}' was not scheduled."
        )
        return 0
    if options["profile"] is None:
        open_profile(None).close()  # made at its first use
    try:  # as it will be at night: nobody is there to ask
        Profile.open(home, name, ask_passphrase=None).close()
    except ProfileLockedError as error:
        raise LearningError(
            f"The profile '{name}' opens with a passphrase only, and at night nobody is there to "
            "type it; keep the key in the system's keyring, or name a passphrase file in "
            "ONDEVICE_PASSPHRASE_FILE. Nothing was scheduled."
        ) from error
    files = system.write(entry)
    talk(f"'{name}' is learned from at night, on mains power and when the machine is idle.")
    for path in files:
        click.echo(path)
    return 0
