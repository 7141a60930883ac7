"""`ondevice profile passphrase | lock | unlock`: what opens a profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ondevice.cli.chat.session import open_profile, profile_option
from ondevice.cli.completion.complete import complete_profiles
from ondevice.cli.output import json_option, print_json, talk, warn
from ondevice.cli.paths import UserPath
from ondevice.cli.profile.copies import ask_passphrase, new_passphrase

if TYPE_CHECKING:
    from pathlib import Path

WAYS = {
    "passphrase": "a passphrase",
    "recovery": "a recovery code",
    "keyring": "the system's keyring",
    "file": "a key file in the config folder",
}


@click.command("passphrase")
@click.option("--new-file", metavar="FILE", type=UserPath(dir_okay=False),
              help="Take the new passphrase from this file, in scripts.")  # fmt: skip
@click.option("--remove", is_flag=True, help="Open without a passphrase.")
@click.option("--keyring/--no-keyring", default=None, help="Let the keyring open it, or no more.")
@click.option("--recovery-code", is_flag=True, help="Make a new recovery code and print it once.")
@click.option("--no-recovery-code", is_flag=True, help="Let no recovery code open it any more.")
@click.option("--show", is_flag=True, help="Only show what opens the profile.")
@profile_option
@json_option
def passphrase_command(
    new_file: Path | None,
    remove: bool,
    keyring: bool | None,
    recovery_code: bool,
    no_recovery_code: bool,
    show: bool,
    profile: str | None,
    as_json: bool,
) -> None:
    """Set or change the passphrase, or what else opens the profile.

    A recovery code is typed wherever the passphrase is asked for. Backups that
    were made before still open with what opened the profile then.
    """
    from ondevice.cli.secret import hidden
    from ondevice.store.access import key_changes
    from ondevice.store.access.passphrase import read

    if [remove, recovery_code, no_recovery_code, keyring is not None, show].count(True) > 1:
        raise click.UsageError("One change at a time, please.")
    code = None
    with hidden(), open_profile(profile) as store:
        if remove:
            key_changes.remove_passphrase(store, warn=warn)
        elif keyring is not None:
            key_changes.add_keyring(store, warn=warn) if keyring else key_changes.remove_keyring(
                store
            )
        elif recovery_code:
            code = key_changes.new_recovery_code(store)
        elif no_recovery_code:
            key_changes.remove_recovery_code(store)
        elif not show:
            if new_file:
                secret = read(new_file, str(new_file))
            elif "passphrase" in key_changes.ways_in(store.home, store.name):
                # That of ONDEVICE_PASSPHRASE_FILE is the old one.
                secret = ask_passphrase("New passphrase", "give it with --new-file FILE")
            else:
                secret = new_passphrase("New passphrase")
            key_changes.set_passphrase(store, secret)
        ways = key_changes.ways_in(store.home, store.name)
        name = store.name
    if as_json:
        print_json({"profile": name, "opened_by": ways, "recovery_code": code})
        return
    if code:
        talk("Write this code down; it is shown once and kept nowhere:")
        click.echo(code)
    talk(f"The profile '{name}' is opened by {', or by '.join(WAYS[way] for way in ways)}.")


@click.command("lock")
@click.argument("name", required=False, shell_complete=complete_profiles)
def lock_command(name: str | None) -> None:
    """Lock a profile: nothing reads it until it is unlocked.

    Programs that have it open lose it at once. Its keys in the keyring or in a
    key file are destroyed, so that only the passphrase or the recovery code opens it.
    """
    from ondevice.home import Home
    from ondevice.store.access import key_changes
    from ondevice.store.profiles import profile_in_use

    home = Home.default()
    name = name or profile_in_use(home)
    key_changes.lock(home, name, warn=warn)
    talk(f"The profile '{name}' is locked; `ondevice profile unlock {name}` opens it.")


@click.command("unlock")
@click.argument("name", required=False, shell_complete=complete_profiles)
def unlock_command(name: str | None) -> None:
    """Unlock a profile with its passphrase or recovery code."""
    from ondevice.cli.secret import asker
    from ondevice.home import Home
    from ondevice.store.access import key_changes
    from ondevice.store.profiles import profile_in_use

    home = Home.default()
    name = name or profile_in_use(home)
    with asker() as ask:
        key_changes.unlock(home, name, ask, warn=warn)
    talk(f"The profile '{name}' is unlocked.")
