"""The lines of `config.toml`: what each of them says, also where some of them say nothing.

A file that is TOML is read as such. In one that is not, each line is read by itself, so that a
mistake in one costs no other.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

_HEADER = re.compile(r"\s*\[\s*(\w+)\s*\]\s*(#.*)?")
LEFT_OUT = "# left out: "  # begins a line that meant nothing, once the file was mended


@dataclass(frozen=True)
class Problem:
    """What is wrong with a settings file.

    Attributes:
        line: where, counted from 1; None if it cannot be said.
        message: what it is and what to do, without the file's name.
        retired: the setting meant something once; nothing is lost by not reading it.
    """

    line: int | None
    message: str
    retired: bool = False


@dataclass
class Parsed:
    """The tables of a settings file, and what could not be read of it."""

    tables: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def lines_of(content: bytes) -> list[str]:
    """Return the lines of a file; bytes that are no text become U+FFFD."""
    return _split(content.decode("utf-8-sig", "replace"))


def _split(text: str) -> list[str]:
    """Return the lines of `text` as TOML has them: others end lines at more characters."""
    lines = text.replace("\r\n", "\n").split("\n")
    return lines[:-1] if not lines[-1] else lines


def parse(content: bytes) -> Parsed:
    """Return what the file with this `content` says."""
    try:
        return Parsed(tomllib.loads(content.decode("utf-8-sig")))
    except (ValueError, RecursionError):  # no TOML, no text, or a number of thousands of digits
        return _line_by_line(lines_of(content))


def _line_by_line(lines: Sequence[str]) -> Parsed:
    """Read each line by itself; of two that say the same the first one counts."""
    parsed = Parsed()
    table: dict[str, Any] | None = parsed.tables  # None: in a table that is left out
    for number, line in enumerate(lines, 1):
        header = _HEADER.fullmatch(line)
        try:
            said = tomllib.loads(line) if "\ufffd" not in line else None
        except (ValueError, RecursionError):
            said = None
        if line.lstrip().startswith("["):
            twice = header is not None and header[1] in parsed.tables
            if header is None or twice or said is None:
                table, what = None, "stands there twice" if twice else "is not TOML"
                parsed.problems.append(
                    Problem(number, f"the table {what}, so its settings are left out")
                )
            else:
                table = parsed.tables[header[1]] = {}
        elif said is None:
            parsed.problems.append(Problem(number, "it is not TOML"))
        elif table is not None and said:
            _add(table, said, number, parsed.problems)
    if not parsed.problems:  # each line is good, and the whole is not
        parsed.problems.append(Problem(None, "it is not TOML"))
    return parsed


def _add(table: dict[str, Any], said: dict[str, Any], number: int, found: list[Problem]) -> None:
    for key, value in said.items():
        if key in table:
            found.append(Problem(number, f"'{key}' stands there twice"))
        else:
            table[key] = value


def line_of(lines: Sequence[str], table: str, key: str | None = None) -> int | None:
    """Return the number of the line that sets `key` of `table`, or of the table's own line.

    A `table` of "" means what stands before all tables. None: there is no such line.
    """
    begin = _begin(lines, table)
    if begin is None or key is None:
        return begin
    for number in range(begin + 1, _end(lines, begin) + 1):
        if re.match(rf"\s*([\"']?){re.escape(key)}\1\s*[=.]", lines[number - 1]):
            return number
    return None


def _begin(lines: Sequence[str], table: str) -> int | None:
    if not table:
        return 0
    header = re.compile(rf"\s*\[\[?\s*([\"']?){re.escape(table)}\1\s*[\].]")
    return next((n for n, line in enumerate(lines, 1) if header.match(line)), None)


def _end(lines: Sequence[str], begin: int) -> int:
    """Return the number of the last line of the table whose own line is `begin`."""
    rest = range(begin + 1, len(lines) + 1)
    return next((n for n in rest if lines[n - 1].lstrip().startswith("[")), len(lines) + 1) - 1


def mended(lines: Sequence[str], numbers: Sequence[int]) -> list[str]:
    """Return the lines with those of these `numbers`, and of their tables, made comments."""
    out = set[int]()
    for number in numbers:
        is_table = lines[number - 1].lstrip().startswith("[")
        out.update(range(number, (_end(lines, number) if is_table else number) + 1))
    return [
        f"{LEFT_OUT}{line}" if n in out and line.strip() and not _is_comment(line) else line
        for n, line in enumerate(lines, 1)
    ]


def with_value(text: str, table: str, key: str, literal: str | None) -> str:
    """Return the TOML `text` with `key` of `table` set to `literal`, or without it if None."""
    lines = _split(text)
    header = re.compile(rf"\s*\[\s*{table}\s*\]\s*(#.*)?")
    begin = next((n for n, line in enumerate(lines, 1) if header.fullmatch(line)), None)
    if begin is None:
        if literal is None:
            return text
        lines += [*([""] if lines else []), f"[{table}]"]
        begin = len(lines)
    at = line_of(lines, table, key)
    new = [] if literal is None else [f"{key} = {literal}"]
    if at is not None:
        comment = re.search(r"\s+#[^\"']*$", lines[at - 1])
        if new and comment:
            new[0] += comment[0]
        lines[at - 1 : at] = new
    else:
        lines[begin:begin] = new
    return "\n".join(lines) + "\n"


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")
