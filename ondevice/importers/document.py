"""What importers yield, and how they read files without trusting them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Final

from ondevice.errors import ImportSourceError, explain
from ondevice.ground import text as _text
from ondevice.importers.meter import Meter
from ondevice.remedies import Notice, Remedy

BURST_SECONDS = 300
MAX_BURST = 2000  # characters
HEAD_BYTES = 64 * 1024  # read to recognise a format

OWN: Final = "user"  # the role of the person's own words
MAX_REMARKS = 1000  # named one by one
MORE_SKIPPED: Final = "more that cannot be read"
DATES_UNCLEAR: Final = Notice("chat whose dates can be read in two ways", Remedy.CHOOSE_DATES)


@dataclass(frozen=True)
class ImportedChunk:
    """A stretch of a note, or one message of a conversation.

    The person's own words have the role "user", or, in notes, neither role nor speaker. Those of
    others have a speaker or the role "assistant"; they are context and never learned from.
    """

    text: str
    role: str | None = None  # "user", "assistant", "system" or, of statements, "memory"
    time: float | None = None  # seconds since 1970
    speaker: str | None = None
    context: str | None = None  # the headings above it, such as "Garden › Roses"
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def voice(self) -> str | None:
        """Who speaks, as records say it: "user" is the person, None is whoever owns the note."""
        return self.speaker or self.role

    @property
    def is_own(self) -> bool:
        """Whether these are the person's own words."""
        return self.voice in (None, OWN)


@dataclass(frozen=True)
class Remark:
    """Something that a person should know about a file of theirs, or about a place in it.

    Attributes:
        file: the file, or the place in it.
        why: in one sentence, which may be a `Notice`.
        asks: whether it is read as soon as the person says what it does not tell.
    """

    file: str
    why: str
    asks: bool = False


@dataclass
class Damage:
    """Whether a document could be read to its end; known when its chunks were iterated.

    Attributes:
        why: the reason why it could not, None if it could.
    """

    why: str | None = None


@dataclass(frozen=True)
class ImportedDocument:
    """One note, chat, mailbox or conversation; its chunks can be iterated once.

    Attributes:
        name: what the person calls it.
        sha256: of the file or the content: another one is another version.
        chunks: read from the file as they are asked for.
        key: the same for every version of it; None if versions cannot be told to belong together.
        is_another: whether the file has another one of the same key before it, so that neither is
            a version of the other.
        damage: tells, where other files are read all the same, that its chunks end too early.
    """

    name: str
    sha256: str
    chunks: Iterable[ImportedChunk]
    key: str | None = None
    is_another: bool = False
    damage: Damage = field(default_factory=Damage, compare=False)


@dataclass
class ImportOptions:
    """What the person says about their files, and what the importers left out of them.

    Attributes:
        me: names, addresses or numbers under which the person writes.
        day_first: the order of day and month in chats that do not tell; None: not said.
        answers: take the answers of assistants too, as context.
        must_know_me: refuse chats in which it is not known who the person is.
        left_out: reason -> number of messages.
        skipped: files, and places in files, that could not be read while others were.
        guessed: files whose encoding was concluded from what they hold.
        senders: addresses of mails that may be the person's -> number of mails.
        meter: how far the reading has come.
    """

    me: tuple[str, ...] = ()
    day_first: bool | None = None
    answers: bool = False
    must_know_me: bool = True
    left_out: Counter[str] = field(default_factory=Counter)
    skipped: list[Remark] = field(default_factory=list)
    guessed: list[Remark] = field(default_factory=list)
    senders: Counter[str] = field(default_factory=Counter)
    meter: Meter = field(default_factory=Meter)

    def skip(self, file: str, why: str, *, asks: bool = False) -> None:
        """Note that `file`, or a place in it, is passed over; beyond many they are only counted."""
        if len(self.skipped) < MAX_REMARKS:
            self.skipped.append(Remark(file, why, asks))
        else:
            self.left_out[MORE_SKIPPED] += 1

    def need(self, file: str, why: str) -> None:
        """Refuse `file` until the person says more; a preview goes on and shows what is in it.

        Raises:
            ImportSourceError: it is no preview.
        """
        if self.must_know_me:
            raise ImportSourceError(why)
        self.skip(file, why, asks=True)

    def is_me(self, *names: str | None) -> bool:
        """Whether one of `names` is the person's, whatever the case."""
        mine = {name.casefold() for name in self.me}
        return any(name is not None and name.strip().casefold() in mine for name in names)


