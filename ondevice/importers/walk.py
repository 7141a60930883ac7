"""Where files to import lie: folders and zip archives, to the bottom, whatever is wrong in them.

What cannot be looked into is noted and passed over, so that it costs nothing but itself.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ondevice.errors import ImportSourceError, ImportStoppedError, explain
from ondevice.importers import archive, mail
from ondevice.importers.document import ImportFile, on_disk

SUFFIXES = (".md", ".markdown", ".txt", ".text", ".jsonl", ".ndjson", ".json", ".mbox", ".mbx")
ARCHIVE = ".zip"
EMPTY = "it is empty"


@dataclass
class Place:
    """A folder, an archive, or a file that was named.

    Attributes:
        title: how errors call it.
        files: in a fixed order.
        maildirs: folders of mail, and how they are called.
        unread: name and reason of what is passed over.
        single: whether it is one file that was named, which is read whatever its suffix.
        nested: whether it is an archive that lay in a folder: nobody has named it.
        n_archives: how many such archives it has, which are places of their own.
    """

    title: str
    files: list[ImportFile] = field(default_factory=list)
    maildirs: list[tuple[Path, str]] = field(default_factory=list)
    unread: list[tuple[str, ImportSourceError]] = field(default_factory=list)
    single: bool = False
    nested: bool = False
    n_archives: int = 0

    @property
    def holds_more(self) -> bool:
        """Whether there is something beside the files."""
        return bool(self.maildirs or self.unread or self.n_archives)

    @property
    def size(self) -> int:
        """Bytes that will be read, or passed over."""
        files = sum(one.size for one in self.files if self.single or one.suffix in SUFFIXES)
        return files + sum(mail.size_of_maildir(path) for path, _ in self.maildirs)


def places(sources: Iterable[Path | ImportFile]) -> Iterator[Place]:
    """Yield what lies at each of `sources`; an `ImportFile` need not be on disk."""
    for source in sources:
        if isinstance(source, ImportFile):
            yield from _named(source)
            continue
        try:
            kind = source.stat().st_mode
        except OSError as error:
            why = f"There is no file or folder {source}; check the path."
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                why = f"{source} cannot be read: {explain(error)}."
            yield Place(str(source), unread=[(str(source), ImportSourceError(why))])
            continue
        if stat.S_ISDIR(kind):
            yield from _folder(source)
        elif stat.S_ISREG(kind):
            yield from _named(on_disk(source))
        else:
            why = f"{source} is neither a file nor a folder; give one of these."
            yield Place(str(source), unread=[(str(source), ImportSourceError(why))])


def _named(file: ImportFile) -> Iterator[Place]:
    if file.suffix == ARCHIVE:
        yield _archive(file)
    else:
        yield Place(str(file), [file], single=True)


def _archive(file: ImportFile, *, nested: bool = False) -> Place:
    place = Place(str(file), nested=nested)
    try:
        members = archive.members(file)
    except ImportStoppedError:
        raise
    except ImportSourceError as error:
        place.unread.append((file.name, error))
        return place
    for member in members:
        if member.suffix == ARCHIVE:
            why = f"{member} is an archive inside an archive; unpack the outer one first."
            place.unread.append((member.name, ImportSourceError(why)))
        elif member.size or member.suffix in SUFFIXES:
            place.files.append(member)
    return place


def _folder(path: Path) -> Iterator[Place]:
    place = Place(f"The folder {path}")
    archives: list[ImportFile] = []
    if _is_maildir(path):
        place.maildirs.append((path, path.name))
    else:
        _look(path, path, place, archives)
    _drop_unreadable_maildirs(place)
    place.n_archives = len(archives)
    yield place
    for file in archives:
        yield _archive(file, nested=True)


def _drop_unreadable_maildirs(place: Place) -> None:
    for folder, name in list(place.maildirs):
        try:
            mail.size_of_maildir(folder)
        except OSError as error:
            place.maildirs.remove((folder, name))
            why = f"The folder {folder} cannot be read: {explain(error)}."
            place.unread.append((name, ImportSourceError(why)))


def _look(folder: Path, top: Path, place: Place, archives: list[ImportFile]) -> None:
    """Add what lies in `folder` and below to `place`, and archives to `archives`."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        why = f"The folder {folder} cannot be read: {explain(error)}."
        place.unread.append((_name(folder, top), ImportSourceError(why)))
        return
    in_mail = _is_maildir(folder)  # the folders of Maildir++ begin with a dot
    for entry in entries:
        if entry.name.startswith(".") and not (in_mail and _is_maildir(entry)):
            continue
        try:
            is_folder = stat.S_ISDIR(entry.stat().st_mode)
        except (OSError, RuntimeError):  # a link that leads nowhere, or round in a circle
            is_folder = False
        if not is_folder:
            if not in_mail:
                _add(entry, top, place, archives)
        elif not entry.is_symlink():  # it may lead out of the folder, or round
            if _is_maildir(entry):
                place.maildirs.append((entry, _name(entry, top)))
            if not (in_mail and entry.name in ("cur", "new", "tmp")):
                _look(entry, top, place, archives)


def _add(entry: Path, top: Path, place: Place, archives: list[ImportFile]) -> None:
    """Add a file, or why it is none that can be read, if its name is that of such a file."""
    suffix = entry.suffix.lower()
    if suffix not in (*SUFFIXES, ARCHIVE):
        return
    name = _name(entry, top)
    why: str | None = None
    try:
        if _leads_out(entry, top):  # whoever drops a folder does not mean what lies elsewhere
            why = f"{entry} is a link that leads out of the folder; import what it leads to."
        elif not stat.S_ISREG(entry.stat().st_mode):
            why = f"{entry} is neither a file nor a folder."
    except FileNotFoundError:
        why = f"{entry} is a link that leads nowhere, or was deleted meanwhile."
    except (OSError, RuntimeError) as error:
        reason = explain(error) if isinstance(error, OSError) else "it leads round in a circle"
        why = f"{entry} cannot be read: {reason}."
    if why is not None:
        place.unread.append((name, ImportSourceError(why)))
    elif suffix == ARCHIVE:
        archives.append(on_disk(entry, name))
    else:
        place.files.append(on_disk(entry, name))


def _name(path: Path, top: Path) -> str:
    return path.relative_to(top).as_posix()


def _leads_out(entry: Path, top: Path) -> bool:
    return entry.is_symlink() and not entry.resolve().is_relative_to(top.resolve())


def _is_maildir(path: Path) -> bool:
    try:
        return mail.is_maildir(path)
    except OSError:  # looking into it will say why
        return False
