"""A conversation of the profile as the page shows it, with what each answer was given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ondevice.server.manage.memories import as_json
from ondevice.store.corrections import facts_by_turn
from ondevice.store.profile import Profile
from ondevice.store.records import ANY_SCOPE, Feedback, Turn


def transcript(profile: Profile, conversation_id: str) -> list[dict[str, Any]]:
    """Return the exchanges of a conversation; of several answers to a message the last one."""
    exchanges = list(_exchanges(profile.turns(conversation_id)))
    facts = [f for f in profile.facts(scope=ANY_SCOPE) if f.source_id == conversation_id]
    used = profile.records([one for _, a in exchanges if a is not None for one in a.memories_used])
    saved_with = facts_by_turn([asked for asked, _ in exchanges], facts)
    shown = []
    for asked, answer in exchanges:
        saved = [as_json(fact) for fact in saved_with.get(asked.corrects or asked.id, ())]
        one: dict[str, Any] = {"text": asked.text, "time": asked.time, "answer": None}
        if answer is not None:
            memories = [used[one] for one in answer.memories_used if one in used]
            one["answer"] = {
                "text": answer.text,
                "turn_id": answer.id,
                "used": [{**as_json(memory), "place": "kept"} for memory in memories],
                "saved": saved,
                "verdict": _verdict(profile.feedback(answer.id)),
            }
        shown.append(one)
    return shown


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