@dataclass(frozen=True)
class ImportFile:
    """A file to import: on disk, or inside an archive that is never unpacked to disk.

    Attributes:
        path: where it is, or how it is called; of an archive, the archive's path.
        name: how it is called in listings, such as "garden/roses.md".
        opener: opens it for reading bytes.
        identity: the same for every version of the file.
        size: bytes, unpacked.
        meter: told what is read of the file.
    """

    path: Path
    name: str
    opener: Callable[[], BinaryIO]
    identity: str
    size: int = 0
    meter: Meter | None = None

    def __str__(self) -> str:
        """Return how error messages call it."""
        return (
            str(self.path) if self.path.name == Path(self.name).name else f"{self.path}:{self.name}"
        )

    @property
    def stem(self) -> str:
        """The last part of the name without its suffix."""
        return Path(self.name).stem

    @property
    def suffix(self) -> str:
        """The suffix in lower case, with its dot."""
        return Path(self.name).suffix.lower()

    def open(self, *, check: bool = False) -> BinaryIO:
        """Open the file; `check` says that this is not the reading that imports it.

        Raises:
            ImportSourceError: it cannot be read.
        """
        try:
            file = self.opener()
        except OSError as error:
            raise ImportSourceError(f"{self} cannot be read: {explain(error)}.") from error
        return file if self.meter is None else self.meter.watch(file, self.size, check=check)

    def head(self) -> bytes:
        """Return the first bytes.

        Raises:
            ImportSourceError: it cannot be read.
        """
        with replace(self, meter=None).open() as file:
            try:
                return file.read(HEAD_BYTES)
            except OSError as error:
                raise ImportSourceError(f"{self} cannot be read: {explain(error)}.") from error

    def sha256(self) -> str:
        """Return the SHA-256 of the content, in hexadecimal digits.

        Raises:
            ImportSourceError: it cannot be read or is empty.
        """
        digest = hashlib.sha256()
        empty = True
        with self.open(check=True) as file:
            try:
                while block := file.read(1 << 20):
                    digest.update(block)
                    empty = False
            except OSError as error:
                raise ImportSourceError(f"{self} cannot be read: {explain(error)}.") from error
        if empty:
            raise ImportSourceError(f"{self} is empty; choose another file.")
        return digest.hexdigest()


@dataclass(frozen=True)
class Importer:
    """One format.

    Attributes:
        name: in one word, such as "chatgpt".
        title: what people call it.
        recognises: whether a file, of which the first bytes are given, has this format.
        documents: yields what is in it; raises `ImportSourceError`.
        is_export: written by a program; what lies beside it, such as attachments, is no note.
    """

    name: str
    title: str
    recognises: Callable[[ImportFile, bytes], bool]
    documents: Callable[[ImportFile, ImportOptions], Iterator[ImportedDocument]]
    is_export: bool = False


def on_disk(path: Path, name: str | None = None) -> ImportFile:
    """Return the file at `path`."""
    try:
        size = path.stat().st_size
    except OSError:
        size = 0  # opening it will say why
    identity = f"file:{path.resolve()}"
    return ImportFile(path, name or path.name, lambda: path.open("rb"), identity, size)


def hash_of_text(*parts: object) -> str:
    """Return the SHA-256 of `parts`, in hexadecimal digits."""
    return hashlib.sha256("\0".join(map(repr, parts)).encode("utf-8", "replace")).hexdigest()


def speaker_name(name: Any) -> str:
    """Return the name of somebody else, which is never the word that stands for the person."""
    text = " ".join(str(name).split()) if isinstance(name, str) else ""
    if text.casefold() in (OWN, "assistant", "system", "memory"):
        return f"“{text}”"
    return text or "somebody"


def join_bursts(messages: Iterable[ImportedChunk]) -> Iterator[ImportedChunk]:
    """Put together what one person sent in a row, as people write in messengers."""
    held: list[ImportedChunk] = []
    length = 0
    for message in messages:
        last = held[-1] if held else None
        together = (
            last is not None
            and message.voice == last.voice
            and length + len(message.text) <= MAX_BURST
            and message.time is not None
            and last.time is not None
            and 0 <= message.time - last.time <= BURST_SECONDS
        )
        if held and not together:
            yield _joined(held)
            held, length = [], 0
        held.append(message)
        length += len(message.text) + 1
    if held:
        yield _joined(held)


def _joined(messages: list[ImportedChunk]) -> ImportedChunk:
    if len(messages) == 1:
        return messages[0]
    return replace(messages[0], text="\n".join(message.text for message in messages))


def lines_of(
    source: ImportFile,
    *,
    check: bool = False,
    bad: Callable[[int, ImportSourceError], None] | None = None,
) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text, without its end, of each line.

    Args:
        source: the file.
        check: whether this is not the reading that imports it.
        bad: called with the number of a line that is no text, which is passed over, and why.

    Raises:
        ImportSourceError: the file cannot be read or is not UTF-8 text.
    """
    with source.open(check=check) as file:
        yield from _text.lines_of(file, str(source), bad)
