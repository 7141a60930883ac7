"""Mail that the person wrote: mbox files and Maildir folders.

Only their own mails are read, and of these only what they wrote themselves:
quotes, the line that introduces them, signatures and attachments are left out.
"""

from __future__ import annotations

import email
import email.policy
import email.utils
import re
from collections.abc import Iterator
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path

from ondevice.errors import ImportSourceError
from ondevice.profile.importers.document import (
    OWN,
    ImportedChunk,
    ImportedDocument,
    Importer,
    ImportFile,
    ImportOptions,
    hash_of_text,
    on_disk,
)

MAX_MAIL_BYTES = 64 * 1024 * 1024
MAX_LINE = 1 << 20
_START = re.compile(rb"From \S.*\d{2}:\d{2}.*\d{4}|From \S+@\S+|From - ")
_SENT = re.compile(r"(?i)\b(sent|gesendet|enviad[oa]s?|envoyés?|inviat[ao]|verzonden|outbox)\b")
_SIGNATURE = re.compile(r"--\s*$")
_SENT_FROM = re.compile(
    r"(?i)(sent|gesendet|von meinem|enviado|envoyé|inviato|verzonden)\b.{0,20}"
    r"\b(my|meinem|mi|mon|dal mio|mijn|from|from my|iphone|ipad|android|outlook|samsung)\b.{0,40}$"
)
# "On Mon, Anna wrote:" and what it is in other languages; it may run over two lines.
_INTRODUCTION = re.compile(
    r"(?is)(on|am|le|el|il|op|em|den|w dniu)\b.{5,200}"
    r"\b(wrote|schrieb|a écrit|escribió|ha scritto|schreef|escreveu|skrev|napisał\(?a?\)?)\b"
    r".{0,80}:$"
)
_FORWARD = re.compile(
    r"(?i)-{3,}\s*(original message|ursprüngliche nachricht|mensaje original|message d'origine"
    r"|messaggio originale|oorspronkelijk bericht|forwarded message|weitergeleitete nachricht).*"
)
_HEADER_BLOCK = re.compile(r"(?i)\*?(from|von|de|da|van)\s?:\*?\s.+")
_HEADER_NEXT = re.compile(
    r"(?i)\*?(sent|date|gesendet|datum|enviado|fecha|envoyé|inviato|data|to|an)\s?:"
)


def _recognises(file: ImportFile, head: bytes) -> bool:
    return (
        file.suffix in (".mbox", ".mbx", "", ".txt")
        and _START.match(head) is not None
        and bool(re.search(rb"(?im)^(from|date|subject|message-id|received):", head))
    )


def is_maildir(path: Path) -> bool:
    """Whether a folder is a Maildir."""
    return (path / "cur").is_dir() and (path / "new").is_dir()


def maildir(path: Path, name: str, options: ImportOptions) -> Iterator[ImportedDocument]:
    """Yield a Maildir as one document.

    Raises:
        ImportSourceError: it cannot be read, or does not tell which address is the person's.
    """
    files = sorted(
        (file for part in ("cur", "new") for file in (path / part).iterdir() if file.is_file()),
        key=lambda file: file.name.split(":")[0],
    )
    yield ImportedDocument(
        name=f"Mail: {name}",
        sha256=hash_of_text(*((file.name.split(":")[0], file.stat().st_size) for file in files)),
        chunks=_own(_mails_of(files), str(path), name, options),
        key=f"maildir:{path.resolve()}",
    )


def _mails_of(files: list[Path]) -> Iterator[bytes]:
    for file in files:
        with on_disk(file).open() as opened:
            yield opened.read(MAX_MAIL_BYTES)


def documents(file: ImportFile, options: ImportOptions) -> Iterator[ImportedDocument]:
    """Yield an mbox file as one document.

    Raises:
        ImportSourceError: it cannot be read, or does not tell which address is the person's.
    """
    yield ImportedDocument(
        name=f"Mail: {file.name}",
        sha256=file.sha256(),
        chunks=_own(_mails_in(file), str(file), file.stem, options),
        key=file.identity,
    )


