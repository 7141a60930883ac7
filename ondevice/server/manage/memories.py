"""The API of "What I know about you": look, add, correct, pin, approve, forget."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ondevice.errors import RecordNotFoundError
from ondevice.remedies import Remedy
from ondevice.server.errors import BadRequestError
from ondevice.server.manage.page import Count, Page, page_routes
from ondevice.server.manage.records import (
    FactRecord,
    MemoryRecord,
    Record,
    SourceRecord,
    TurnRecord,
    fact_of,
    memory_of,
    mirrored,
    record_of,
    turn_of,
)
from ondevice.server.routing import Answer, Fields
from ondevice.store.listing import Filter
from ondevice.store.records import AdapterRow, Category, Copy, Fact, Passage, Turn

MAX_ROWS = 500  # of one answer
PREVIEW_ROWS = 50  # of what would be forgotten; the rest is counted

routes = page_routes()


# --- looking ------------------------------------------------------------------------------


class Wanted(Fields):
    """Which records are wanted; all conditions hold together. Empty ones do not count."""

    query: str = Field("", description="Beginnings of words, all of which must occur.")
    kind: Literal["", "fact", "passage", "turn"] | None = None
    category: Category | Literal[""] | None = None
    state: str | None = Field(
        None, description="pending, active or superseded; only facts are pending."
    )
    source: str | None = Field(None, description="The id of a source.")

    def filter(self) -> Filter:
        """Return what the profile is asked for."""
        return Filter(
            words=self.query,
            kinds=(self.kind,) if self.kind else (),
            category=self.category or None,
            state=self.state or None,
            source_id=self.source or None,
        )


class Browse(Wanted):
    """A part of the records that are wanted."""

    limit: Count = Field(100, description=f"At most {MAX_ROWS} are sent.")
    offset: Count = 0


class Memories(Answer):
    """Records: those that wait for approval first, then the newest."""

    total: int
    offset: int
    memories: list[MemoryRecord]


@routes.get("/memories")
def browse(page: Page, query: Browse) -> Memories:
    """Look through records."""
    wanted, limit = query.filter(), min(query.limit, MAX_ROWS)
    rows = page.profile.listing.page(wanted, offset=query.offset, limit=limit)
    return Memories(
        total=page.profile.listing.count(wanted),
        offset=query.offset,
        memories=[memory_of(row) for row in rows],
    )


class IdList(Answer):
    """Ids of records."""

    ids: list[str]


@routes.get("/memories/ids")
def ids(page: Page, query: Wanted) -> IdList:
    """List the ids of records."""
    return IdList(ids=page.profile.listing.ids(query.filter()))


class SourceCount(SourceRecord):
    """A source and how many records came from it."""

    records: int


class Sources(Answer):
    """Imports and conversations."""

    sources: list[SourceCount]


@routes.get("/sources")
def sources(page: Page) -> Sources:
    """List imports and conversations."""
    found = page.profile.listing.sources()
    return Sources(
        sources=[
            mirrored(SourceCount, source, kind="source", from_=source.kind, records=n)
            for source, n in found
        ]
    )


# --- changing -----------------------------------------------------------------------------


KEEP: bool = Field(False, description="Store it although the chat is temporary.")


class NewFact(Fields):
    """A statement about the person."""

    text: str
    category: Category | Literal[""] | None = Field(
        None, description="Found by rules if absent or empty."
    )
    pinned: bool = Field(False, description="Always stands in the prompt.")
    learn: bool = Field(True, description="Whether adapters may be trained on it.")
    keep: bool = KEEP


class KeptFact(FactRecord):
    """A fact as it is kept, and the facts that it has replaced."""

    replaced: list[FactRecord]


@routes.post("/memories")
def add(page: Page, body: NewFact) -> KeptFact:
    """Remember a fact; it is answered as it is kept, with what it has replaced."""
    if not body.text.strip():
        raise BadRequestError("Say what to remember.")
    _ = page.profile  # it may have been locked or wiped
    page.refuse_if_temporary(keep=body.keep)
    kept = page.me.memory.keep(
        body.text, category=body.category or None, pinned=body.pinned, learn=body.learn
    )
    replaced = [fact_of(one) for one in kept.replaced]
    return mirrored(KeptFact, kept.fact, kind="fact", replaced=replaced)


class FactChange(Fields):
    """What is changed of a fact; of a passage or a message of the person's, the text.

    What is absent stays as it is.
    """

    text: str = Field("", description="Of passages and messages kept as it is.")
    category: Category = "other"
    learn: bool = True
    pinned: bool = False
    keep: bool = KEEP


@routes.patch("/memories/{id}")
def edit(page: Page, id: str, body: FactChange) -> MemoryRecord:
    """Change a fact, or correct a text."""
    changed = page.profile.get(id)
    page.refuse_if_temporary(keep=body.keep)
    changes = body.model_dump(exclude_unset=True, exclude={"pinned", "keep"})
    if changes:
        changed = page.me.memory.edit(id, **changes)
    if "pinned" in body.model_fields_set:
        changed = page.me.memory.pin(id, body.pinned)
    if not isinstance(changed, Fact | Passage | Turn):
        raise RecordNotFoundError("That is not the id of a memory.", Remedy.LIST_MEMORIES)
    return memory_of(changed)


class Ids(Fields):
    """Records."""

    ids: list[str] = Field(max_length=100_000)


class Approve(Ids):
    """Facts that are to be used."""

    keep: bool = KEEP


class Approved(Answer):
    """Facts that are active now, and those that they have replaced."""

    memories: list[FactRecord]
    replaced: list[FactRecord]


@routes.post("/memories/approve")
def approve(page: Page, body: Approve) -> Approved:
    """Approve pending facts."""
    _ = page.profile  # it may have been locked or wiped
    page.refuse_if_temporary(keep=body.keep)
    approved = page.me.memory.keep_pending(*body.ids)
    return Approved(
        memories=[fact_of(kept.fact) for kept in approved],
        replaced=[fact_of(one) for kept in approved for one in kept.replaced],
    )


class Restore(Fields):
    """Something that was replaced."""

    id: str
    keep: bool = KEEP


@routes.post("/memories/restore")
def restore(page: Page, body: Restore) -> MemoryRecord:
    """Use a fact again that was replaced, or the former wording of a text."""
    _ = page.profile  # it may have been locked or wiped
    page.refuse_if_temporary(keep=body.keep)
    return memory_of(page.me.memory.restore(body.id))


# --- forgetting ---------------------------------------------------------------------------


class Forget(Ids):
    """Records that are to be forgotten."""

    keep_turns: bool = Field(False, description="Keep the turns that facts were taken from.")


class ForgetPreview(Answer):
    """What would go, counted whole and shown in part."""

    count: int
    facts: int
    records: list[Record]
    related: list[TurnRecord]
    adapters_stale: list[str]
    vectors: int
    copies: list[Copy]


@routes.post("/memories/forget/preview")
def preview(page: Page, body: Forget) -> ForgetPreview:
    """Show what would be forgotten."""
    found = page.profile.preview_forget(body.ids, keep_turns=body.keep_turns)
    known = [record for record in found.records if not isinstance(record, AdapterRow)]
    return ForgetPreview(
        count=len(found.records),
        facts=sum(isinstance(record, Fact) for record in found.records),
        records=[record_of(record) for record in known[:PREVIEW_ROWS]],
        related=[turn_of(turn) for turn in found.related_turns[:PREVIEW_ROWS]],
        adapters_stale=list(found.adapters_stale),
        vectors=found.vectors,
        copies=list(found.copies),
    )


class Forgotten(Answer):
    """What went."""

    records: int
    adapters_stale: list[str]


@routes.post("/memories/forget")
def forget(page: Page, body: Forget) -> Forgotten:
    """Forget records for good."""
    report = page.me.forget(*body.ids, keep_turns=body.keep_turns).report
    return Forgotten(records=len(report.records), adapters_stale=list(report.adapters_stale))
