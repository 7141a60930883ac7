"""The records of a profile as the page is shown them."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import Field

from ondevice.remedies import all_said
from ondevice.server.remedies import WORDS
from ondevice.server.routing import Answer
from ondevice.store import records

Shown = TypeVar("Shown", bound=Answer)


def mirrored(model: type[Shown], value: object, **more: Any) -> Shown:
    """Return a `model` whose fields are the attributes of `value` with their names, and `more`.

    Where a text has a remedy, it is worded for the page.
    """
    same = {name: getattr(value, name) for name in model.model_fields if name not in more}
    return model(**all_said({**same, **more}, WORDS))


class FactRecord(Answer):
    """A statement about the person."""

    kind: Literal["fact"]
    id: str
    text: str
    category: str
    subject: str | None = Field(description="A newer fact on the same subject supersedes.")
    state: str
    source_id: str | None
    time: float
    valid_from: float
    valid_to: float | None
    pinned: bool
    scope: str | None
    learn: bool
    expires: float | None
    origins: tuple[str, ...] = Field(
        description="Passages and turns that say it; itself, if the person worded it."
    )


class PassageRecord(Answer):
    """A piece of text that the person wrote or imported."""

    kind: Literal["passage"]
    id: str
    source_id: str
    text: str
    position: int = Field(description="In its source, from 0.")
    time: float
    scope: str | None
    speaker: str | None
    learn: bool
    state: str = Field(description='"superseded" if another wording holds.')
    corrects: str | None = Field(description="The first wording, of a correction.")
    replaced_by: str | None = Field(description="The wording that holds, of a former one.")


class TurnRecord(Answer):
    """One message of a conversation; `source_id` is the conversation's id again."""

    kind: Literal["turn"]
    id: str
    conversation_id: str
    role: str
    text: str
    time: float
    source_id: str
    memories_used: tuple[str, ...]
    scope: str | None
    learn: bool
    position: int
    state: str = Field(description='"superseded" if another wording holds.')
    corrects: str | None = Field(description="The first wording, of a correction.")
    replaced_by: str | None = Field(description="The wording that holds, of a former one.")


class FeedbackRecord(Answer):
    """The person's verdict on an answer; an edit holds the text that was wanted instead."""

    kind: Literal["feedback"]
    id: str
    turn_id: str
    verdict: str
    text: str | None
    time: float
    answered_by: dict[str, Any]


class SourceRecord(Answer):
    """Where records came from; forgetting it forgets them too."""

    kind: Literal["source"]
    id: str
    from_: str = Field(
        serialization_alias="from",
        description="What kind of source: a conversation, an import, …",
    )
    name: str
    sha256: str | None
    time: float
    scope: str | None
    key: str | None = Field(description="Stays the same when the imported file changes.")


MemoryRecord = FactRecord | PassageRecord | TurnRecord
Record = MemoryRecord | FeedbackRecord | SourceRecord


def fact_of(fact: records.Fact) -> FactRecord:
    """Return a fact as it is shown."""
    return mirrored(FactRecord, fact, kind="fact")


def turn_of(turn: records.Turn) -> TurnRecord:
    """Return a turn as it is shown."""
    return mirrored(TurnRecord, turn, kind="turn")


def memory_of(record: records.Record) -> MemoryRecord:
    """Return a record as it is shown."""
    if isinstance(record, records.Fact):
        return fact_of(record)
    if isinstance(record, records.Turn):
        return turn_of(record)
    return mirrored(PassageRecord, record, kind="passage")


def record_of(record: records.Record | records.Feedback | records.Source) -> Record:
    """Return a record, a verdict or a source as it is shown."""
    if isinstance(record, records.Feedback):
        return mirrored(FeedbackRecord, record, kind="feedback")
    if isinstance(record, records.Source):
        return mirrored(SourceRecord, record, kind="source", from_=record.kind)
    return memory_of(record)
