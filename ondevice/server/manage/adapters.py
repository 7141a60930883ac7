"""Adapters through the page: where each comes from, and which are used."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from ondevice.adapters.builtin_reader import READER, builtin_reader
from ondevice.adapters.registry import AdapterRegistry
from ondevice.server.manage.page import Page, page_routes
from ondevice.server.manage.records import MemoryRecord, memory_of, mirrored
from ondevice.server.routing import Answer, Fields
from ondevice.store.records import AdapterRow

LINEAGE_ROWS = 100  # records of an adapter that are shown

routes = page_routes()


class AdapterName(Fields):
    """An adapter."""

    name: str


class UseAdapter(AdapterName):
    """An adapter and its strength."""

    scale: float | None = Field(None, description="The one that it had if absent.")


Measured = list[float | None]  # a value, the ends of its 95 % interval, how many items


class AuditKept(Answer):
    """How an audit came out, as it is kept with an adapter."""

    change: Measured
    bound: float
    exceeded: bool


class AdapterShown(Answer):
    """An adapter of the profile."""

    name: str
    state: str
    scale: float | None
    rank: int
    created: float
    scope: str | None
    sha256: str
    base_sha256: str
    n_records: int
    method: str | None
    from_: str | None = Field(
        serialization_alias="from", description="The adapter that it went on from."
    )
    why: str | None
    arms: dict[str, Measured] | None = Field(description="By `arm/metric`.")
    summary: str | None
    decision: str | None
    audits: dict[str, AuditKept] | None


class Reader(Answer):
    """The adapter that comes with the base model."""

    name: str
    scale: float
    sha256: str


class Adapters(Answer):
    """Adapters, the newest first."""

    adapters: list[AdapterShown]
    reader: Reader | None


@routes.get("/adapters")
def list_adapters(page: Page) -> Adapters:
    """List adapters."""
    return Adapters(adapters=_adapters(page), reader=_reader(page))


class Lineage(AdapterShown):
    """An adapter, records it was trained on, and its training."""

    records: list[MemoryRecord]
    training: dict[str, Any]


@routes.get("/adapters/{name}")
def lineage(page: Page, name: str) -> Lineage:
    """Show an adapter."""
    row = AdapterRegistry(page.profile).get(name)
    known = page.profile.records(row.records)
    shown = [memory_of(record) for record in list(known.values())[:LINEAGE_ROWS]]
    return mirrored(Lineage, _shown(row), records=shown, training=row.training)


@routes.post("/adapters/use")
def use(page: Page, body: UseAdapter) -> Adapters:
    """Use an adapter."""
    page.refuse_while_busy()
    registry = AdapterRegistry(page.profile)
    known = 1.0 if body.name == READER else registry.get(body.name).scale
    with page.model():
        registry.use(body.name, known if body.scale is None else body.scale)
        page.me.adapters.choose(None)
    return list_adapters(page)


@routes.post("/adapters/off")
def off(page: Page, body: AdapterName) -> Adapters:
    """Use an adapter no more."""
    page.refuse_while_busy()
    with page.model():
        AdapterRegistry(page.profile).off(body.name)
        page.me.adapters.choose(None)
    return list_adapters(page)


class RolledBack(Adapters):
    """Adapters, and what rolling back could not bring back."""

    lost: int


@routes.post("/adapters/rollback")
def roll_back(page: Page) -> RolledBack:
    """Go back to the one before."""
    page.refuse_while_busy()
    with page.model():
        _, lost = page.profile.adapters.roll_back()
        page.me.adapters.choose(None)
    return RolledBack(adapters=_adapters(page), reader=_reader(page), lost=lost)


@routes.post("/adapters/remove")
def remove(page: Page, body: AdapterName) -> Adapters:
    """Remove an adapter."""
    page.refuse_while_busy()
    with page.model():
        AdapterRegistry(page.profile).remove(body.name)
        page.me.adapters.choose(None)
    return list_adapters(page)


def _adapters(page: Page) -> list[AdapterShown]:
    return [_shown(row) for row in reversed(AdapterRegistry(page.profile).list())]


def _shown(row: AdapterRow) -> AdapterShown:
    training, metrics = row.training, row.training.get("metrics", {})
    return AdapterShown(
        name=row.name,
        state=row.state,
        scale=row.scale,
        rank=row.rank,
        created=row.created,
        scope=row.scope,
        sha256=row.file_sha256,
        base_sha256=row.base_sha256,
        n_records=len(row.records),
        method=training.get("method"),
        from_=training.get("from"),
        why=training.get("why"),
        arms=metrics.get("arms"),
        summary=metrics.get("summary"),
        decision=metrics.get("decision"),
        audits=metrics.get("audits"),
    )


def _reader(page: Page) -> Reader | None:
    reader = builtin_reader(page.me.engine.model)
    if reader is None:
        return None
    return Reader(name=READER, scale=page.profile.adapters.reader_scale(), sha256=reader.sha256)
