"""Forgetting, exactly: records, everything made of them, and the adapters that learned them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ondevice.adapters.registry import AdapterRegistry
from ondevice.settings import RetentionSettings
from ondevice.store.certificate import Certificate, certify, public_key_of
from ondevice.store.profile import Profile
from ondevice.store.records import AdapterRow, AnyRecord, ForgetPreview, ForgetReport, Source
from ondevice.store.working_folder import clear_workplaces


@dataclass(frozen=True)
class Forgotten:
    """What was done.

    Attributes:
        report: ids of what is gone, names of the adapters that are stale by it.
        shredded: names of adapters whose files are gone too.
        certificate: signed, without any text.
    """

    report: ForgetReport
    shredded: tuple[str, ...]
    certificate: Certificate


def preview(profile: Profile, ids: Sequence[str], *, keep_turns: bool = False) -> ForgetPreview:
    """Return what would go: the records and, unless `keep_turns`, the turns that say the same."""
    shown = profile.preview_forget(ids)
    if keep_turns or not shown.related_turns:
        return shown
    return profile.preview_forget([*ids, *(turn.id for turn in shown.related_turns)])


def forget(profile: Profile, shown: ForgetPreview, *, keep_stale: bool = False) -> Forgotten:
    """Delete what `shown` lists, in one transaction, and shred what learned it.

    Adapters that list one of the records are stale in the same transaction and never loaded
    again; their files and the states of unfinished trainings are shredded afterwards. If the
    process dies in between, the next `forget` or `learn` does it.

    Args:
        profile: an open profile.
        shown: from `preview`.
        keep_stale: leave the stale adapters' files; still encrypted, still never loaded.

    Raises:
        RecordNotFoundError: something of it is already gone; nothing was deleted.
    """
    registry = AdapterRegistry(profile)
    ids = [record.id for record in shown.records]
    learned = {row.id for row in registry.list() if not set(ids).isdisjoint(row.records)}
    report = profile.forget(ids)
    affected = [row for row in registry.list() if row.id in learned]
    clear_workplaces(profile.folder)
    registry.clear_checkpoints()
    shredded = () if keep_stale else registry.shred_stale()
    certificate = certify(
        profile.derive_key("certificates"),
        [(type(record).__name__.lower(), _text(record)) for record in shown.records],
        adapters=[_fate(row, registry) for row in affected],
        purged=report.purged,
    )
    return Forgotten(report, shredded, certificate)


def expire(
    profile: Profile, retention: RetentionSettings, now: float | None = None
) -> ForgetReport:
    """Delete what was kept as long as it may be, and shred the adapters that learned it.

    Args:
        profile: an open profile.
        retention: days by kind; the profile's own count more.
        now: seconds since 1970; the clock if None.
    """
    report = profile.expire(retention, now)
    if report.records:
        registry = AdapterRegistry(profile)
        clear_workplaces(profile.folder)
        registry.clear_checkpoints()
        registry.shred_stale()
    return report


def public_key(profile: Profile) -> bytes:
    """Return the key that checks certificates of `profile`."""
    return public_key_of(profile.derive_key("certificates"))


def _fate(row: AdapterRow, registry: AdapterRegistry) -> dict[str, str]:
    file = "kept, encrypted" if registry.file_exists(row) else "shredded"
    return {"sha256": row.file_sha256, "state": row.state, "file": file}


def _text(record: AnyRecord) -> str:
    if isinstance(record, Source | AdapterRow):
        return record.name
    return record.text or ""
