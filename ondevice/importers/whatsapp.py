"""WhatsApp's "Export chat": a text file, alone or in its zip, as phones write it in many places.

    31.12.23, 23:59 - Anna: Happy new year!
    [2023/12/31, 11:59:59 PM] Ben: You too

Whether 03/04 is in March or April is decided over the whole file: by a number
greater than 12, or by the order of the messages, which is that of time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from ondevice.errors import ImportSourceError
from ondevice.importers.document import (
    DATES_UNCLEAR,
    OWN,
    ImportedChunk,
    ImportedDocument,
    Importer,
    ImportFile,
    ImportOptions,
    join_bursts,
    lines_of,
    speaker_name,
)
from ondevice.remedies import Notice, Remedy

_MARKS = "\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff"  # of writing direction
_MORNING = ["am", "a.m.", "vorm.", "上午", "午前", "오전", "ص", "ق.م", "πμ", "de.", "öö"]
_EVENING = ["pm", "p.m.", "nachm.", "下午", "午後", "오후", "م", "ب.ظ", "μμ", "du.", "ös"]
_MARK_CHARACTERS = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
_BEGINNINGS = frozenset("[" + _MARK_CHARACTERS)
_EVENING_WORDS = frozenset(word.rstrip(".") for word in _EVENING)
_HALF = "|".join(
    re.escape(word).replace(r"\.", r"\.[ \u00a0\u202f]?") + r"\.?"
    for word in sorted([*_MORNING, *_EVENING], key=len, reverse=True)
)
_LINE = re.compile(
    rf"[{_MARKS}]*(?P<open>\[)?[{_MARKS}]*"
    r"(?P<a>\d{1,4})(?P<mark>\. ?|[/-]|년 )(?P<b>\d{1,2})(?:\. ?|[/-]|월 )(?P<c>\d{1,4})[.일]?"
    rf",?[ \u00a0\u202f]+(?:(?P<before>{_HALF})[ \u00a0\u202f]*)?"
    r"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2}))?"
    rf"(?:[ \u00a0\u202f]*(?P<after>{_HALF}))?"
    r"(?(open)\][ \u00a0]?|(?: ?[-–—] |, ))(?P<rest>.*)",
    re.IGNORECASE,
)
# What stands where a picture was, or a message that was taken back.
_PLACEHOLDER = re.compile(
    r"<[^<>]{3,60}>|null"
    r"|(?:image|video|audio|sticker|gif|document|contact card|media|bild|foto|imagen|vídeo|imagem"
    r"|figurinha|afbeelding|immagine|vidéo|autocollant|dokument|documento)\W{1,3}"
    r"(?:omitted|weggelassen|omitid[oa]|omis[ea]?|ocult[oa]|weggelaten|omess[oa]|absente?)"
    r"|.*\.\w{2,5} \([^()]{4,40}\)"
    r"|(?:you deleted this message|this message was deleted|du hast diese nachricht gelöscht"
    r"|diese nachricht wurde gelöscht|eliminaste este mensaje|se eliminó este mensaje"
    r"|este mensaje fue eliminado|vous avez supprimé ce message|ce message a été supprimé"
    r"|mensagem apagada|você apagou esta mensagem|hai eliminato questo messaggio"
    r"|questo messaggio è stato eliminato|dit bericht is verwijderd"
    r"|je hebt dit bericht verwijderd)\.?",
    re.IGNORECASE,
)
_EDITED = re.compile(r"<[^<>\n]{6,50}>")
_ANY_MARK = re.compile(rf"[{_MARKS}]")
_COPY = re.compile(r" \(\d+\)$")  # "_chat (1).txt": downloaded twice
_QUOTES = re.compile(r"[\"“”„«»]")
MAX_NAME = 80
MAX_MESSAGE = 1 << 20  # characters
MAX_PLACEHOLDER = 300


@dataclass
class _Outline:
    """What a first walk over the whole file found."""

    year_first: bool = False
    day_first: bool | None = None  # None: the file does not tell
    contradicts: int | None = None  # the line that fits neither order
    speakers: Counter[str] = field(default_factory=Counter)


def _recognises(file: ImportFile, head: bytes) -> bool:
    if file.suffix not in (".txt", ""):
        return False
    lines = head.decode("utf-8", "replace").splitlines()[:10]
    return any(_LINE.fullmatch(line) for line in lines if line.strip())


def documents(file: ImportFile, options: ImportOptions) -> Iterator[ImportedDocument]:
    """Yield the chat.

    Raises:
        ImportSourceError: it cannot be read, or does not tell the order of day and month, or who
            of those who write is the person.
    """
    version = file.sha256()
    outline = _outline(file)
    day_first = outline.day_first if options.day_first is None else options.day_first
    if outline.contradicts is not None and not outline.year_first:
        raise ImportSourceError(
            f"{file}, line {outline.contradicts}: here day and month are in another order than "
            "elsewhere in the file; import the parts as files of their own."
        )
    if day_first is None and not outline.year_first:
        options.need(
            str(file),
            Notice(
                f"{file} does not tell whether its dates are day/month or month/day.",
                Remedy.CHOOSE_DATES,
            ),
        )
        options.left_out[DATES_UNCLEAR] += 1
        day_first = True
    name = _name(file)
    others = _others(outline.speakers, name, options)
    if others is None:
        why = f"{file} does not tell who you are."
        options.need(str(file), Notice(why, Remedy.CHOOSE_PERSON(of_these="name")))
    messages = _messages(file, outline.year_first, bool(day_first), options)
    chunks = (
        ImportedChunk(text, None, time, speaker_name(sender))
        if others is None or sender in others
        else ImportedChunk(text, OWN, time)
        for sender, text, time in messages
    )
    generic = name in ("", "_chat")
    yield ImportedDocument(
        name=f"WhatsApp: {file.name if generic else name}",
        sha256=version,
        chunks=join_bursts(chunks),
        key=file.identity if generic else f"whatsapp:{name}",
    )


def _name(file: ImportFile) -> str:
    """Return the chat's name: the file's, or, of `_chat.txt` in an archive, the archive's."""
    stem = _COPY.sub("", file.stem)
    if stem == "_chat" and file.path.suffix.lower() == ".zip":
        stem = _COPY.sub("", file.path.stem)
    return stem


