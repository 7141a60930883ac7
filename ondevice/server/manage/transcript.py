"""A conversation of the profile as the page shows it, with what each answer was given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from ondevice.server.manage.records import (
    FactRecord,
    PassageRecord,
    TurnRecord,
    fact_of,
    memory_of,
    mirrored,
)
from ondevice.server.routing import Answer
from ondevice.store.corrections import facts_by_turn
from ondevice.store.profile import Profile
from ondevice.store.records import ANY_SCOPE, Feedback, Record, Turn


class UsedFact(FactRecord):
    """A fact that an answer was given."""

    place: Literal["kept"]


class UsedPassage(PassageRecord):
    """A passage that an answer was given."""

    place: Literal["kept"]


class UsedTurn(TurnRecord):
    """A turn that an answer was given."""

    place: Literal["kept"]


class PlainAnswer(Answer):
    """An answer that is kept nowhere."""

    text: str


class KeptAnswer(PlainAnswer):
    """An answer that is kept, with what it was given and what was made of it."""

    turn_id: str
    used: list[UsedFact | UsedPassage | UsedTurn]
    saved: list[FactRecord]
    verdict: str | None


class Exchange(Answer):
    """A message and its answer."""

    text: str
    time: float | None = None
    answer: KeptAnswer | PlainAnswer | None


def transcript(profile: Profile, conversation_id: str) -> list[Exchange]:
    """Return the exchanges of a conversation; of several answers to a message the last one."""
    exchanges = list(_exchanges(profile.turns.all(conversation_id)))
    facts = [f for f in profile.facts.all(scope=ANY_SCOPE) if f.source_id == conversation_id]
    used = profile.records([one for _, a in exchanges if a is not None for one in a.memories_used])
    saved_with = facts_by_turn([asked for asked, _ in exchanges], facts)
    shown = []
    for asked, answer in exchanges:
        kept = None
        if answer is not None:
            kept = KeptAnswer(
                text=answer.text,
                turn_id=answer.id,
                used=[_used(used[one]) for one in answer.memories_used if one in used],
                saved=[fact_of(f) for f in saved_with.get(asked.corrects or asked.id, ())],
                verdict=_verdict(profile.feedback.all(answer.id)),
            )
        shown.append(Exchange(text=asked.text, time=asked.time, answer=kept))
    return shown


def _used(record: Record) -> UsedFact | UsedPassage | UsedTurn:
    shown = memory_of(record)
    if isinstance(shown, FactRecord):
        return mirrored(UsedFact, shown, place="kept")
    if isinstance(shown, TurnRecord):
        return mirrored(UsedTurn, shown, place="kept")
    return mirrored(UsedPassage, shown, place="kept")


def _exchanges(turns: Sequence[Turn]) -> Iterator[tuple[Turn, Turn | None]]:
    asked: Turn | None = None
    answer: Turn | None = None
    for turn in turns:
        if turn.role == "user":
            if asked is not None:
                yield asked, answer
            asked, answer = turn, None
        elif turn.role == "assistant":
            answer = turn
    if asked is not None:
        yield asked, answer


def _verdict(given: Sequence[Feedback]) -> str | None:
    return given[-1].verdict if given else None
