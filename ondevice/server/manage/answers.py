"""What the management API answers, as models that the OpenAPI document shows.

Tests check every answer against them; at run time nothing is checked twice.
"""

from __future__ import annotations

import dataclasses
import typing
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from ondevice.store import records


class Answer(BaseModel):
    """An object that has these fields and no others."""

    model_config = ConfigDict(extra="forbid")


def _record(kind: type, **more: Any) -> type[Answer]:
    """Return the model of a record as the API shows it: its fields and its kind."""
    types = typing.get_type_hints(kind)
    fields: dict[str, Any] = {
        field.name: (types[field.name], ...) for field in dataclasses.fields(kind)
    }
    fields["kind"] = (Literal[kind.__name__.lower()], ...)
    return create_model(
        f"{kind.__name__}Record", __base__=Answer, __doc__=kind.__doc__, **{**fields, **more}
    )


FactRecord = _record(records.Fact)
PassageRecord = _record(records.Passage)
TurnRecord = _record(records.Turn)
FeedbackRecord = _record(records.Feedback)
_from = Field(alias="from", description="What kind of source: a conversation, an import, …")
SourceRecord = _record(records.Source, from_=(str, _from))
Record: Any = FactRecord | PassageRecord | TurnRecord | FeedbackRecord | SourceRecord


class Empty(Answer):
    """No field."""


class AdapterScale(Answer):
    """An adapter that is applied."""

    name: str
    scale: float


class State(Answer):
    """What is served and what is under way."""

    profile: str | None
    locked: bool
    model: str
    adapters: list[AdapterScale]
    learning: bool
    evaluating: bool
    importing: bool


class Exchange(Answer):
    """A message and its answer."""

    text: str
    time: float | None = None
    answer: dict[str, Any] | None = Field(
        description="text, and of kept ones turn_id, used, saved and verdict."
    )


class Conversation(Answer):
    """A conversation."""

    conversation: str | None
    temporary: bool
    exchanges: list[Exchange]


class Outline(Answer):
    """A conversation in a list."""

    id: str
    time: float
    begins: str
    turns: int


class Conversations(Answer):
    """Conversations, the newest first."""

    conversations: list[Outline]


class Failed(Answer):
    """A last event: it did not work; why."""

    stage: Literal["failed"]
    message: str


class Piece(Answer):
    """A piece of an answer."""

    piece: str


class Used(Answer):
    """A memory that the model was given."""

    id: str
    text: str
    score: float
    place: str
    source: str | None
    reason: dict[str, Any]
    kind: str


class Said(Answer):
    """The last event of an answer."""

    stage: Literal["done"]
    conversation: str | None
    saved: list[Any]
    replaced: list[Any] = Field(description="Facts that are not used any more for what was saved.")
    used: list[Used]
    dropped_exchanges: int
    forgotten_meanwhile: bool
    turn_id: str | None
    temporary: bool
    finish_reason: str
    adapters: list[str]
    tokens: int
    seconds_to_first: float
    tokens_per_second: float


class Begun(Answer):
    """A conversation that has begun."""

    temporary: bool
    conversation: str | None


class Judged(Answer):
    """A verdict that was kept."""

    id: str
    verdict: str


class Memories(Answer):
    """Records: those that wait for approval first, then the newest."""

    total: int
    offset: int
    memories: list[Record]


class IdList(Answer):
    """Ids of records."""

    ids: list[str]


class SourceCount(SourceRecord):  # type: ignore[valid-type,misc] # made above
    """A source and how many records came from it."""

    records: int


class Sources(Answer):
    """Imports and conversations."""

    sources: list[SourceCount]


class KeptFact(FactRecord):  # type: ignore[valid-type,misc] # made above
    """A fact as it is kept, and the facts that it has replaced."""

    replaced: list[FactRecord]  # type: ignore[valid-type]


class Approved(Answer):
    """Facts that are active now, and those that they have replaced."""

    memories: list[FactRecord]  # type: ignore[valid-type]
    replaced: list[FactRecord]  # type: ignore[valid-type]


