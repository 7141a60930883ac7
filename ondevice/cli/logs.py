"""`ondevice logs`: what is logged."""

from __future__ import annotations

import click

from ondevice.cli.output import warn


@click.group("logs")
def command() -> None:
    """Say what is logged, and where."""


@command.command("path")
def path() -> None:
    """Say where logs are: there is no log file.

    A log could hold what you said. What was imported, learned and forgotten stands in the profile
    itself, encrypted and without text: `ondevice profile log`.
    """
    warn(
        "ondevice writes no log file. Errors go to standard error (ONDEVICE_DEBUG=1 adds where in "
        "the program); what was imported, learned and forgotten: `ondevice profile log`; a nightly "
        "run on Linux: "
        "journalctl --user -u 'ondevice-learn-*'."
    )
