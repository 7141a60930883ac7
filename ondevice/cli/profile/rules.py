"""`ondevice profile retention | log`: how long what is kept, and what happened."""

from __future__ import annotations

import dataclasses

import click

from ondevice.cli.chat.session import open_profile, profile_option
from ondevice.cli.output import confirm, counted, day, json_option, print_json, print_table, talk

_DAYS = click.IntRange(0, 100_000)


@click.command("retention")
@click.option("--facts", "fact_days", type=_DAYS, metavar="DAYS", help="Keep facts so long.")
@click.option("--samples", "sample_days", type=_DAYS, metavar="DAYS", help="Imported texts.")
@click.option("--turns", "turn_days", type=_DAYS, metavar="DAYS", help="Conversations.")
@click.option("--feedback", "feedback_days", type=_DAYS, metavar="DAYS", help="Verdicts.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@profile_option
@json_option
def retention_command(yes: bool, profile: str | None, as_json: bool, **days: int | None) -> None:
    """Show or set how many days each kind of record is kept; 0 keeps it.

    What is older is forgotten for good whenever the profile is opened, and the
    files of adapters that learned it are shredded.
    """
    changes = {name: value for name, value in days.items() if value is not None}
    with open_profile(profile) as store:
        if any(changes.values()):
            records, feedback = store.retention.due(
                dataclasses.replace(store.retention.days(), **changes)
            )
            if due := [*records, *feedback]:
                gone_now = counted(len(due), "record")
                confirm(f"That forgets {gone_now} for good now. Go ahead?", yes=yes)
        if changes:
            store.retention.set(**changes)
            gone = store.purge_due()
            talk(f"Forgotten now: {counted(len(gone.records), 'record')}.")
        now = store.retention.days()
    if as_json:
        print_json(now)
        return
    rows = [
        (field.name.removesuffix("_days"), f"{value} days" if value else "until forgotten")
        for field in dataclasses.fields(now)
        if (value := getattr(now, field.name)) is not None
    ]
    print_table(["kind", "kept"], rows, "")


@click.command("log")
@click.option("-n", "limit", type=click.IntRange(1), help="Only so many, the newest.")
@profile_option
@json_option
def log_command(limit: int | None, profile: str | None, as_json: bool) -> None:
    """List what was imported, learned, forgotten and so on: numbers and ids, no texts."""
    with open_profile(profile) as store:
        events = store.journal.events(limit=limit)
        if as_json:
            print_json(events)
            return
        print_table(
            ["time", "what", "about"],
            [(day(e.time), e.kind, _about(e.about)) for e in events],
            "Nothing has happened yet.",
        )


def _about(about: dict[str, object]) -> str:
    parts = []
    for name, value in about.items():
        shown = counted(len(value), "record") if isinstance(value, list) else f"{name} {value}"
        parts.append(shown)
    return ", ".join(parts)
