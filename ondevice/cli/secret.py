"""Asking for passphrases and recovery codes on a terminal, which shows none of them.

What is typed is not echoed from the first question until the terminal is given back, also while a
passphrase is being tried.  What was typed meanwhile is thrown away then: a passphrase that nobody
waited for would else be read, and shown, by the shell.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

from ondevice.cli.output import warn
from ondevice.store.access.passphrase import PatientAsk

PASTE_MARKS = (b"\x1b[200~", b"\x1b[201~")  # a terminal that was told so puts them around a paste


@contextlib.contextmanager
def asker(prompt: str = "Passphrase") -> Iterator[PatientAsk | None]:
    """Give what asks for a passphrase inside the block; None where nobody sits at a terminal."""
    if not sys.stdin.isatty():
        yield None
        return
    with _hidden(at_once=False) as read:
        yield PatientAsk(lambda again: read(f"{prompt}, again: " if again else f"{prompt}: "), warn)


@contextlib.contextmanager
def hidden() -> Iterator[None]:
    """Show nothing of what is typed inside the block, which asks for several passphrases."""
    with contextlib.ExitStack() as stack:
        if sys.stdin.isatty():
            stack.enter_context(_hidden(at_once=True))
        yield


if sys.platform == "win32":
    import getpass
    import msvcrt

    @contextlib.contextmanager
    def _hidden(*, at_once: bool) -> Iterator[Callable[[str], str]]:
        """Read from the console, which echoes nothing while nobody reads; leave nothing in it."""
        try:
            yield getpass.getpass
        finally:
            while msvcrt.kbhit():
                msvcrt.getwch()

else:
    import termios

    @contextlib.contextmanager
    def _hidden(*, at_once: bool) -> Iterator[Callable[[str], str]]:
        """Give what reads a line that is not shown; put the terminal back when the block ends.

        Args:
            at_once: hide what is typed before the first line is read, too.
        """
        terminal = sys.stdin.fileno()
        before: list[Any] | None = None

        def hide() -> None:
            nonlocal before
            before = before or termios.tcgetattr(terminal)
            # Each time: a shell that had stopped the program may have changed it.
            termios.tcsetattr(terminal, termios.TCSAFLUSH, _without_echo(before))

        def read(prompt: str) -> str:
            try:
                hide()
            except termios.error as error:
                raise click.UsageError(
                    "This terminal cannot hide what is typed; set ONDEVICE_PASSPHRASE_FILE instead."
                ) from error
            click.echo(prompt, nl=False, err=True)
            try:
                return _text(_line(terminal))
            finally:
                click.echo(err=True)

        try:
            if at_once:
                with contextlib.suppress(termios.error):
                    hide()
            yield read
        finally:
            if before is not None:
                with contextlib.suppress(termios.error):  # it was hung up
                    termios.tcsetattr(terminal, termios.TCSAFLUSH, before)

    def _without_echo(attributes: list[Any]) -> list[Any]:
        changed = list(attributes)
        changed[3] = (changed[3] & ~(termios.ECHO | termios.ECHONL)) | termios.ICANON | termios.ISIG
        return changed


def _line(terminal: int) -> bytes:
    """Read a line.

    Raises:
        click.Abort: the input ended (Ctrl-D).
    """
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(terminal, 4096)
        if not piece:
            raise click.Abort
        line += piece
    return line[:-1]


def _text(line: bytes) -> str:
    for mark in PASTE_MARKS:
        line = line.replace(mark, b"")
    try:
        return line.rstrip(b"\r").decode()
    except UnicodeDecodeError as error:
        raise click.UsageError(
            "What was typed is not UTF-8 text; check the terminal's encoding."
        ) from error
