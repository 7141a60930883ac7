"""`ondevice source`: where memories came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ondevice.cli.chat.session import open_profile, profile_option
from ondevice.cli.memory.forget import forget_command
from ondevice.cli.output import day, json_option, print_json, print_table, say

if TYPE_CHECKING:
    from ondevice.store.records import Record

SHOWN = 20  # records of a source, unless all are wanted


@click.group("source")
def command() -> None:
    """See and forget imports and conversations."""


@command.command("list")
@click.option("--kind", type=click.Choice(["import", "conversation", "manual"]),
              help="[default: all]")  # fmt: skip
@profile_option
@json_option
def list_(kind: str | None, profile: str | None, as_json: bool) -> None:
    """List imports and conversations, oldest first."""
    with open_profile(profile) as store:
        sizes = store.sources.sizes()
        sources = [(source, sizes.get(source.id, 0)) for source in store.sources.all(kind)]
        if as_json:
            print_json([_plain(source, count) for source, count in sources])
            return
        print_table(
            ["id", "kind", "time", "records", "name"],
            [(s.id, s.kind, day(s.time), count, s.name) for s, count in sources],
            "There is no import and no conversation yet; try: ondevice import FOLDER",
        )


@command.command("show")
@click.argument("source_id", metavar="ID|NAME")
@click.option("--all", "everything", is_flag=True, help=f"All records, not the first {SHOWN}.")
@profile_option
@json_option
def show(source_id: str, everything: bool, profile: str | None, as_json: bool) -> None:
    """Show a source and what came from it; the start of an id is enough."""
    with open_profile(profile) as store:
        named = [source for source in store.sources.all() if source.name == source_id]
        source = named[-1] if named else store.sources.get(source_id)
        count = store.sources.sizes().get(source.id, 0)
        records = store.sources.members(source.id, None if everything or as_json else SHOWN)
        if as_json:
            print_json({**_plain(source, count), "members": records})
            return
        for name, value in _plain(source, count).items():
            if value not in (None, ""):
                say(f"{name:>10}  {day(value) if name == 'time' else value}")
        print_table(["id", "time", "text"], [_row(r) for r in records], "")
        if count > len(records):
            click.echo(f"… and {count - len(records)} more; --all shows them.", err=True)


@command.command("forget")
@click.argument("source_id", metavar="ID|NAME")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@profile_option
@json_option
def forget(source_id: str, yes: bool, profile: str | None, as_json: bool) -> Any:
    """Forget a source and everything that came from it, for good."""
    assert forget_command.callback is not None
    return forget_command.callback(
        record_ids=(),
        source=source_id,
        matching=None,
        since=None,
        yes=yes,
        keep_turns=False,
        keep_stale=False,
        retrain=False,
        certificate_path=None,
        openings=None,
        profile=profile,
        as_json=as_json,
    )


def _row(record: Record) -> tuple[str, str, str]:
    """Return a record as a line of a table; a former wording is marked as one."""
    former = getattr(record, "replaced_by", None) is not None
    return (
        record.id,
        day(record.time),
        f"(a former wording) {record.text}" if former else record.text,
    )


def _plain(source: Any, count: int) -> dict[str, Any]:
    import dataclasses

    return {**dataclasses.asdict(source), "records": count}
