"""`ondevice import`: notes and conversations into the profile."""

from __future__ import annotations

import click

from ondevice.cli._output import json_option, print_json, shows_progress, talk
from ondevice.cli._session import existing_paths, open_profile, profile_option, scope_option


@click.command("import")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@profile_option
@scope_option
@json_option
def command(paths: tuple[str, ...], profile: str | None, scope: str | None, as_json: bool) -> None:
    """Import notes and conversations.

    Text and Markdown files, folders of them, and JSONL with {"role", "content",
    "time"}. What is imported is retrieved when it fits a question; importing the
    same file again changes nothing.
    """
    from ondevice.profile.importers import read
    from ondevice.recall.embedder import Embedder
    from ondevice.recall.passages import ingest
    from ondevice.settings import RecallSettings

    with open_profile(profile) as store:
        with _Progress(shows_progress()) as progress:
            report = ingest(
                store,
                Embedder(),
                read(existing_paths(paths)),
                progress=progress.update,
                scope=scope,
                settings=RecallSettings(),
            )
        if as_json:
            print_json(report)
            return
        talk(
            f"Imported {report.passages} passages from {report.documents} files"
            + (f"; {report.unchanged} were there already" if report.unchanged else "")
            + "."
        )


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
