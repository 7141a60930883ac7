"""What a profile holds, as plain values.

Times are seconds since 1970, UTC.  `scope` is the context that a record
belongs to, such as "work"; None belongs to every context.  A record with
`learn=False` is never trained on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar, get_args

Category = Literal[
    "demographic",
    "preference",
    "context",
    "task",
    "relationship",
    "health",
    "home",
    "work",
    "belief",
    "event",
    "plan",
    "wish",
    "possession",
    "other",
]
CATEGORIES: Final[tuple[Category, ...]] = get_args(Category)

FactState = Literal["pending", "active", "superseded"]
FACT_STATES: Final[tuple[FactState, ...]] = get_args(FactState)

AdapterState = Literal["active", "off", "stale", "candidate"]
ADAPTER_STATES: Final[tuple[AdapterState, ...]] = get_args(AdapterState)

SourceKind = Literal["import", "conversation", "manual"]
SOURCE_KINDS: Final[tuple[SourceKind, ...]] = get_args(SourceKind)

CopyKind = Literal["backup", "export", "readable"]
COPY_KINDS: Final[tuple[CopyKind, ...]] = get_args(CopyKind)

Verdict = Literal["accept", "reject", "edit"]
VERDICTS: Final[tuple[Verdict, ...]] = get_args(Verdict)

Kind = TypeVar("Kind", bound=str)

ANY_SCOPE: Final = "*"  # as an argument: records of every context


def one_of(known: tuple[Kind, ...], value: str) -> Kind | None:
    """Return `value` as one of the `known` ones; None if it is none of them."""
    return next((one for one in known if one == value), None)


@dataclass(frozen=True)
class Fact:
    """A statement about the person.

    Attributes:
        time: when it was said, of one that was drawn from a text the time of that.
        origins: ids of the passages and turns that say it; its own, if the person worded it.
    """

    id: str
    text: str
    category: Category
    subject: str | None  # what it is about, such as "home" or "wife job"
    state: FactState
    source_id: str | None
    time: float
    valid_from: float
    valid_to: float | None
    pinned: bool
    scope: str | None
    learn: bool
    expires: float | None
    origins: tuple[str, ...] = ()


@dataclass(frozen=True)
class Passage:
    """A piece of text that the person wrote or imported.

    One that was corrected is "superseded": it is kept to go back to, and neither found nor learned.

    Attributes:
        position: in its source, from 0; a correction has that of what it corrects.
        speaker: whose words these are: "user", "assistant", a name, or None in notes.
        corrects: the id of the first wording, if this is a correction.
        replaced_by: the id of the wording that holds, if this one does not.
    """

    id: str
    source_id: str
    text: str
    position: int
    time: float
    scope: str | None
    speaker: str | None
    learn: bool = True
    state: str = "active"
    corrects: str | None = None
    replaced_by: str | None = None


@dataclass(frozen=True)
class NewPassage:
    """A passage on its way into the store."""

    text: str
    time: float | None = None  # None: now
    speaker: str | None = None
    scope: str | None = None
    learn: bool = True


@dataclass(frozen=True)
class Turn:
    """One message of a conversation; `source_id` is the conversation's id again.

    `state`, `corrects` and `replaced_by` are as in a passage.
    """

    id: str
    conversation_id: str
    role: str
    text: str
    time: float
    source_id: str
    memories_used: tuple[str, ...]
    scope: str | None = None
    learn: bool = True
    position: int = 0
    state: str = "active"
    corrects: str | None = None
    replaced_by: str | None = None


@dataclass(frozen=True)
class Feedback:
    """The person's verdict on an answer; an edit holds the text that was wanted instead.

    What was in the prompt are the turns before the answer and the memories that the answer's
    turn lists; `answered_by` tells the model, the adapters and the form of the notes.
    """

    id: str
    turn_id: str
    verdict: Verdict
    text: str | None
    time: float
    answered_by: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """Where records came from; forgetting it forgets them too."""

    id: str
    kind: SourceKind
    name: str
    sha256: str | None
    time: float
    scope: str | None = None
    key: str | None = None  # stays the same when the imported file changes


@dataclass(frozen=True)
class AdapterRow:
    """An adapter and the ids of the records that it was trained on."""

    id: str
    name: str
    file_sha256: str
    base_sha256: str
    rank: int
    alpha: float
    scale: float
    state: AdapterState
    records: tuple[str, ...]
    created: float
    scope: str | None
    provenance: dict[str, str] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)  # method, recipe, metrics, decision


Record = Fact | Passage | Turn
AnyRecord = Fact | Passage | Turn | Feedback | Source | AdapterRow


@dataclass(frozen=True)
class Event:
    """Something that happened to the profile: `about` holds numbers and ids, never a text."""

    time: float
    kind: str
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Copy:
    """A copy of the profile that was made, and where it was written."""

    id: str
    kind: CopyKind
    path: str
    time: float


@dataclass(frozen=True)
class ForgetReport:
    """What was deleted, and which adapters went stale by it."""

    records: tuple[str, ...]
    adapters_stale: tuple[str, ...]  # names
    purged: bool = True  # False: another process is reading; the log is purged as soon as it ends


@dataclass(frozen=True)
class ForgetPreview:
    """What `forget` would delete, and what stays although it may say the same."""

    records: tuple[AnyRecord, ...]
    adapters_stale: tuple[str, ...]
    related_turns: tuple[Turn, ...]
    vectors: int = 0  # that go with the records
    copies: tuple[Copy, ...] = ()  # made when at least one of the records was there


def said_by(speaker: str | None, text: str) -> str:
    """Return `text`, behind the name of who wrote it if that was somebody else."""
    return text if speaker in (None, "user") else f"{speaker}: {text}"
