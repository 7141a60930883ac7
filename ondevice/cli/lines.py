"""What a person types or pastes at the prompt of a chat: a pasted block is one message.

Terminals put marks around what is pasted, if they are told to (bracketed paste). GNU readline
reads the marks itself. Without readline they come with the lines. libedit and the console of
Windows know none: there, lines that come at once, after the prompt was shown, are taken as pasted.
"""

from __future__ import annotations

import contextlib
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

BEGIN, END = "\x1b[200~", "\x1b[201~"
AT_ONCE = 0.03  # seconds in which the next line of a paste is there; nobody types as fast
MORE = "… "
# What a terminal would obey, and no message has a need of; first whole sequences such as colours.
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Prompt:
    """Reads messages from a terminal, with line editing where there is some.

    The history is the person's own messages, in memory only, never a file.
    """

    def __init__(self, history: Iterable[str] = ()) -> None:
        """Offer the messages of `history`, the oldest first, when going back."""
        self._editing: Any = _editing() if sys.stdout.isatty() else None
        self._read = self._reader()
        if self._editing is not None:
            for text in history:
                self._editing.add_history(text)
        self._mark = self._length()

    def ask(self, prompt: str) -> str:
        """Return what is typed in a line, or pasted in several.

        Raises:
            EOFError: the input ended (Ctrl-D).
            KeyboardInterrupt: Ctrl-C; what came behind it is thrown away.
        """
        try:
            return clean(self._read(prompt))
        except KeyboardInterrupt:
            drain()  # of a paste with such a character the rest would be messages
            raise

    def remember_from_here(self) -> None:
        """Set a mark in the history for `forget_since_then`."""
        self._mark = self._length()

    def forget_since_then(self) -> None:
        """Take out of the history what was typed since the mark was set."""
        for position in range(self._length() - 1, self._mark - 1, -1):
            self._editing.remove_history_item(position)

    def _length(self) -> int:
        return 0 if self._editing is None else int(self._editing.get_current_history_length())

    def _reader(self) -> Callable[[str], str]:
        """Return what reads a line, or several that are pasted."""
        if self._editing is None:
            marked = sys.stdout.isatty() and sys.platform != "win32"
            return _with_marks if marked else _at_once
        if "libedit" in (self._editing.__doc__ or ""):
            return _at_once
        # Python turns it off, because `input` may return several lines then: here it may.
        self._editing.parse_and_bind("set enable-bracketed-paste on")
        self._editing.parse_and_bind(r'"\e\C-m": "\C-v\C-j"')  # Alt+Enter
        return input


def _editing() -> Any:
    """Return the module that gives `input` line editing and history; None without one."""
    try:
        import readline
    except ImportError:  # Windows, and some builds of Python
        return None
    return readline


def clean(text: str) -> str:
    """Return `text` with simple ends of lines, and without control characters but tabs."""
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _with_marks(prompt: str) -> str:
    """Read a line, and the others that stand between marks; the terminal is told to set them."""
    sys.stdout.write("\x1b[?2004h")
    sys.stdout.flush()
    try:
        text = input(prompt)
        with contextlib.suppress(EOFError):
            while text.rfind(BEGIN) > text.rfind(END):
                text += "\n" + input()
    finally:
        sys.stdout.write("\x1b[?2004l")
        sys.stdout.flush()
    return text.replace(BEGIN, "").replace(END, "")


def _at_once(prompt: str) -> str:
    """Read a line, and others that come at once; after these, Enter ends the message."""
    typed_ahead = _waiting(0)  # while an answer was given: each line is a message
    lines = [input(prompt)]
    if typed_ahead or not _waiting(AT_ONCE):
        return lines[0]
    with contextlib.suppress(EOFError):
        while lines[-1] or _waiting(AT_ONCE):
            lines.append(input(MORE))
    return "\n".join(lines).rstrip("\n")


def _waiting(seconds: float) -> bool:
    """Whether a line can be read within so many seconds."""
    if sys.platform == "win32":
        import msvcrt

        time.sleep(seconds)
        return msvcrt.kbhit()
    import select

    return bool(select.select([sys.stdin], [], [], seconds)[0])


def drain() -> None:
    """Throw away what was typed or pasted and not read yet."""
    if sys.platform == "win32":
        import msvcrt

        while msvcrt.kbhit():
            msvcrt.getwch()
        return
    import os

    with _raw(sys.stdin.fileno()) as terminal:
        end = time.monotonic() + 5  # somebody may be leaning on a key
        while _waiting(2 * AT_ONCE) and time.monotonic() < end and os.read(terminal, 1 << 16):
            pass


if sys.platform != "win32":
    import termios

    @contextlib.contextmanager
    def _raw(terminal: int) -> Iterator[int]:
        """Let a terminal give every character at once, show none and obey none."""
        before = termios.tcgetattr(terminal)
        bare = [*before]
        bare[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG)
        bare[6] = [*before[6]]
        bare[6][termios.VMIN], bare[6][termios.VTIME] = 1, 0
        termios.tcsetattr(terminal, termios.TCSANOW, bare)
        try:
            yield terminal
        finally:
            termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
