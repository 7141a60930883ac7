"""The files that a browser sent, until they are imported or let go."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path, PurePosixPath

from ondevice.errors import ImportSourceError
from ondevice.importers import ImportFile
from ondevice.server.errors import BadRequestError
from ondevice.server.manage.spool import Spool

MOST_BYTES = 4 << 30  # of all files that wait
MOST_FILES = 20_000


@dataclasses.dataclass
class Uploaded:
    """A file that was sent.

    Attributes:
        name: as the browser gave it, perhaps with folders.
        spool: its content.
        people: who writes in it, as far as it was looked at.
        n_read: bytes that were read to look through it; importing reads as many.
    """

    name: str
    spool: Spool
    people: Counter[str] = dataclasses.field(default_factory=Counter)
    n_read: int = 0

    def file(self, *, replace: bool = True) -> ImportFile:
        """Return it for importers; with `replace` it takes the place of one of the same name."""
        identity = f"upload:{self.name}" + ("" if replace else f":{self.spool.sha256()}")
        return ImportFile(Path(self.name), self.name, self.spool.open, identity, self.spool.size)


class Uploads:
    """The files that wait for being imported."""

    def __init__(self) -> None:
        """Begin without a file."""
        self.all: list[Uploaded] = []

    def add(self, upload: Uploaded) -> None:
        """Keep a file; one of the same name, sent before, goes."""
        for old in [one for one in self.all if one.name == upload.name]:
            self.all.remove(old)
            old.spool.close()
        self.all.append(upload)

    def room(self) -> int:
        """Return how many bytes may still come.

        Raises:
            ImportSourceError: there are too many files already.
        """
        if len(self.all) >= MOST_FILES:
            raise ImportSourceError(
                f"More than {MOST_FILES} files at once are too many; import these first."
            )
        return MOST_BYTES - sum(upload.spool.size for upload in self.all)

    def clear(self) -> None:
        """Let all files go."""
        for upload in self.all:
            upload.spool.close()
        self.all = []


def file_name(given: str) -> str:
    """Return the name of a file that was sent, perhaps with the folders that it lay in.

    Raises:
        BadRequestError: it is none.
    """
    parts = PurePosixPath(given.replace("\\", "/")).parts
    kept = [part.strip() for part in parts if part.strip(" ./")]
    name = "/".join(kept)
    if not kept or kept[-1].startswith(".") or not name.isprintable() or len(name.encode()) > 1000:
        raise BadRequestError("That cannot be the name of a file.")
    return name
