"""What the page is told while files are looked at and imported."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ondevice.server.routing import Answer


class Writer(Answer):
    """Somebody who writes in the files."""

    name: str
    pieces: int


class LeftOut(Answer):
    """A file, or a part of one, that could not be read, or how it was read."""

    file: str
    why: str
    asks: bool = Field(description="Whether the person can say what is missing.")


class Part(Answer):
    """What would be taken from one file, or one part of an archive."""

    file: str
    format: str
    documents: int
    own: int = Field(description="Pieces of the person's own words.")
    others: list[Writer]
    facts: int
    left_out: dict[str, int]
    dates_unclear: bool
    skipped: list[LeftOut] = Field(description="What cannot be read.")
    guessed: list[LeftOut] = Field(description="What is read in a way that the file does not tell.")
    first: float | None
    last: float | None


class FileSeen(Answer):
    """A file that was looked at."""

    stage: Literal["file"]
    file: str
    number: int
    parts: list[Part]
    problem: str | None
    asks_who: bool = Field(description="The problem goes when the person says who they are.")
    replaces: float | None = Field(description="When another file of its name was imported.")


class AllSeen(Answer):
    """The last event of looking: who the person may be."""

    stage: Literal["done"]
    files: int
    people: list[Writer]


class Importing(Answer):
    """How far an import is."""

    stage: Literal["importing"]
    file: str
    done: int
    files: int
    passages: int
    share: float


class Imported(Answer):
    """The last event of an import."""

    stage: Literal["done", "stopped"]
    files: int
    failed: list[LeftOut]
    guessed: list[LeftOut]
    left_out: dict[str, int]
    documents: int
    passages: int
    unchanged: int
    facts: int
