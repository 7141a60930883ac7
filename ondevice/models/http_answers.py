"""What servers say of a file, and how they fail."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ondevice.errors import DownloadError
from ondevice.ground.address import contradiction, host_of
from ondevice.remedies import Remedy

_TRANSIENT = (408, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class RemoteFile:
    """What a server says of a file before sending it.

    Attributes:
        url: to fetch, with the commit instead of a branch where the server told it.
        size_bytes: promised length.
        sha256: promised hash, or None.
        etag: a strong validator, or None.
        commit: of the repository, or None.
    """

    url: str
    size_bytes: int
    sha256: str | None
    etag: str | None
    commit: str | None

    @property
    def identity(self) -> str | None:
        """What must not change between two parts of one download; None: nothing tells."""
        return self.sha256 or self.etag


class BrokenOffError(Exception):
    """The connection failed in a way that another attempt may mend."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        """Say why, and after how many seconds the server asks to be tried again."""
        super().__init__(reason)
        self.wait = wait


def refusal(url: str, response: Any) -> Exception:
    """Return what an answer with an error status means."""
    status, host = response.status, host_of(url)
    if status in _TRANSIENT:
        wait = number_in(response.headers.get("Retry-After")) or 0.001
        return BrokenOffError(f"HTTP {status}", float(wait))
    if status in (401, 403):
        return DownloadError(
            f"{host} gives this file only to people with an account, or there is no such file "
            f"(HTTP {status}), and ondevice sends no token.",
            Remedy.DOWNLOAD_YOURSELF,
        )
    if status in (404, 410):
        return DownloadError(f"{host} has no such file (HTTP {status}).", Remedy.CHECK_REVISION)
    return DownloadError(f"{host} refuses (HTTP {status}); check the address in a browser.")


def start_of(response: Any, had: int, remote: RemoteFile) -> int:
    """Return the offset of the first byte that will come, after checking what the server says."""
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.strip().lower() not in ("identity", ""):
        raise contradiction(remote.url, f"compresses the file ({encoding})")
    if response.status == 206:
        told = re.fullmatch(
            r"bytes (\d+)-(\d+)/(\d+|\*)", (response.headers.get("Content-Range") or "").strip()
        )
        if told is None or int(told[1]) != had or not had:
            raise contradiction(remote.url, "sends another part of the file than was asked for")
        if told[3] != "*" and int(told[3]) != remote.size_bytes:
            raise contradiction(remote.url, "says two different sizes")
        return had
    if response.status != 200:
        raise DownloadError(
            f"{host_of(remote.url)} answers HTTP {response.status} instead of the file; try later."
        )
    length = number_in(response.headers.get("Content-Length"))
    if length is not None and length != remote.size_bytes:
        raise contradiction(remote.url, "says two different sizes")
    return 0  # it sends the whole file, whatever was asked for


def number_in(text: str | None) -> int | None:
    """Return the number that a header says, if it is one."""
    return int(text) if text and re.fullmatch(r"[0-9]{1,15}", text.strip()) else None


def why(error: Exception) -> str:
    """Return a short reason for a connection that failed."""
    reason = getattr(error, "reason", error)
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return " ".join(text.split())[:120]
