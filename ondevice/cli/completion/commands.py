"""`ondevice completion`: scripts for shells."""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish", "powershell")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the script that lets a shell complete commands.

    Add one line to the shell's start-up file. bash: eval "$(ondevice completion bash)", in
    ~/.bashrc. zsh: the same with zsh, in ~/.zshrc after compinit. fish: ondevice completion fish |
    source, in ~/.config/fish/config.fish. PowerShell: ondevice completion powershell | Out-String |
    Invoke-Expression, in $PROFILE.
    """
    from click.shell_completion import get_completion_class

    import ondevice.cli.completion.powershell  # noqa: F401 - registers the fourth shell
    from ondevice.cli import cli

    complete = get_completion_class(shell)
    assert complete is not None
    click.echo(complete(cli, {}, "ondevice", "_ONDEVICE_COMPLETE").source())
