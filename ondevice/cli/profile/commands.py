"""`ondevice profile`: whose memory it is."""

from __future__ import annotations

import click

from ondevice.cli.completion.complete import complete_profiles
from ondevice.cli.output import confirm, json_option, print_json, print_table, talk, warn
from ondevice.cli.profile.copies import (
    backup_command,
    backups_command,
    export_command,
    import_command,
    new_passphrase,
    restore_command,
)
from ondevice.cli.profile.keys import lock_command, passphrase_command, unlock_command
from ondevice.cli.profile.rules import log_command, retention_command
from ondevice.cli.profile.show import show_command


@click.group("profile")
def command() -> None:
    """Create, choose, export, back up, lock and wipe profiles."""


for _part in (
    export_command,
    import_command,
    backup_command,
    restore_command,
    backups_command,
    passphrase_command,
    lock_command,
    unlock_command,
    retention_command,
    log_command,
    show_command,
):
    command.add_command(_part)


@command.command("create")
@click.argument("name")
@click.option("--passphrase", is_flag=True, help="Protect it with a passphrase, asked for now.")
@click.option("--use", "use_it", is_flag=True, help="Use it from now on.")
def create(name: str, passphrase: bool, use_it: bool) -> None:
    """Create a profile, encrypted on disk."""
    from ondevice.home import Home
    from ondevice.store.profile import Profile
    from ondevice.store.profiles import use_profile

    home = Home.default()
    secret = new_passphrase("New passphrase") if passphrase else None
    Profile.create(home, name, passphrase=secret, warn=warn).close()
    if use_it:
        use_profile(home, name)
    talk(f"Created the profile '{name}'" + (" and using it." if use_it else "."))


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the profiles; the one in use has a star."""
    from ondevice.home import Home
    from ondevice.store.access.keys import is_locked
    from ondevice.store.profiles import list_profiles, profile_in_use

    home = Home.default()
    names, used = list_profiles(home), profile_in_use(home)
    if as_json:
        print_json(
            [
                {
                    "name": name,
                    "in_use": name == used,
                    "locked": is_locked(home, name),
                    "path": str(home.profile(name)),
                }
                for name in names
            ]
        )
        return
    print_table(
        ["", "name", "", "path"],
        [
            (
                "*" if name == used else "",
                name,
                "locked" if is_locked(home, name) else "",
                home.profile(name),
            )
            for name in names
        ],
        "There is no profile yet; the first chat creates one.",
    )


@command.command("use")
@click.argument("name", shell_complete=complete_profiles)
def use(name: str) -> None:
    """Use a profile from now on."""
    from ondevice.home import Home
    from ondevice.store.profiles import use_profile

    use_profile(Home.default(), name)
    talk(f"Using the profile '{name}'.")


@command.command("path")
@click.argument("name", required=False, shell_complete=complete_profiles)
def path(name: str | None) -> None:
    """Print the folder of a profile."""
    from ondevice.home import Home
    from ondevice.store.profiles import check_name, exists, not_found, profile_in_use

    home = Home.default()
    if name is not None and not exists(home, check_name(name)):
        raise not_found(home, name)
    click.echo(home.profile(name or profile_in_use(home)))  # made at its first use


@command.command("wipe")
@click.argument("name", shell_complete=complete_profiles)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def wipe(name: str, yes: bool) -> None:
    """Destroy a profile: first its keys, then every file.

    Needs no passphrase: without the keys the data cannot be read by anybody.
    """
    from ondevice.home import Home
    from ondevice.store.profiles import wipe_profile

    confirm(f"Destroy the profile '{name}' and everything in it, for good?", yes=yes)
    wipe_profile(Home.default(), name)
    talk(f"The profile '{name}' is gone.")