class CopyShown(Answer):
    """A copy that was made."""

    id: str
    kind: str
    path: str
    time: float


class ForgetPreview(Answer):
    """What would go, counted whole and shown in part."""

    count: int
    facts: int
    records: list[Record]
    related: list[Record]
    adapters_stale: list[str]
    vectors: int
    copies: list[CopyShown]


class Forgotten(Answer):
    """What went."""

    records: int
    adapters_stale: list[str]


class Received(Answer):
    """A file that was received."""

    name: str
    bytes: int


class Files(Answer):
    """How many files are being imported."""

    files: int


class Started(Answer):
    """It was started; follow its events."""

    started: Literal[True]


class Progress(BaseModel):
    """Something that happened; `stage` says what, the last one is done, stopped or failed."""

    model_config = ConfigDict(extra="allow")
    stage: str


class Estimate(Answer):
    """What learning would do."""

    examples: dict[str, int]
    records: int
    left_out: dict[str, int]
    too_little: str | bool | None
    begins: str
    tokens: int
    seconds: float | None
    tokens_per_second: float | None
    memory_bytes: int | None
    warnings: list[str]


class Adapter(Answer):
    """An adapter of the profile."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    name: str
    state: str
    scale: float | None
    rank: int
    created: float
    scope: str | None
    sha256: str
    base_sha256: str
    n_records: int
    method: Any
    from_: Any = Field(alias="from")
    why: Any
    arms: Any
    summary: Any
    decision: Any
    audits: Any


class Reader(Answer):
    """The adapter that comes with the base model."""

    name: str
    scale: float
    sha256: str


class Adapters(Answer):
    """Adapters, the newest first."""

    adapters: list[Adapter]
    reader: Reader | None


class RolledBack(Adapters):
    """Adapters, and what rolling back could not bring back."""

    lost: int


class Lineage(Adapter):
    """An adapter, records it was trained on, and its training."""

    records: list[Record]
    training: dict[str, Any]


class SettingShown(Answer):
    """A setting."""

    name: str
    value: bool | int | float | str | None
    default: bool | int | float | str | None
    kind: Literal["bool", "int", "float", "str"]
    at_start: bool = Field(description="It counts from the next start on.")


class Settings(Answer):
    """Every setting."""

    path: str
    settings: list[SettingShown]


class SettingChanged(Answer):
    """A setting and its value of now."""

    name: str
    value: bool | int | float | str | None


class Privacy(Answer):
    """How the profile is kept."""

    profile: str
    folder: str
    bytes: int
    keys: list[str]
    facts: int
    passages: int
    turns: int
    verdicts: int
    adapters: int
    copies: list[CopyShown]


class Event(Answer):
    """Something that was done with the profile; no texts."""

    time: float
    kind: str
    about: dict[str, Any]


class Log(Answer):
    """What was done, the newest first."""

    events: list[Event]


class Keys(Answer):
    """What opens the profile."""

    profile: str
    keys: list[str]
    keyring_here: bool


class KeysWarned(Keys):
    """What opens the profile, and what to know."""

    warnings: list[str]


class RecoveryCode(Keys):
    """What opens the profile, and the code, shown this once."""

    code: str


class RetentionDays(Answer):
    """Days that records are kept; 0: until forgotten."""

    fact_days: int
    sample_days: int
    turn_days: int
    feedback_days: int


class RetentionShown(Answer):
    """How long records are kept."""

    retention: RetentionDays


class RetentionKept(RetentionShown):
    """How long records are kept, what is due, and what was forgotten."""

    due: int
    forgotten: int


class Locked(Answer):
    """The profile that is locked now."""

    locked: str


class Unlocked(Answer):
    """The profile that is open again."""

    unlocked: str


class Wiped(Answer):
    """The profile that is no more."""

    wiped: str


class Path(Answer):
    """A path of this server."""

    path: str


class Left(Answer):
    """The session has ended."""

    left: Literal[True]
