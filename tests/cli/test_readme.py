"""Every command in the documents is one that the program takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from ondevice.cli import cli

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))
PROGRAM = re.compile(r"(?:\.venv/bin/)?ondevice$")


def commands(document):
    """Yield the arguments of each call of the program in the document's shell blocks."""
    for block in re.findall(r"(?ms)^```sh\n(.*?)^```", document.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            try:
                words = shlex.split(line, comments=True)
            except ValueError:
                continue  # a here-document or the like
            starts = [n for n, word in enumerate(words) if PROGRAM.match(word)]
            for start in starts:
                if start == 0 or words[start - 1] in ("&&", "||", ";"):
                    rest = words[start + 1 :]
                    ends = [n for n, word in enumerate(rest) if word in ("&&", "||", ";", "|")]
                    yield tuple(rest[: ends[0]] if ends else rest)


CALLS = sorted({call for path in (ROOT / "README.md", *DOCUMENTS) for call in commands(path)})


def test_the_documents_have_commands():
    assert len(CALLS) > 15
    assert any(call[0] == "import" and "--as" in call for call in CALLS)


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_command_is_understood(call, home):
    context, command = cli.make_context("ondevice", list(call)), cli
    while isinstance(command, click.Group):
        # click has no public name for what a group leaves to its command.
        rest = [*context._protected_args, *context.args]
        if not rest:
            break
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)  # raises on what is unknown
