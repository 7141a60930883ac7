"""What a clause denies: "I don't live in Rome any more" denies "I live in Rome".

A denial is kept as it was said; the statement that it denies is read only to
know what it is about. `affirmed` takes one negation away, never more: of what
says "not" twice it is not clear what it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_I = re.IGNORECASE


@dataclass(frozen=True)
class Denied:
    """A statement that is denied.

    `ended`: it is said to have held before; `past`: by the way, while telling of the past.
    """

    statement: str
    ended: bool
    past: bool = False


_ENDED = re.compile(
    r"\b(?:no longer|any ?more|any longer|nicht mehr|kein\w* (?:\S+ ){1,6}?mehr|ya no)\b", _I
)
# A pattern, what stands instead, and whether it tells of the past.
_FORMS = tuple(
    (re.compile(rf"{pattern}\Z", _I), instead, past)
    for pattern, instead, past in (
        (r"(i) (?:used to|once) be (.+)", r"\1 am \2", True),
        (r"(i) used to (.+)", r"\1 \2", True),
        (r"(i)(?:'ve| have)? (?:moved (?:away from|out of)|left) (.+)", r"\1 live in \2", True),
        (r"(i) (?:don't|do not|no longer|never|can't|cannot|can not) (.+)", r"\1 \2", False),
        (r"(i) (?:haven't|have not) (?:got )?(.+)", r"\1 have \2", False),
        (r"(?:i am|i'm|im) (?:not|no longer|never) (.+)", r"i am \1", False),
        (r"(my (?:\S+ ){1,4}?)(is|are)(?: not|n't| no longer| never) (.+)", r"\1\2 \3", False),
        (r"(ich habe) früher in (.+?) (?:gewohnt|gelebt)", r"ich wohne in \2", True),
        (r"(ich habe) (?:aufgehört zu rauchen|mit dem rauchen aufgehört)", "ich rauche", False),
        (r"(ich .+?) (?:nicht|nie|niemals) (?:mehr )?(.+)", r"\1 \2", False),
        (r"(ich \S+) (?:nicht|nie|niemals)(?: mehr)?", r"\1", False),
        (r"(ich .+?) (?:nicht|nie|niemals)(?: mehr)?", r"\1", False),
        (r"(ich \S+(?: \S+)?) kein(?:e[nmrs]?)? (.+?)(?: mehr)?", r"\1 \2", False),
        (
            r"(meine? \S+ (?:ist|sind|heißt|heißen)) (?:nicht|nie|niemals) (?:mehr )?(.+)",
            r"\1 \2",
            False,
        ),
        (r"(meine? \S+ (?:ist|sind)) kein(?:e[nmrs]?)? (.+?)(?: mehr)?", r"\1 \2", False),
        (r"antes vivía en (.+)", r"vivo en \1", True),
        (r"(?:yo )?(?:ya no|he dejado de|dejé de) (?:fumo|fumar)", "fumo", False),
        (r"(?:yo )?(?:ya no|no|nunca) (.+)", r"\1", False),
        (r"(?:a mí )?(?:ya no|no|nunca) (me .+)", r"\1", False),
        (r"(mi \S+(?: \S+)??) (?:ya no|no|nunca) ((?:es|son|se llama) .+)", r"\1 \2", False),
    )
)
_ANY_MORE = re.compile(r"(.+?),? (?:any ?more|any longer)\Z", _I)
_STOPPED = re.compile(
    r"(i)(?:'ve| have)? (?:quit|stopped|given up|gave up) (?P<v>[a-z]+)ing\b(?P<rest>.*)\Z", _I
)
_GAVE_UP = re.compile(
    r"(i)(?:'ve| have)? (?:given up|gave up|quit) (?!(?:my|their|on)\b)(?P<what>.+)\Z", _I
)


def affirmed(clause: str) -> Iterator[Denied]:
    """Yield the statements that a clause may deny, the likeliest first."""
    ended = _ENDED.search(clause) is not None
    cut = _ANY_MORE.match(clause)
    plain = cut[1] if cut else clause
    for pattern, instead, past in _FORMS:
        match = pattern.match(plain)
        if match:
            yield Denied(match.expand(instead), ended or past, past)
    yield from _stopped(plain)


def _stopped(clause: str) -> Iterator[Denied]:
    stopped = _STOPPED.match(clause)
    if stopped:
        verb, rest = stopped["v"], stopped["rest"]
        yield Denied(f"I {verb}{rest}", ended=True)
        yield Denied(f"I {verb}e{rest}", ended=True)
        if verb[-1:] == verb[-2:-1]:
            yield Denied(f"I {verb[:-1]}{rest}", ended=True)
        yield Denied(f"I am {verb}ing{rest}", ended=True)
        return
    gave_up = _GAVE_UP.match(clause)
    if gave_up:
        for verb in ("eat", "drink", "play"):
            yield Denied(f"I {verb} {gave_up['what']}", ended=True, past=True)
