"""Mail that the person wrote: mbox files and Maildir folders.

Only their own mails are read, and of these only what they wrote themselves:
quotes, the line that introduces them, signatures and attachments are left out.
"""

from __future__ import annotations

import email
import email.errors
import email.header
import email.utils
import re
from collections.abc import Iterator, Mapping
from email.message import Message
from pathlib import Path

from ondevice.errors import ImportSourceError, explain
from ondevice.importers.document import (
    OWN,
    ImportedChunk,
    ImportedDocument,
    Importer,
    ImportFile,
    ImportOptions,
    hash_of_text,
    on_disk,
)
from ondevice.importers.html import text_of_html
from ondevice.remedies import Notice, Remedy

MAX_MAIL_BYTES = 8 << 20  # what a person writes stands before the attachments
MAX_LINE = 1 << 20
MAX_SENDERS = 10_000  # counted by name
MAX_HEADER = 2000  # characters of one that is looked at
MAX_NESTED = 100  # parts of one mail that hold others: the parser's work grows with the depth
_START = re.compile(rb"From \S.{0,200}\d{2}:\d{2}.{0,20}\d{4}|From \S{1,100}@\S|From - ")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_HEADER = re.compile(rb"(?im)^(from|message-id|date|x-gmail-labels)[ \t]*:[ \t]*(.*(?:\n[ \t].*)*)")
_HOLDS_OTHERS = re.compile(rb"(?i)content-type\s{0,3}:\s{0,3}(?:multipart|message)/")
_ESCAPED = re.compile(rb">+From ")
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
    files = _files_of_maildir(path)
    yield ImportedDocument(
        name=f"Mail: {name}",
        sha256=hash_of_text(*((file.name.split(":")[0], on_disk(file).size) for file in files)),
        chunks=_own(_mails_of(files, options), str(path), name, options),
        key=f"maildir:{path.resolve()}",
    )


def size_of_maildir(path: Path) -> int:
    """Return the bytes of all mails in a Maildir."""
    return sum(on_disk(file).size for file in _files_of_maildir(path))


def _files_of_maildir(path: Path) -> list[Path]:
    """Return the mails in the order of their names, which begin with the time of arrival."""
    return sorted(
        (
            file
            for part in ("cur", "new")
            for file in (path / part).iterdir()
            if file.is_file() and not file.is_symlink()
        ),
        key=lambda file: file.name.split(":")[0],
    )


def _mails_of(files: list[Path], options: ImportOptions) -> Iterator[bytes]:
    for file in map(on_disk, files):
        try:
            with file.open() as opened:
                mail = opened.read(MAX_MAIL_BYTES)
        except (OSError, ImportSourceError) as error:  # moved meanwhile by the program for mail
            why = (
                f"{file} cannot be read: {explain(error)}."
                if isinstance(error, OSError)
                else error.notice
            )
            options.skip(str(file), why)
        else:
            yield mail
        options.meter.passed(file.size)


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
            if empty and line.startswith(b"From ") and _START.match(line):
                if mail:
                    yield b"".join(mail)
                mail, size = [], 0
            else:
                size += len(line)
                if size <= MAX_MAIL_BYTES:  # the rest is an attachment anyway
                    mail.append(line[1:] if _ESCAPED.match(line) else line)
            empty = not line.strip()
    if mail:
        yield b"".join(mail)


def _own(
    mails: Iterator[bytes], place: str, name: str, options: ImportOptions
) -> Iterator[ImportedChunk]:
    sent_folder = bool(_SENT.search(name))
    seen: set[int] = set()  # hashes: of a large mailbox the identities would need much memory
    asked = False
    for number, raw in enumerate(mails, 1):
        headers = _headers(raw)
        labels = headers.get("x-gmail-labels", "")
        if not (options.me or sent_folder or labels) and not asked:
            asked = True
            why = f"{place} does not tell which mails are yours."
            options.need(place, Notice(why, Remedy.CHOOSE_PERSON(of_these="address")))
        sender = _address(headers.get("from", ""))
        mine = options.is_me(sender) if options.me else sent_folder or bool(_SENT.search(labels))
        if not mine:  # parsed no further
            options.left_out["mails of others"] += 1
            if sender in options.senders or len(options.senders) < MAX_SENDERS:
                options.senders[sender] += 1
            continue
        identity = hash(headers.get("message-id") or raw)
        if identity in seen:
            options.left_out["mails that are there twice"] += 1
            continue
        seen.add(identity)
        try:
            text = own_words(_body(_parsed(raw)))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            options.left_out["mails that are damaged"] += 1  # the library stumbles in many ways
            dated = f" (of {headers['date']})" if "date" in headers else ""
            options.skip(
                f"{place}, mail {number}", f"{place}, mail {number}{dated}: it is damaged."
            )
            continue
        if text:
            yield ImportedChunk(text, OWN, _time(headers.get("date", "")))
        else:
            options.left_out["mails without own text"] += 1


def _headers(raw: bytes) -> Mapping[str, str]:
    """Return the headers that say whose mail it is, by name in lower case."""
    end = _HEAD_END.search(raw)
    found: dict[str, str] = {}
    for name, value in _HEADER.findall(raw[: end.start() if end else len(raw)]):
        text = " ".join(value[:MAX_HEADER].decode("utf-8", "replace").split())
        found.setdefault(name.decode().lower(), _readable(text) if "=?" in text else text)
    return found


def _parsed(raw: bytes) -> Message:
    if len(_HOLDS_OTHERS.findall(raw)) > MAX_NESTED:
        raise ValueError("nested too deeply")
    return email.message_from_bytes(raw)


def _address(header: str) -> str:
    try:
        return email.utils.parseaddr(header)[1]
    except RecursionError:  # comments in comments in comments
        return ""


def _readable(header: str) -> str:
    """Return a header whose words are encoded (RFC 2047) as a reader sees it."""
    try:
        return str(email.header.make_header(email.header.decode_header(header)))
    except (ValueError, LookupError, email.errors.HeaderParseError):
        return header


def _time(date: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _body(mail: Message) -> str:
    """Return the text of a mail: its plain part, or else its HTML without tags."""
    plain: list[str] = []
    html: list[str] = []
    for part in mail.walk():
        if part.is_multipart() or part.get_content_disposition() == "attachment":
            continue
        kind = part.get_content_type()
        if kind in ("text/plain", "text/html"):
            (plain if kind == "text/plain" else html).append(_decoded(part))
    if any(text.strip() for text in plain):
        return "\n\n".join(plain)
    return text_of_html("\n".join(html))


def _decoded(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    for charset in (part.get_content_charset(), "utf-8", "cp1252"):
        try:
            return payload.decode(charset or "utf-8")
        except (LookupError, ValueError):
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


IMPORTER = Importer("mail", "mailbox", _recognises, documents, is_export=True)
