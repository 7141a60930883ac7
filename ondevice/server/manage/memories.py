"""The API of "What I know about you": look, add, correct, pin, approve, forget."""

from __future__ import annotations

import dataclasses
from typing import Any

from starlette.routing import BaseRoute

from ondevice.adapters import forgetting
from ondevice.memory.facts import candidate_for
from ondevice.server.manage.http import BadRequestError, Values, route
from ondevice.server.manage.page import Page
from ondevice.store.listing import Filter
from ondevice.store.records import CATEGORIES, AnyRecord, Fact, ForgetPreview, Source

MAX_ROWS = 500  # of one answer
PREVIEW_ROWS = 50  # of what would be forgotten; the rest is counted


class Memories:
    """What is remembered: looked at, added, corrected, approved, forgotten."""

    def __init__(self, page: Page) -> None:
        """Answer for the profile of `page`."""
        self._page = page

    def browse(self, values: Values) -> dict[str, Any]:
        """Return a part of the records that are wanted, and how many there are."""
        wanted = _filter(values)
        limit = min(values.take("limit", int, 100), MAX_ROWS)
        offset = values.take("offset", int, 0)
        profile = self._page.profile
        rows = profile.browse(wanted, offset=offset, limit=limit)
        return {
            "total": profile.count(wanted),
            "offset": offset,
            "memories": [as_json(row) for row in rows],
        }

    def ids(self, values: Values) -> dict[str, Any]:
        """Return the ids of the records that are wanted."""
        return {"ids": self._page.profile.browse_ids(_filter(values))}

    def sources(self, values: Values) -> dict[str, Any]:
        """Return imports and conversations."""
        found = self._page.profile.sources_and_counts()
        return {"sources": [{**as_json(source), "records": n} for source, n in found]}

    def add(self, values: Values) -> dict[str, Any]:
        """Remember a fact; the answer has it as it is kept, and what it has replaced."""
        text = values.take("text", str)
        candidate = candidate_for(text)
        if not candidate.text.strip():
            raise BadRequestError("Say what to remember.")
        category = values.take("category", str, None) or candidate.category
        kept = self._page.recall.keep(
            dataclasses.replace(candidate, category=category),
            pinned=values.take("pinned", bool, False),
            learn=values.take("learn", bool, True),
        )
        return {**as_json(kept.fact), "replaced": [as_json(one) for one in kept.replaced]}

    def edit(self, values: Values) -> dict[str, Any]:
        """Change a fact."""
        fact_id = values.take("id", str)
        changes = {
            name: values.take(name, kind)
            for name, kind in (("text", str), ("category", str), ("learn", bool))
            if name in values
        }
        fact = self._page.profile.get(fact_id)
        if changes:
            fact = self._page.me.edit(fact_id, **changes)
        if "pinned" in values:
            fact = self._page.profile.pin(fact_id, values.take("pinned", bool))
        return as_json(fact)

    def approve(self, values: Values) -> dict[str, Any]:
        """Use pending facts from now on."""
        _ = self._page.profile  # it may have been locked or wiped
        approved = self._page.me.keep_pending(*values.texts("ids"))
        return {
            "memories": [as_json(kept.fact) for kept in approved],
            "replaced": [as_json(one) for kept in approved for one in kept.replaced],
        }

    def restore(self, values: Values) -> dict[str, Any]:
        """Use a fact again that was replaced."""
        _ = self._page.profile  # it may have been locked or wiped
        return as_json(self._page.me.restore(values.take("id", str)))

    def preview(self, values: Values) -> dict[str, Any]:
        """Return what would be forgotten."""
        shown = forgetting.preview(
            self._page.profile,
            values.texts("ids"),
            keep_turns=values.take("keep_turns", bool, False),
        )
        return _preview_json(shown)

    def forget(self, values: Values) -> dict[str, Any]:
        """Forget records for good."""
        report = self._page.me.forget(
            *values.texts("ids"), keep_turns=values.take("keep_turns", bool, False)
        )
        return {"records": len(report.records), "adapters_stale": list(report.adapters_stale)}


def memory_routes(page: Page) -> list[BaseRoute]:
    """Return the routes that show and change what is remembered."""
    memories = Memories(page)
    return [
        route(page, "GET", "/memories", memories.browse),
        route(page, "GET", "/memories/ids", memories.ids),
        route(page, "GET", "/sources", memories.sources),
        route(page, "POST", "/memories", memories.add),
        route(page, "POST", "/memories/approve", memories.approve),
        route(page, "POST", "/memories/restore", memories.restore),
        route(page, "POST", "/memories/forget/preview", memories.preview),
        route(page, "POST", "/memories/forget", memories.forget),
        route(page, "PATCH", "/memories/{id}", memories.edit),
    ]


def _filter(values: Values) -> Filter:
    kind = values.take("kind", str, None)
    category = values.take("category", str, None) or None
    if category is not None and category not in CATEGORIES:
        raise BadRequestError(f"'{category}' is no category; they are: {', '.join(CATEGORIES)}.")
    return Filter(
        words=values.take("query", str, ""),
        kinds=(kind,) if kind else (),
        category=category,
        state=values.take("state", str, None) or None,
        source_id=values.take("source", str, None) or None,
    )


def as_json(record: AnyRecord) -> dict[str, Any]:
    """Return a record as plain values with its kind."""
    kind = type(record).__name__.lower()
    values = dataclasses.asdict(record)
    if isinstance(record, Source):
        return {**values, "kind": "source", "from": record.kind}
    return {**values, "kind": kind}


def _preview_json(shown: ForgetPreview) -> dict[str, Any]:
    return {
        "count": len(shown.records),
        "facts": sum(isinstance(record, Fact) for record in shown.records),
        "records": [as_json(record) for record in shown.records[:PREVIEW_ROWS]],
        "related": [as_json(turn) for turn in shown.related_turns[:PREVIEW_ROWS]],
        "adapters_stale": list(shown.adapters_stale),
        "vectors": shown.vectors,
        "copies": [dataclasses.asdict(copy) for copy in shown.copies],
    }