def _others(speakers: Counter[str], name: str, options: ImportOptions) -> set[str] | None:
    """Return the speakers that are not the person, None if it cannot be told."""
    if options.me:
        mine = {speaker for speaker in speakers if options.is_me(speaker)}
        if not mine and not options.must_know_me:
            return None
        return set(speakers) - mine if mine else None
    if len(speakers) == 2:  # "WhatsApp Chat with Ben.txt": the other one is the person
        named = {speaker for speaker in speakers if name.casefold().endswith(speaker.casefold())}
        if len(named) == 1:
            return named
    return None


def _outline(file: ImportFile) -> _Outline:
    """Walk over the whole file: decide the order of the dates and count who writes."""
    found = _Outline()
    firsts_above = seconds_above = years = others = 0
    inversions = {True: 0, False: 0}  # by day_first
    latest: dict[bool, tuple[int, ...]] = {}
    dotted = False
    for number, line in lines_of(file, check=True):
        match = _match(line)
        if match is None:
            continue
        a, b, c = map(int, match.group("a", "b", "c"))
        sender, _ = _sender(match["rest"])
        if sender is not None:
            found.speakers[sender] += 1
        if a > 31:
            years += 1
            continue
        others += 1
        if a > 12 and b > 12:
            continue  # a text that only looks like a date
        if a > 12 or b > 12:
            before = firsts_above, seconds_above
            firsts_above += a > 12
            seconds_above += b > 12
            if firsts_above and seconds_above and not all(before) and found.contradicts is None:
                found.contradicts = number
        dotted = dotted or match["mark"].startswith((".", "-"))
        for day_first, day in ((True, (c, b, a)), (False, (c, a, b))):
            inversions[day_first] += day < latest.get(day_first, day)
            latest[day_first] = day
    found.year_first = years > others  # a message may hold a piece of another chat
    if firsts_above or seconds_above:
        found.day_first = firsts_above > 0
    elif dotted:
        found.day_first = True  # nobody writes month.day.year
    elif inversions[True] != inversions[False]:
        found.day_first = inversions[True] < inversions[False]
    elif latest and latest[True] == latest[False]:
        found.day_first = True  # 5/5/24 is the same either way
    return found