def _mails_in(file: ImportFile) -> Iterator[bytes]:
    """Part an mbox file at the lines that begin with "From " after an empty line."""
    mail: list[bytes] = []
    size, empty = 0, True
    with file.open() as opened:
        while line := opened.readline(MAX_LINE):
            if empty and _START.match(line):
                if mail:
                    yield b"".join(mail)
                mail, size = [], 0
            else:
                size += len(line)
                if size <= MAX_MAIL_BYTES:  # the rest is an attachment anyway
                    mail.append(re.sub(rb"^>(>*From )", rb"\1", line))
            empty = not line.strip()
    if mail:
        yield b"".join(mail)


def _own(
    mails: Iterator[bytes], place: str, name: str, options: ImportOptions
) -> Iterator[ImportedChunk]:
    sent_folder = bool(_SENT.search(name))
    seen: set[str] = set()
    for raw in mails:
        mail = email.message_from_bytes(raw, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        _, address = email.utils.parseaddr(_header(mail, "From"))
        told = options.me or sent_folder or _header(mail, "X-Gmail-Labels")
        if not told and options.must_know_me:
            raise ImportSourceError(
                f"{place} does not tell which mails are yours; say it with --as ADDRESS."
            )
        mine = (
            options.is_me(address)
            if options.me
            else sent_folder or bool(_SENT.search(_header(mail, "X-Gmail-Labels")))
        )
        identity = _header(mail, "Message-ID")
        if not mine:
            options.left_out["mails of others"] += 1
            options.senders[address] += 1
        elif identity and identity in seen:
            options.left_out["mails that are there twice"] += 1
        elif not (text := own_words(_body(mail))):
            options.left_out["mails without own text"] += 1
        else:
            yield ImportedChunk(text, OWN, _time(_header(mail, "Date")))
        seen.add(identity)


def _header(mail: EmailMessage, name: str) -> str:
    try:
        return str(mail.get(name, "")).strip()
    except (ValueError, IndexError, AttributeError, TypeError, KeyError):
        return ""  # malformed headers make the parser stumble


def _time(date: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _body(mail: EmailMessage) -> str:
    """Return the text of a mail: its plain part, or else its HTML without tags."""
    plain: list[str] = []
    html: list[str] = []
    for part in mail.walk():
        if part.is_multipart() or part.get_content_disposition() == "attachment":
            continue
        kind = part.get_content_type()
        if kind in ("text/plain", "text/html"):
            (plain if kind == "text/plain" else html).append(_decoded(part))
    return "\n\n".join(plain) if any(text.strip() for text in plain) else _plain("\n".join(html))


def _decoded(part: EmailMessage) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    for charset in (part.get_content_charset(), "utf-8", "cp1252"):
        try:
            return payload.decode(charset or "utf-8")
        except (LookupError, UnicodeDecodeError):
            continue  # the header lied
    return payload.decode("latin-1")


def own_words(text: str) -> str:
    """Return a mail's text without what others wrote, signature and introduction of quotes."""
    lines = [line.rstrip().replace("\xa0", " ") for line in text.splitlines()]
    kept: list[str] = []
    for number, line in enumerate(lines):
        if _SIGNATURE.fullmatch(line) or _FORWARD.match(line):
            break
        if _HEADER_BLOCK.fullmatch(line) and any(
            _HEADER_NEXT.match(later) for later in lines[number + 1 : number + 3]
        ):
            break  # Outlook quotes without marks
        if not line.startswith(">"):
            kept.append("" if re.fullmatch(r"_{10,}", line) else line)
            continue
        while kept and not kept[-1]:
            kept.pop()
        for length in (1, 2, 3):
            if _INTRODUCTION.fullmatch(" ".join(kept[-length:])):
                del kept[-length:]
                break
    while kept and (not kept[-1] or _SENT_FROM.match(kept[-1])):
        kept.pop()
    for length in (1, 2):  # the whole quote was cut off, its introduction was not
        if kept and _INTRODUCTION.fullmatch(" ".join(kept[-length:])):
            del kept[-length:]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


class _Text(HTMLParser):
    """Collects the text of HTML, without quotes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._skipped: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("style", "script", "head", "blockquote"):
            self._skipped.append(tag)
        elif tag in ("br", "p", "div", "li", "tr"):
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if self._skipped and tag == self._skipped[-1]:
            self._skipped.pop()
        elif tag in ("p", "div"):
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._skipped:
            self.parts.append(re.sub(r"\s+", " ", data))


def _plain(html: str) -> str:
    parser = _Text()
    parser.feed(html)
    parser.close()
    return "".join(parser.parts)


IMPORTER = Importer("mail", "mailbox", _recognises, documents, is_export=True)
