"""What opens the profile, and how long it keeps what, through the page."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from pydantic import Field

from ondevice.server.manage.page import Page, page_routes
from ondevice.server.manage.privacy import Passphrase
from ondevice.server.manage.records import mirrored
from ondevice.server.routing import Answer, Fields
from ondevice.settings import RetentionSettings
from ondevice.store.access import key_changes
from ondevice.store.access.keyring_store import SystemKeyring

Days = Annotated[int, Field(ge=0, le=100_000, description="0 keeps them until forgotten.")]

routes = page_routes()


# --- keys ---------------------------------------------------------------------------------


class Keys(Answer):
    """What opens the profile."""

    profile: str
    keys: list[str]
    keyring_here: bool


@routes.get("/privacy/keys")
def keys(page: Page) -> Keys:
    """What opens the profile."""
    profile = page.profile
    return Keys(
        profile=profile.name,
        keys=key_changes.ways_in(profile.home, profile.name),
        keyring_here=SystemKeyring.find() is not None,
    )


@routes.post("/privacy/passphrase")
def set_passphrase(page: Page, body: Passphrase) -> Keys:
    """Set a passphrase."""
    key_changes.set_passphrase(page.profile, body.passphrase)
    return keys(page)


class KeysWarned(Keys):
    """What opens the profile, and what to know."""

    warnings: list[str]


@routes.post("/privacy/passphrase/remove")
def remove_passphrase(page: Page) -> KeysWarned:
    """Remove the passphrase."""
    said: list[str] = []
    key_changes.remove_passphrase(page.profile, warn=said.append)
    return mirrored(KeysWarned, keys(page), warnings=said)


class RecoveryCode(Keys):
    """What opens the profile, and the code, shown this once."""

    code: str


@routes.post("/privacy/recovery")
def new_recovery_code(page: Page) -> RecoveryCode:
    """Make a recovery code."""
    code = key_changes.new_recovery_code(page.profile)
    return mirrored(RecoveryCode, keys(page), code=code)


@routes.post("/privacy/recovery/remove")
def remove_recovery_code(page: Page) -> Keys:
    """Remove the recovery code."""
    key_changes.remove_recovery_code(page.profile)
    return keys(page)


class Keyring(Fields):
    """Whether the system's keyring opens the profile."""

    on: bool


@routes.post("/privacy/keyring")
def keyring(page: Page, body: Keyring) -> Keys:
    """Use the keyring or not."""
    if body.on:
        key_changes.add_keyring(page.profile)
    else:
        key_changes.remove_keyring(page.profile)
    return keys(page)


# --- retention ----------------------------------------------------------------------------


class RetentionShown(Answer):
    """How long records are kept."""

    retention: RetentionSettings


@routes.get("/privacy/retention")
def retention(page: Page) -> RetentionShown:
    """How long records are kept."""
    return RetentionShown(retention=_retention(page))


class Retention(Fields):
    """How many days records are kept; what is absent stays as it is."""

    fact_days: Days | None = None
    sample_days: Days | None = None
    turn_days: Days | None = None
    feedback_days: Days | None = None
    confirm: bool = Field(False, description="Forget at once what is due.")


class RetentionKept(RetentionShown):
    """How long records are kept, what is due, and what was forgotten."""

    due: int
    forgotten: int


@routes.post("/privacy/retention")
def keep(page: Page, body: Retention) -> RetentionKept:
    """Say how long records are kept."""
    profile = page.profile
    days = body.model_dump(exclude_none=True, exclude={"confirm"})
    records, feedback = profile.retention.due(dataclasses.replace(_retention(page), **days))
    due = len(records) + len(feedback)
    if due and not body.confirm:
        return RetentionKept(retention=_retention(page), due=due, forgotten=0)
    if days:
        profile.retention.set(**days)
    gone = profile.purge_due()
    return RetentionKept(retention=_retention(page), due=0, forgotten=len(gone.records))


def _retention(page: Page) -> RetentionSettings:
    return page.profile.retention.days()