def _messages(
    file: ImportFile, year_first: bool, day_first: bool, options: ImportOptions
) -> Iterator[tuple[str, str, float]]:
    """Yield (sender, text, time) of the messages that say something."""
    sender: str | None = None
    text: list[str] = []
    length, time = 0, 0.0
    for _, line in lines_of(file):
        match = _match(line)
        moment = _moment(match, year_first, day_first) if match is not None else None
        if match is None or moment is None:  # it goes on, or only looks like a date
            text.append(line)
            length += len(line)
            if length > MAX_MESSAGE:  # no messenger sends this, but it must not fill the memory
                if sender is not None and (said := _said(text, options)):
                    yield sender, said, time
                text, length = [], 0
            continue
        if sender is not None and (said := _said(text, options)):
            yield sender, said, time
        sender, first = _sender(match["rest"])
        if sender is None:
            options.left_out["system lines"] += 1
        text, length, time = [first], len(first), moment
    if sender is not None and (said := _said(text, options)):
        yield sender, said, time


def _match(line: str) -> re.Match[str] | None:
    """Return the parts of a line that begins a message; cheap for those that do not."""
    return _LINE.fullmatch(line) if line[:1] in _BEGINNINGS or line[:1].isdigit() else None


def _sender(rest: str) -> tuple[str | None, str]:
    """Part a line into who wrote it, None for the system's own lines, and the text."""
    name, colon, text = rest.partition(":")
    name = name.strip().strip("\u200e\u200f\u202a\u202c~\u00a0\u202f ")
    if not colon or not name or len(name) > MAX_NAME or _QUOTES.search(name):
        return None, rest
    if text[:1] not in (" ", ""):
        return None, rest  # "created group 10:30"
    if text.strip(" ").startswith("\u200e") and not _PLACEHOLDER.fullmatch(_clean(text)):
        return None, rest  # iOS marks what the system says in somebody's name
    return name, text


def _said(lines: list[str], options: ImportOptions) -> str:
    """Return the text of a message without placeholders, "" if there is none."""
    first = lines[0] if lines else ""
    if len(first) <= MAX_PLACEHOLDER and _PLACEHOLDER.fullmatch(_clean(first)):
        options.left_out["media and deleted messages"] += 1
        first = ""
    text = "\n".join([first, *lines[1:]]).strip()
    if text.endswith(">"):
        text = _without_mark(text)
    return text.strip("\u200e\u200f ")


def _without_mark(text: str) -> str:
    """Return a text without what its end says in angle brackets: "<This message was edited>"."""
    start = text.rfind("<")
    if start >= 0 and _EDITED.fullmatch(text, start):
        return text[:start].rstrip(f"{_MARK_CHARACTERS} \n")
    return text


def _clean(text: str) -> str:
    return text.strip() if text.isascii() else _ANY_MARK.sub("", text).strip()


def _moment(match: re.Match[str], year_first: bool, day_first: bool) -> float | None:
    """Return the local time of a line in seconds since 1970, None if there is no such day."""
    a, b, c = map(int, match.group("a", "b", "c"))
    if year_first:
        year, month, day = a, b, c
    else:
        year, (day, month) = c, (a, b) if day_first else (b, a)
    hour = int(match["hour"])
    if half := match["before"] or match["after"]:
        half = re.sub(r"[ \u00a0\u202f]", "", half.lower()).rstrip(".")
        hour = hour % 12 + 12 * (half in _EVENING_WORDS)
    try:
        moment = datetime(
            year + 2000 * (year < 100), month, day, hour, int(match["minute"]),
            int(match["second"] or 0),
        )  # fmt: skip
        return moment.timestamp()
    except (ValueError, OverflowError):
        return None


IMPORTER = Importer("whatsapp", "WhatsApp chat", _recognises, documents, is_export=True)
