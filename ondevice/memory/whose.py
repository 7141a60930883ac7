"""Whose words a text holds, and whom a question is about, by the small words of a few languages.

A small model that reads `Ben wrote: "My dog is called Rex"` answers "What is my dog called?" with
Rex, however the note is worded (`benchmarks/whose_words.py`). So what somebody says of themselves
stands beside a question about somebody else only if it may be about that person, too.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ondevice.memory.third_person import third_person

if TYPE_CHECKING:
    from ondevice.memory.search import Hit

OWN = "user"  # the speaker of the person's own words
ASSISTANT = "assistant"
_NOBODY = frozenset({None, OWN, "system"})  # notes have no speaker: they are the person's

# Pronouns of English, German, Spanish, French, Italian, Portuguese and Dutch. What is another word
# elsewhere ("os", "ihr", "mes") is left out. Where pronouns are dropped, the commonest verbs.
_I = frozenset(
    """i me my mine myself im ich mich mir mein meine meinem meinen meiner meines yo mi mis mí mío
    mía conmigo soy estoy tengo je j moi mon io mio mia miei mie eu meu minha meus minhas mim sou
    estou tenho ik mij mijn""".split()  # noqa: SIM905
)
_WE = frozenset(
    """we us our ours ourselves wir uns unser unsere unserem unseren unserer nosotros nosotras
    nuestro nuestra nuestros nuestras somos tenemos nous notre noi nostro nostra nós nosso nossa
    wij ons onze""".split()  # noqa: SIM905
)
_YOU = frozenset(
    """you your yours yourself u ur du dich dir dein deine deinem deinen deiner euch euer eure tú tu
    tus ti te contigo vosotros usted ustedes toi ton tes vous votre vos tuo tua tuoi tue voi você
    vocês teu jij je jou jouw jullie""".split()  # noqa: SIM905
)
# French elides ("j'habite"), English contracts ("I'm"): the part before the apostrophe counts.
_WORD = re.compile(r"[^\W\d_]+")


# A line of a chat that was pasted into a note: "[31.12.23, 10:05] Ben: Hello", or without the time.
_SAID = re.compile(
    r"\W{0,3}(?P<stamp>\d[\d./:, -]{3,22}(?:\s?[ap]\.?m\.?)?[\])]?\s?[-–]?\s?)?"
    r"(?P<name>[^\W\d_][\w'’.-]{0,30}(?: [^\W\d_][\w'’.-]{0,30}){0,2}):\s+(?P<text>\S.*)"
)
_QUOTED = re.compile(r"\s*>+\s?(?P<text>.*)")
_MYSELF = frozenset(("me", "i", "ich", "yo", "moi", "io", "eu", "ik", OWN))
SOMEBODY = "somebody"
# So do transcripts of a program's name those who speak in them.
_PROGRAM = re.compile(
    r"\W{0,3}(?:assistant|ai|bot|system|model|chatgpt|gpt|claude|gemini|copilot)\W{0,3}:",
    re.IGNORECASE,
)
MAX_NAME = 60  # characters that a note shows of a name


@dataclass(frozen=True)
class Voice:
    """What one person says in a text; the speaker None is whoever owns the text.

    Attributes:
        text: without the name or the marks that stand before it.
        raw: as it stands in the text.
    """

    speaker: str | None
    text: str
    raw: str


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case; an apostrophe parts them."""
    return _WORD.findall(text.casefold())


def speaks_of_me(text: str) -> bool:
    """Whether one of the small words for whoever says it stands in a text ("I", "mein")."""
    return not _I.isdisjoint(words_of(text))


def speaks_of_us(text: str) -> bool:
    """Whether one of the small words for them and others stands in a text ("our", "nous")."""
    return not _WE.isdisjoint(words_of(text))


def speaks_to_you(text: str) -> bool:
    """Whether one of the small words for whom it is said to stands in a text ("your", "tu")."""
    return not _YOU.isdisjoint(words_of(text))


