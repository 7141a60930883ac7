"""`ondevice profile export | import | backup | restore | backups`: a profile as one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ondevice.cli.chat.session import open_profile, profile_option
from ondevice.cli.output import (
    confirm,
    counted,
    day,
    json_option,
    print_json,
    print_table,
    size,
    talk,
    warn,
)
from ondevice.cli.paths import UserPath

if TYPE_CHECKING:
    from ondevice.store.exchange.transfer import Transfer

_file = click.argument("file", type=UserPath())


def new_passphrase(prompt: str) -> str:
    """Return the passphrase of `ONDEVICE_PASSPHRASE_FILE`, or ask for a new one twice.

    Raises:
        click.UsageError: nobody is there to type it.
    """
    from ondevice.store.access import passphrase as phrases

    secret = phrases.from_file()
    if secret is not None:
        return secret
    return ask_passphrase(prompt, "set ONDEVICE_PASSPHRASE_FILE instead")


def ask_passphrase(prompt: str, otherwise: str) -> str:
    """Ask for a new passphrase twice; `otherwise` says what to do where nobody can be asked.

    Raises:
        click.UsageError: nobody is there to type it.
    """
    from ondevice.cli.secret import asker
    from ondevice.store.access import passphrase as phrases

    with asker(prompt) as ask:
        if ask is None:
            raise click.UsageError(f"Nobody is there to type a passphrase; {otherwise}.")
        return phrases.ask_new(ask)


@click.command("export")
@click.argument("file", required=False, type=UserPath())
@click.option("--readable", metavar="FOLDER", type=UserPath(),
              help="Write everything as JSON and Markdown instead, not encrypted.")  # fmt: skip
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@profile_option
@json_option
def export_command(
    file: Path | None, readable: Path | None, yes: bool, profile: str | None, as_json: bool
) -> None:
    """Write the profile to one encrypted FILE, opened elsewhere by a passphrase.

    It holds the memories, the settings of the profile and its adapters. The file
    is read again and checked before this says that it is done.
    """
    from ondevice.errors import ProfileExistsError
    from ondevice.store.exchange import readable as plain
    from ondevice.store.exchange import transfer

    if (file is None) == (readable is None):
        raise click.UsageError("Say where to: a FILE, or --readable FOLDER.")
    with open_profile(profile) as store:
        if readable is not None:
            talk(plain.WARNING)
            confirm("Write it all in clear?", yes=yes)
            files = plain.export_readable(store, readable)
            if as_json:
                print_json({"folder": str(readable), "files": [str(path) for path in files]})
            else:
                talk(f"Wrote {counted(len(files), 'file')} to {readable}.")
            return
        assert file is not None
        if file.exists():  # before somebody thinks of a passphrase
            raise ProfileExistsError(f"{file} exists already; choose another name.")
        done = transfer.export_profile(store, file, new_passphrase("New passphrase for the file"))
    _say(done, as_json, "Exported and verified")


@click.command("import")
@_file
@click.option("--name", metavar="NAME", help="Of the new profile [default: as it was].")
@json_option
def import_command(file: Path, name: str | None, as_json: bool) -> None:
    """Make a new profile of an exported FILE (or a backup).

    The passphrase of the file becomes that of the profile. Nothing is changed
    unless the whole file is sound.
    """
    from ondevice.cli.secret import asker
    from ondevice.home import Home
    from ondevice.store.exchange import transfer

    with asker() as ask:
        done = transfer.import_profile(Home.default(), file, name=name, ask_passphrase=ask)
    _say(done, as_json, f"Imported as the profile '{done.name}'")
    if not as_json:
        talk("It opens with the passphrase of the file.", dim=True)


@click.command("backup")
@_file
@profile_option
@json_option
def backup_command(file: Path, profile: str | None, as_json: bool) -> None:
    """Back the profile up to FILE, even while it is in use, and verify it.

    A backup is opened by what opens the profile now: its passphrase, its recovery
    code, its keyring, or its key file.
    """
    from ondevice.store.access import key_changes
    from ondevice.store.exchange import transfer

    with open_profile(profile) as store:
        done = transfer.backup_profile(store, file)
        ways = key_changes.ways_in(store.home, store.name)
    _say(done, as_json, "Backed up and verified")
    if not as_json and not {"passphrase", "recovery"} & set(ways):
        warn("Only this machine can open it: make a recovery code "
             "(ondevice profile passphrase --recovery-code) and back up again.")  # fmt: skip


@click.command("restore")
@_file
@click.option("--replace", is_flag=True, help="Destroy the profile that is there now.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
def restore_command(file: Path, replace: bool, yes: bool, as_json: bool) -> None:
    """Put a backup back in its place.

    What was forgotten since the backup was made is not brought back, as long as
    the present profile can still be read.
    """
    from ondevice.cli.secret import asker
    from ondevice.home import Home
    from ondevice.store.exchange import transfer

    if replace:
        confirm("Replace the present profile by this backup, for good?", yes=yes)
    with asker() as ask:
        done = transfer.restore_backup(
            Home.default(), file, replace=replace, ask_passphrase=ask, warn=warn
        )
    _say(done, as_json, f"Restored the profile '{done.name}'")
    if done.forgotten_again and not as_json:
        again = counted(done.forgotten_again, "record")
        talk(f"Forgotten since, and still: {again}.")


@click.command("backups")
@click.option("--drop", metavar="FILE", type=UserPath(),
              help="Do not list this one any more; the file stays.")  # fmt: skip
@profile_option
@json_option
def backups_command(drop: Path | None, profile: str | None, as_json: bool) -> None:
    """List the backups and exports that were made of the profile."""
    with open_profile(profile) as store:
        if drop is not None:
            known = store.copies.drop(str(drop.absolute()))
            talk(f"{drop} is no longer listed." if known else f"{drop} was not listed.")
            if not as_json:
                return
        copies = [(copy, Path(copy.path).exists()) for copy in store.copies.all()]
        if as_json:
            print_json([
                {"id": c.id, "kind": c.kind, "path": c.path, "time": c.time, "there": there}
                for c, there in copies
            ])  # fmt: skip
            return
        print_table(
            ["kind", "time", "path", ""],
            [(c.kind, day(c.time), c.path, "" if t else "not there now") for c, t in copies],
            "No backup or export was made yet; try: ondevice profile backup FILE",
        )


def _say(done: Transfer, as_json: bool, what: str) -> None:
    if as_json:
        print_json(done)
        return
    records, adapters = counted(done.records, "record"), counted(done.adapters, "adapter")
    talk(f"{what}: {records}, {adapters}, {size(done.n_bytes)}.")
