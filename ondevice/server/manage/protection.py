"""What opens the profile, and how long it keeps what, through the page."""

from __future__ import annotations

import dataclasses
from typing import Any

from starlette.routing import BaseRoute

from ondevice.server.manage.http import BadRequestError, Values, route
from ondevice.server.manage.page import Page
from ondevice.settings import RetentionSettings
from ondevice.store import key_changes
from ondevice.store.keyring_store import SystemKeyring

MOST_DAYS = 100_000


def protection_routes(page: Page) -> list[BaseRoute]:
    """Return the routes about passphrase, recovery code, keyring and retention."""
    return [*_key_routes(page), *_retention_routes(page)]


def _key_routes(page: Page) -> list[BaseRoute]:

    def keys(values: Values) -> dict[str, Any]:
        profile = page.profile
        return {
            "profile": profile.name,
            "keys": key_changes.ways_in(profile.home, profile.name),
            "keyring_here": SystemKeyring.find() is not None,
        }

    def set_passphrase(values: Values) -> dict[str, Any]:
        key_changes.set_passphrase(page.profile, values.take("passphrase", str))
        return keys(values)

    def remove_passphrase(values: Values) -> dict[str, Any]:
        said: list[str] = []
        key_changes.remove_passphrase(page.profile, warn=said.append)
        return {**keys(values), "warnings": said}

    def new_recovery_code(values: Values) -> dict[str, Any]:
        code = key_changes.new_recovery_code(page.profile)
        return {**keys(values), "code": code}

    def remove_recovery_code(values: Values) -> dict[str, Any]:
        key_changes.remove_recovery_code(page.profile)
        return keys(values)

    def keyring(values: Values) -> dict[str, Any]:
        if values.take("on", bool):
            key_changes.add_keyring(page.profile)
        else:
            key_changes.remove_keyring(page.profile)
        return keys(values)

    return [
        route(page, "GET", "/privacy/keys", keys),
        route(page, "POST", "/privacy/passphrase", set_passphrase),
        route(page, "POST", "/privacy/passphrase/remove", remove_passphrase),
        route(page, "POST", "/privacy/recovery", new_recovery_code),
        route(page, "POST", "/privacy/recovery/remove", remove_recovery_code),
        route(page, "POST", "/privacy/keyring", keyring),
    ]


def _retention_routes(page: Page) -> list[BaseRoute]:
    def retention(values: Values) -> dict[str, Any]:
        kept = page.profile.retention.days()
        return {"retention": dataclasses.asdict(kept)}

    def keep(values: Values) -> dict[str, Any]:
        profile = page.profile
        names = [field.name for field in dataclasses.fields(RetentionSettings)]
        days = {name: values.take(name, int) for name in names if values.get(name) is not None}
        if not all(0 <= number <= MOST_DAYS for number in days.values()):
            raise BadRequestError(f"Days are a number from 0 (until forgotten) to {MOST_DAYS}.")
        records, feedback = profile.retention.due(
            dataclasses.replace(profile.retention.days(), **days)
        )
        due = [*records, *feedback]
        if due and not values.take("confirm", bool, False):
            return {**retention(values), "due": len(due), "forgotten": 0}
        if days:
            profile.retention.set(**days)
        gone = profile.purge_due()
        return {**retention(values), "due": 0, "forgotten": len(gone.records)}

    return [
        route(page, "GET", "/privacy/retention", retention),
        route(page, "POST", "/privacy/retention", keep),
    ]
