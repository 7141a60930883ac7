"""The API of "What I know about you": look, add, correct, pin, approve, forget."""

from __future__ import annotations

import dataclasses
from typing import Any

from starlette.routing import BaseRoute

from ondevice.profile.browse import Filter
from ondevice.profile.records import CATEGORIES, AnyRecord, Fact, ForgetPreview, Source
from ondevice.recall.facts import candidate_for
from ondevice.server.manage.http import BadRequestError, Values, route
from ondevice.server.manage.page import Page

MAX_ROWS = 500  # of one answer
PREVIEW_ROWS = 50  # of what would be forgotten; the rest is counted


def memory_routes(page: Page) -> list[BaseRoute]:
    """Return the routes that show and change what is remembered."""

    def browse(values: Values) -> dict[str, Any]:
        wanted = _filter(values)
        limit = min(values.take("limit", int, 100), MAX_ROWS)
        offset = values.take("offset", int, 0)
        profile = page.profile
        rows = profile.browse(wanted, offset=offset, limit=limit)
        return {
            "total": profile.count(wanted),
            "offset": offset,
            "memories": [as_json(row) for row in rows],
        }

    def ids(values: Values) -> dict[str, Any]:
        return {"ids": page.profile.browse_ids(_filter(values))}

    def sources(values: Values) -> dict[str, Any]:
        found = page.profile.sources_and_counts()
        return {"sources": [{**as_json(source), "records": n} for source, n in found]}

    def add(values: Values) -> dict[str, Any]:
        text = values.take("text", str)
        candidate = candidate_for(text)
        if not candidate.text.strip():
            raise BadRequestError("Say what to remember.")
        category = values.take("category", str, None) or candidate.category
        fact = page.recall.add_fact(
            dataclasses.replace(candidate, category=category),
            pinned=values.take("pinned", bool, False),
            learn=values.take("learn", bool, True),
        )
        return as_json(fact)

    def edit(values: Values) -> dict[str, Any]:
        fact_id = values.take("id", str)
        changes = {
            name: values.take(name, kind)
            for name, kind in (("text", str), ("category", str), ("learn", bool))
            if name in values
        }
        fact = page.profile.get(fact_id)
        if changes:
            fact = page.recall.edit_fact(fact_id, **changes)
        if "pinned" in values:
            fact = page.profile.pin(fact_id, values.take("pinned", bool))
        return as_json(fact)

    def approve(values: Values) -> dict[str, Any]:
        recall = page.recall
        return {"memories": [as_json(recall.approve(one)) for one in values.texts("ids")]}

    def preview(values: Values) -> dict[str, Any]:
        from ondevice.adapters import forgetting

        shown = forgetting.preview(
            page.profile, values.texts("ids"), keep_turns=values.take("keep_turns", bool, False)
        )
        return _preview_json(shown)

    def forget(values: Values) -> dict[str, Any]:
        report = page.me.forget(
            *values.texts("ids"), keep_turns=values.take("keep_turns", bool, False)
        )
        return {"records": len(report.records), "adapters_stale": list(report.adapters_stale)}

    return [
        route(page, "GET", "/memories", browse),
        route(page, "GET", "/memories/ids", ids),
        route(page, "GET", "/sources", sources),
        route(page, "POST", "/memories", add),
        route(page, "POST", "/memories/approve", approve),
        route(page, "POST", "/memories/forget/preview", preview),
        route(page, "POST", "/memories/forget", forget),
        route(page, "PATCH", "/memories/{id}", edit),
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