def voices(memory: Hit) -> list[Voice]:
    """Return who says what in a memory, in its order.

    In the person's own texts the lines of a chat that was pasted, and quoted ones ("> …"), are
    somebody else's.
    """
    text = memory.text
    if memory.kind == "passage" and memory.speaker not in _NOBODY:
        return [Voice(memory.speaker, text, text)]
    found: list[Voice] = []
    for voice in _line_by_line(text):
        speaker, plain, line = voice.speaker, voice.text, voice.raw
        if found and found[-1].speaker == speaker:
            before = found.pop()
            plain, line = f"{before.text}\n{plain}", f"{before.raw}\n{line}"
        found.append(Voice(speaker, plain, line))
    return found


def own_lines(text: str) -> list[str]:
    """Return the lines of a text of the person's that nobody else says, without their name.

    A line such as "assistant: …" is a program's, also where it stands alone, and so is what
    follows until the next paragraph.
    """
    own: list[str] = []
    program = False
    for voice in _line_by_line(text):
        program = bool(_PROGRAM.match(voice.raw)) or (
            program and bool(voice.raw.strip()) and _SAID.fullmatch(voice.raw) is None
        )
        if voice.speaker is None and not program:
            said = _SAID.fullmatch(voice.raw)
            mine = said is not None and said["name"].casefold() in _MYSELF
            own.append(said["text"] if said is not None and mine else voice.text)
    return own


def is_transcript(text: str) -> bool:
    """Whether a text holds what a program said, behind its name."""
    return any(_PROGRAM.match(line) for line in text.splitlines())


def _line_by_line(text: str) -> Iterator[Voice]:
    """Yield each line as somebody's; in a chat it goes on with whoever has spoken last."""
    chat = _is_chat(text)
    last: str | None = None
    for line in text.splitlines():
        said, quoted = _SAID.fullmatch(line) if chat else None, _QUOTED.fullmatch(line)
        speaker, plain = last if chat else None, line
        if said is not None:
            speaker, plain = said["name"], said["text"]
            speaker = None if speaker.casefold() in _MYSELF else speaker
        elif quoted is not None:
            speaker, plain = SOMEBODY, quoted["text"]
        last = speaker
        yield Voice(speaker, plain, line)


def _is_chat(text: str) -> bool:
    """Whether a text is several people's: lines with a time, or a name that comes again.

    A list such as "Goal: …" and "Health: …" is one person's.
    """
    said = [match for match in map(_SAID.fullmatch, text.splitlines()) if match is not None]
    names = [match["name"] for match in said]
    back = any(name in names[:i] and names[i - 1] != name for i, name in enumerate(names))
    return back or sum(match["stamp"] is not None for match in said) > 1


def belonging(question: str, memories: Sequence[Hit]) -> list[Hit]:
    """Return those of `memories`, or of what they say, that may be about whom `question` is about.

    Left out of a question about the person ("my dog") is what somebody else says of themselves,
    unless the question names them or they speak to the person ("you"). Left out of a question
    about somebody who speaks in one of the memories is what the person says of themselves, unless
    it names that one.

    Args:
        question: what the person writes.
        memories: that were found for it.
    """
    asked = set(words_of(question))
    said = [[] if memory.kind == "fact" else voices(memory) for memory in memories]
    named = {w for one in said for v in one for w in words_of(v.speaker or "") if w in asked}
    kept = []
    for memory, parts in zip(memories, said, strict=True):
        fitting = [part for part in parts if _fits(part, bool(asked & _I), named)]
        if len(fitting) == len(parts):
            kept.append(memory)
        elif fitting:
            kept.append(dataclasses.replace(memory, text="\n".join(part.raw for part in fitting)))
    return kept


def _fits(voice: Voice, about_me: bool, named: set[str]) -> bool:
    """Whether what somebody says may be about the person, or about those who are `named`."""
    words = set(words_of(voice.text))
    if not words & (_I | _WE) or words & _YOU:  # it says nothing of who says it, or to somebody
        return True
    if voice.speaker is not None:
        return not about_me or not named.isdisjoint(words_of(voice.speaker))
    return about_me or not named or not named.isdisjoint(words)


def as_told(voice: Voice) -> str:
    """Return what somebody else says with their name in place of "I" and "my" (in English)."""
    if voice.speaker in (None, ASSISTANT):
        return voice.text
    return third_person(voice.text, who=name_of(voice))


def name_of(voice: Voice) -> str:
    """Return the name of who says it, short and without what could end a quotation."""
    return " ".join((voice.speaker or SOMEBODY).split())[:MAX_NAME].replace('"', "'")
