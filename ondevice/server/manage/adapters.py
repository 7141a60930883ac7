"""Adapters through the page: where each comes from, and which are used."""

from __future__ import annotations

from typing import Any

from starlette.routing import BaseRoute

from ondevice.adapters.builtin_reader import READER, builtin_reader
from ondevice.adapters.registry import AdapterRegistry
from ondevice.server.manage.http import Values, route
from ondevice.server.manage.learning import finite
from ondevice.server.manage.memories import as_json
from ondevice.server.manage.page import Page
from ondevice.store.records import AdapterRow

LINEAGE_ROWS = 100  # records of an adapter that are shown


def adapter_routes(page: Page) -> list[BaseRoute]:
    """Return the routes that show, use and remove adapters."""

    def list_(values: Values) -> dict[str, Any]:
        rows = AdapterRegistry(page.profile).list()
        return {"adapters": [_row_json(row) for row in reversed(rows)], "reader": _reader(page)}

    def lineage(values: Values) -> dict[str, Any]:
        row = AdapterRegistry(page.profile).get(values.take("name", str))
        known = page.profile.records(row.records)
        shown = [as_json(record) for record in list(known.values())[:LINEAGE_ROWS]]
        return {**_row_json(row), "records": shown, "training": finite(row.training)}

    def use(values: Values) -> dict[str, Any]:
        page.refuse_while_busy()
        name = values.take("name", str)
        registry = AdapterRegistry(page.profile)
        known = 1.0 if name == READER else registry.get(name).scale
        with page.model():
            registry.use(name, values.take("scale", float, known))
            page.me.use_adapters(None)
        return list_(values)

    def off(values: Values) -> dict[str, Any]:
        page.refuse_while_busy()
        with page.model():
            AdapterRegistry(page.profile).off(values.take("name", str))
            page.me.use_adapters(None)
        return list_(values)

    def roll_back(values: Values) -> dict[str, Any]:
        page.refuse_while_busy()
        with page.model():
            _, lost = page.profile.adapters.roll_back()
            page.me.use_adapters(None)
        return {**list_(values), "lost": lost}

    def remove(values: Values) -> dict[str, Any]:
        page.refuse_while_busy()
        with page.model():
            AdapterRegistry(page.profile).remove(values.take("name", str))
            page.me.use_adapters(None)
        return list_(values)

    return [
        route(page, "GET", "/adapters", list_),
        route(page, "GET", "/adapters/{name}", lineage),
        route(page, "POST", "/adapters/use", use),
        route(page, "POST", "/adapters/off", off),
        route(page, "POST", "/adapters/rollback", roll_back),
        route(page, "POST", "/adapters/remove", remove),
    ]


def _row_json(row: AdapterRow) -> dict[str, Any]:
    training = row.training
    metrics = training.get("metrics", {})
    plain: dict[str, Any] = finite(
        {
            "name": row.name,
            "state": row.state,
            "scale": row.scale,
            "rank": row.rank,
            "created": row.created,
            "scope": row.scope,
            "sha256": row.file_sha256,
            "base_sha256": row.base_sha256,
            "n_records": len(row.records),
            "method": training.get("method"),
            "from": training.get("from"),
            "why": training.get("why"),
            "arms": metrics.get("arms"),
            "summary": metrics.get("summary"),
            "decision": metrics.get("decision"),
            "audits": metrics.get("audits"),
        }
    )
    return plain


def _reader(page: Page) -> dict[str, Any] | None:
    reader = builtin_reader(page.me.engine.model)
    if reader is None:
        return None
    return {"name": READER, "scale": page.profile.adapters.reader_scale(), "sha256": reader.sha256}
