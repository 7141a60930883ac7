"""`ondevice import`: notes and conversations into the profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ondevice.cli._output import (
    counted,
    day,
    json_option,
    print_json,
    print_table,
    shows_progress,
    talk,
)
from ondevice.cli._session import existing_paths, open_profile, profile_option, scope_option

if TYPE_CHECKING:
    from ondevice.profile.importers import Preview
    from ondevice.recall.passages import IngestReport


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(), metavar="PATH...")
@profile_option
@scope_option
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
    paths: tuple[str, ...],
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
    by content. Only your own words are learned from. Importing the same file again
    changes nothing, a newer version replaces the older one, and an import that was
    stopped goes on.
    """
    from ondevice.profile.importers import ImportOptions, preview, read
    from ondevice.recall.embedder import Embedder
    from ondevice.recall.passages import ingest
    from ondevice.settings import RecallSettings

    options = ImportOptions(me, None if dates is None else dates == "dmy", answers)
    if only_preview:
        shown = list(preview(existing_paths(paths), options))
        if as_json:
            print_json(shown)
        else:
            _print_previews(shown)
        return
    with open_profile(profile) as store:
        with _Progress(shows_progress()) as progress:
            try:
                report = ingest(
                    store,
                    Embedder(),
                    read(existing_paths(paths), options),
                    progress=progress.update,
                    scope=scope,
                    settings=RecallSettings(),
                )
            except KeyboardInterrupt:
                talk("What was imported so far is kept; the same command goes on from there.")
                raise
        if as_json:
            print_json(report)
            return
        talk(_sentence(report))
        if options.left_out:
            reasons = [f"{count} {reason}" for reason, count in options.left_out.items()]
            talk(f"Left out: {', '.join(reasons)}.", dim=True)
        if report.facts:
            talk("See the facts with `ondevice memory list --state pending`, approve them there.")


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
    rows = []
    for shown in previews:
        period = " to ".join(day(time)[:10] for time in (shown.first, shown.last) if time)
        about = f"{shown.format}, {shown.documents} documents" + (f", {period}" if period else "")
        rows.append((shown.file, "", about))
        rows.append((shown.file, "yours", f"{shown.own} pieces"))
        rows += [
            (shown.file, "context only", f"{count} of {name}")
            for name, count in shown.others.most_common()
        ]
        if shown.facts:
            rows.append((shown.file, "to approve", f"{shown.facts} facts"))
        rows += [
            (shown.file, "left out", f"{count} {reason}")
            for reason, count in shown.left_out.items()
        ]
    print_table(["File", "What", "How many"], rows, "There is nothing to import.")
    talk("Nothing was imported; leave out --preview to do it.")


class _Progress:
    """A progress bar on stderr, with the time left where the total is known."""

    def __init__(self, shown: bool) -> None:
        self._shown = shown

    def __enter__(self) -> _Progress:
        if self._shown:
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                Progress,
                TextColumn,
                TimeElapsedColumn,
                TimeRemainingColumn,
            )

            self._bar = Progress(
                TextColumn("Importing"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("passages"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("import", total=None)
        return self

    def update(self, done: int, total: int | None) -> None:
        """Show that `done` of `total` passages are stored."""
        if self._shown:
            self._bar.update(self._task, completed=done, total=total)

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._bar.stop()
