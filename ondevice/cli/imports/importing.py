"""`ondevice import`: notes and conversations into the profile."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from ondevice.cli.chat.session import keep_scope_option, open_memory, profile_option
from ondevice.cli.output import (
    console_of_bars,
    counted,
    day,
    json_option,
    print_json,
    print_table,
    shows_progress,
    talk,
    warn,
)
from ondevice.cli.paths import UserPath
from ondevice.cli.remedies import told

if TYPE_CHECKING:
    from pathlib import Path

    from rich.progress import TaskID

    from ondevice.importers import Preview, Remark
    from ondevice.memory.ingest import IngestReport

MOST_PEOPLE = 12  # named in a preview
MOST_SKIPPED = 20  # files that are named with the reason; --json names them all


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=UserPath(), metavar="PATH...")
@profile_option
@keep_scope_option
@click.option(
    "--as",
    "me",
    multiple=True,
    metavar="NAME",
    help="Who you are in these chats and mails: name, number or address; repeatable.",
)
@click.option(
    "--dates",
    type=click.Choice(["dmy", "mdy"]),
    help="The order of day and month in a chat that does not tell.",
)
@click.option("--answers", is_flag=True, help="Take the answers of other assistants as context.")
@click.option("--preview", "only_preview", is_flag=True, help="Show what would be taken, and stop.")
@json_option
def command(
    paths: tuple[Path, ...],
    profile: str | None,
    scope: str | None,
    me: tuple[str, ...],
    dates: str | None,
    answers: bool,
    only_preview: bool,
    as_json: bool,
) -> None:
    """Import notes, chats, mail and what other assistants know.

    Exports of ChatGPT, Claude, WhatsApp and Telegram, mbox and Maildir, Markdown
    and Obsidian, text, JSONL with {"role", "content", "time"}, and memories of
    another assistant; zip archives and folders of them. The format is recognised
    by content. Only your own words are learned from, and what they state about you
    is remembered. Importing the same file again
    changes nothing, a newer version replaces the older one, and an import that was
    stopped goes on.

    What cannot be read in a folder, in an archive or of several paths (also a line, a
    mail, a conversation) is named with the reason, and the rest is imported: exit code
    0. Once it is mended, the same command imports it. Exit code 1 says that a single
    file which was named cannot be read to its end, or that nothing at all could be.
    """
    from ondevice.errors import ImportSourceError
    from ondevice.importers import ImportOptions, preview

    progress = ImportProgress(shows_progress())
    options = ImportOptions(
        me, None if dates is None else dates == "dmy", answers, meter=progress.meter
    )
    if only_preview:
        with progress:
            shown = list(preview(paths, options))
        if as_json:
            print_json(shown)
        else:
            _print_previews(shown)
        return
    with open_memory(profile, scope) as memory:
        with progress:
            try:
                report = memory.import_paths(
                    paths, progress.update, options, forming=progress.formed
                )
            except KeyboardInterrupt:
                talk("What was imported so far is kept; the same command goes on from there.")
                raise
            except ImportSourceError:
                if len(options.skipped) > 1:
                    _name_skipped(options.skipped)
                raise
        if as_json:
            print_json(report)
        else:
            _tell(report)


def _tell(report: IngestReport) -> None:
    talk(_sentence(report))
    if report.left_out:
        reasons = [f"{count} {told(reason)}" for reason, count in report.left_out.items()]
        talk(f"Left out: {', '.join(reasons)}.", dim=True)
    for remark in report.guessed[:MOST_SKIPPED]:
        talk(remark.why)
    if (more := len(report.guessed) - MOST_SKIPPED) > 0:
        talk(f"… and {more} more, of which --json tells.")
    _name_skipped(report.skipped)
    if report.formed or report.waiting:
        talk(formed_sentence(report.formed, report.waiting))
    if report.facts or report.waiting:
        talk("See the facts with `ondevice memory list --state pending`, approve them there.")


def formed_sentence(facts: int, waiting: int) -> str:
    """Return what was drawn from texts, as a sentence."""
    told = f"{counted(facts, 'statement')} about you {'is' if facts == 1 else 'are'} remembered"
    if waiting:
        told += f", {waiting} more {'waits' if waiting == 1 else 'wait'} for your approval"
    return f"{told}."


def _name_skipped(skipped: Sequence[Remark]) -> None:
    """Tell what could not be read, and why."""
    if not skipped:
        return
    warn(f"Could not be read, and was passed over ({len(skipped)}):")
    for remark in skipped[:MOST_SKIPPED]:
        warn(f"  {told(remark.why)}")
    if (more := len(skipped) - MOST_SKIPPED) > 0:
        warn(f"  … and {more} more, which --json names.")


def _sentence(report: IngestReport) -> str:
    passages = report.passages - report.facts
    parts = [
        f"Imported {counted(passages, 'passage')} from "
        f"{counted(report.documents, 'file or conversation', 'files and conversations')}"
    ]
    if report.facts:
        waiting = "facts wait" if report.facts != 1 else "fact waits"
        parts.append(f"{report.facts} {waiting} for your approval")
    if report.unchanged:
        parts.append(
            f"{report.unchanged} {'were' if report.unchanged != 1 else 'was'} there already"
        )
    return "; ".join(parts) + "."


def _print_previews(previews: list[Preview]) -> None:
    rows = [(shown.file, *row) for shown in previews for row in _preview_rows(shown)]
    if sys.stdout.isatty():  # somebody reads it: a file's name stands once
        rows = [
            ("" if number and rows[number - 1][0] == file else file, what, how_many)
            for number, (file, what, how_many) in enumerate(rows)
        ]
    print_table(["File", "What", "How many"], rows, "There is nothing to import.")
    unclear = [one.file for one in previews if not one.own and (one.others or one.senders)]
    if unclear:
        talk(
            f"Nothing in {', '.join(unclear)} is known to be yours; say who you are with --as, "
            "by a name or address of that list."
        )
    talk("Nothing was imported; leave out --preview to do it.")


def _preview_rows(shown: Preview) -> Iterator[tuple[str, str]]:
    """Yield what would be taken from a file, from whom, and what is left out."""
    days = dict.fromkeys(day(time)[:10] for time in (shown.first, shown.last) if time is not None)
    period = f", {' to '.join(days)}" if days else ""
    if shown.file:
        yield shown.format, counted(shown.documents, "document") + period
    if shown.file and (shown.own or not shown.facts):
        yield "yours", counted(shown.own, "piece")
    yield from _most_common("context only", shown.others)
    if shown.facts:
        yield "to approve", counted(shown.facts, "fact")
    yield from (("left out", f"{count} {told(reason)}") for reason, count in shown.left_out.items())
    yield from (("encoding", told(remark.why)) for remark in shown.guessed)
    skipped = [remark for remark in shown.skipped if not remark.asks]  # what to say comes below
    yield from (("cannot be read", told(remark.why)) for remark in skipped[:MOST_SKIPPED])
    if (more := len(skipped) - MOST_SKIPPED) > 0:
        yield "cannot be read", f"{more} more, which --json names"
    if not shown.own:  # one of them may be the person
        yield from _most_common("mails from", shown.senders)


def _most_common(what: str, people: Counter[str]) -> Iterator[tuple[str, str]]:
    for name, count in people.most_common(MOST_PEOPLE):
        yield what, f"{count} of {name}"
    if (more := len(people) - MOST_PEOPLE) > 0:
        yield what, f"and {counted(more, 'other')}"


class ImportProgress:
    """A progress bar on stderr, by the bytes read, with the time left."""

    def __init__(self, shown: bool) -> None:
        """Show nothing unless `shown`."""
        from ondevice.importers import Meter

        self._shown = shown
        self.meter = Meter(self._read if shown else None)
        self._stage, self._passages = "", 0
        self._task: TaskID | None = None

    def __enter__(self) -> ImportProgress:
        """Show the bar."""
        if self._shown:
            from rich.progress import (
                BarColumn,
                Progress,
                TaskProgressColumn,
                TextColumn,
                TimeElapsedColumn,
                TimeRemainingColumn,
            )

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[stored]}"),
                TimeElapsedColumn(),
                TextColumn("left:"),
                TimeRemainingColumn(),
                console=console_of_bars(),
                transient=True,
            )
            self._bar.start()
        return self

    def _read(self) -> None:
        """Show how far the reading has come; another stage has another speed."""
        stage = "Checking" if self.meter.checking else "Reading"
        if self._task is None or stage != self._stage:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._stage = stage
            self._task = self._bar.add_task(stage, total=None, stored=self._stored())
        self._bar.update(self._task, completed=self.meter.done, total=self.meter.total or None)

    def formed(self, done: int, total: int) -> None:
        """Show how many of the texts were read for statements."""
        if not self._shown:
            return
        if self._stage != "Understanding":
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._stage = "Understanding"
            self._task = self._bar.add_task(self._stage, total=total, stored="")
        if self._task is not None:
            self._bar.update(self._task, completed=done, total=total)

    def update(self, done: int, _: int | None) -> None:
        """Show that `done` passages are stored."""
        if self._shown:
            self._passages = done
            if self._task is not None:
                self._bar.update(self._task, stored=self._stored())

    def _stored(self) -> str:
        return f"{self._passages} passages" if self._passages else ""

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        if self._shown:
            self._bar.stop()
