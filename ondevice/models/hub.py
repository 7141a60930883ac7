"""Fetching a model file over HTTP: the only code in ondevice that uses the network.

Speaks to Hugging Face's hub and to plain web servers. Sends a method, a path, a range and a
user agent, and nothing else: no token, no cookie, nothing about the person. Only https, except
to this machine itself. Every redirect is checked the same way.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ondevice
from ondevice.errors import DownloadError, InvalidModelError, ModelHashError, explain
from ondevice.ground.address import (
    at_commit,
    check_url,
    checked_redirect,
    contradiction,
    host_of,
    is_loopback,
)
from ondevice.ground.files import sha256_of, write_atomic
from ondevice.models.http_answers import (
    BrokenOffError,
    RemoteFile,
    number_in,
    refusal,
    start_of,
    why,
)
from ondevice.remedies import Remedy

Progress = Callable[[int, int], None]
"""Is called with the bytes that are here and those of the whole file."""

_MOVED = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 8
_BLOCK = 1 << 18  # bytes read at once


@dataclass(frozen=True)
class Patience:
    """How long a bad connection is put up with."""

    timeout: float = 30.0  # seconds without a byte
    attempts: int = 5  # without an advance of `advance` bytes
    pause: float = 1.0  # seconds before the second attempt; then twice as long each time
    advance: int = 1 << 16
    stall: float = 60.0  # seconds; slower than `advance` bytes in this time is as good as broken


class HubClient:
    """Asks servers about files, and fetches them."""

    def __init__(self, patience: Patience | None = None) -> None:
        """Be as patient as said."""
        self.patience = patience or Patience()

    def describe(self, url: str) -> RemoteFile:
        """Ask for size, hash and commit of the file at `url`, which may redirect.

        Raises:
            DownloadError: the server cannot be reached, refuses, or tells no size.
        """
        response, told = self._open_patiently(url)
        response.close()
        size = number_in(told.get("x-linked-size") or told.get("content-length"))
        if size is None or size <= 0:
            raise DownloadError(
                f"{host_of(url)} does not say how long the file is, so a broken transfer "
                "could not be noticed.",
                Remedy.DOWNLOAD_YOURSELF,
            )
        etag = told.get("x-linked-etag") or told.get("etag") or ""
        strong = re.fullmatch(r'"([^"]+)"', etag.strip())
        bare = strong[1] if strong else etag.strip()
        digest = bare.lower() if re.fullmatch(r"[0-9a-fA-F]{64}", bare) else None
        commit = told.get("x-repo-commit")
        commit = commit if commit and re.fullmatch(r"[0-9a-f]{40,64}", commit) else None
        return RemoteFile(
            at_commit(url, commit), size, digest, strong[0] if strong else None, commit
        )

    def fetch(self, remote: RemoteFile, part: Path, progress: Progress | None = None) -> str:
        """Fetch `remote` into `part`, going on from what is there, and return the SHA-256.

        Whatever happens, `part` holds only bytes that came in order; it is deleted when it is
        known to be wrong.

        Raises:
            DownloadError: the connection breaks again and again, or the server contradicts itself.
            InvalidModelError: what comes is no GGUF file.
            ModelHashError: all came, but not with the promised hash.
        """
        note = part.with_name(part.name + ".json")
        _keep_only_what_fits(remote, part, note)
        failures = 0
        while (had := _size(part)) < remote.size_bytes:
            try:
                self._fetch_rest(remote, part, had, progress or _nobody)
                continue
            except InvalidModelError:
                _discard(part, note)
                raise
            except BrokenOffError as error:
                failures = 0 if _size(part) - had >= self.patience.advance else failures
                failures += 1
                if failures >= self.patience.attempts:
                    raise DownloadError(
                        f"The download from {host_of(remote.url)} broke off {failures} times "
                        f"({error}); {_size(part):,} of {remote.size_bytes:,} bytes are here: "
                        "run the same command again, and it goes on from there."
                    ) from error
                wait = max(error.wait, self.patience.pause * 2 ** (failures - 1))
                time.sleep(min(wait, 120.0))
        digest = sha256_of(part)
        if remote.sha256 is not None and digest != remote.sha256:
            _discard(part, note)
            raise ModelHashError(
                f"What {host_of(remote.url)} sent has not the hash that it promised (SHA-256 "
                f"{digest}, promised {remote.sha256}) and was deleted; try again, and if it "
                "happens again use another source."
            )
        note.unlink(missing_ok=True)
        return digest

    def _fetch_rest(self, remote: RemoteFile, part: Path, had: int, progress: Progress) -> None:
        """Append what is missing to `part`; returns early when the stream ends early."""
        headers = {}
        if had:
            headers["Range"] = f"bytes={had}-"
            if remote.sha256 is None and remote.etag is not None:
                headers["If-Range"] = remote.etag
        response, _ = self._open("GET", remote.url, headers)
        with response:
            if response.status == 416:
                part.unlink(missing_ok=True)
                raise BrokenOffError("it does not send parts of the file")
            start = start_of(response, had, remote)
            try:
                with _open_at(part, start) as file:
                    try:
                        self._copy(response, file, start, remote, progress)
                    finally:
                        file.flush()
                        os.fsync(file.fileno())
            except OSError as error:  # of the disk; `_copy` catches those of the network
                raise DownloadError(
                    f"{part} cannot be written: {explain(error)}. What came is kept, and the same "
                    "command goes on from there."
                ) from error

    def _copy(
        self, response: Any, file: Any, start: int, remote: RemoteFile, progress: Progress
    ) -> None:
        here, mark, marked_at = start, start, time.monotonic()
        head = b""
        while here < remote.size_bytes:
            try:
                block = response.read1(min(_BLOCK, remote.size_bytes - here))
            except (OSError, http.client.HTTPException) as error:
                raise BrokenOffError(why(error)) from error
            if not block:
                raise BrokenOffError("it ended early")
            if here < 4:
                head = (head + block)[:4] if here == len(head) else head
                if len(head) == 4 and head != b"GGUF":
                    raise InvalidModelError(
                        f"What {host_of(remote.url)} sends is not a GGUF file; check the address, "
                        "or open it in a browser to see what it is."
                    )
            file.write(block)
            here += len(block)
            progress(here, remote.size_bytes)
            now = time.monotonic()
            if here - mark >= self.patience.advance:
                mark, marked_at = here, now
            elif now - marked_at > self.patience.stall:
                raise BrokenOffError("it had almost come to a halt")

    def _open_patiently(self, url: str) -> tuple[Any, Mapping[str, str]]:
        """Open `url` for a look at its headers, again if the server is only busy."""
        for attempt in range(self.patience.attempts):
            last = attempt == self.patience.attempts - 1
            try:
                response, told = self._open("HEAD", url, {})
                if response.status in (405, 501):  # it knows no HEAD
                    response.close()
                    response, told = self._open("GET", url, {})
                return response, told
            except BrokenOffError as error:
                if last or not error.wait:  # unreachable: say so at once
                    raise DownloadError(
                        f"{host_of(url)} cannot be reached ({error}); check the connection and the "
                        "address, and try again."
                    ) from error
                time.sleep(min(max(error.wait, self.patience.pause * 2**attempt), 120.0))
        raise AssertionError("unreachable")

    def _open(
        self, method: str, url: str, headers: Mapping[str, str]
    ) -> tuple[Any, Mapping[str, str]]:
        """Send a request and follow redirects.

        Returns the response, and the headers that the first host told: what a host that it
        redirects to says of hash and commit counts for nothing.

        Raises:
            DownloadError: a redirect or an answer that cannot be used.
            BrokenOffError: it may work another time.
        """
        first, told = urllib.parse.urlsplit(url).netloc, dict[str, str]()
        for _ in range(_MOST_REDIRECTS):
            response = self._send(method, url, headers)
            if urllib.parse.urlsplit(url).netloc == first:
                told = {**told, **{k.lower(): v for k, v in response.headers.items()}}
                if response.status in _MOVED:
                    told.pop("content-length", None)  # of the redirect's own text
                    if "x-linked-etag" not in told:
                        told.pop("etag", None)
            if response.status not in _MOVED:
                if "content-length" not in told and response.headers.get("Content-Length"):
                    told["content-length"] = response.headers["Content-Length"]
                if response.status >= 400 and response.status not in (405, 416, 501):
                    response.close()
                    raise refusal(url, response)
                return response, told
            location = response.headers.get("Location")
            response.close()
            if method == "HEAD" and "x-linked-etag" in told and "x-linked-size" in told:
                return response, told  # all is told; storage hosts often answer no HEAD
            if not location:
                raise contradiction(url, "redirects to nowhere")
            url = checked_redirect(url, urllib.parse.urljoin(url, location))
        raise contradiction(url, f"redirects more than {_MOST_REDIRECTS} times")

    def _send(self, method: str, url: str, headers: Mapping[str, str]) -> Any:
        check_url(url)
        # Of urllib's handlers only these: no files, no FTP, no passwords, no cookies. The
        # proxies of the environment are used, but not for this machine itself.
        opener = urllib.request.OpenerDirector()
        proxies: dict[str, str] | None = {} if is_loopback(url) else None
        opener.add_handler(urllib.request.ProxyHandler(proxies))
        opener.add_handler(urllib.request.HTTPHandler())
        opener.add_handler(urllib.request.HTTPSHandler(context=ssl.create_default_context()))
        opener.addheaders = [("User-Agent", f"ondevice/{ondevice.__version__}")]
        request = urllib.request.Request(url, headers=dict(headers), method=method)
        request.add_header("Accept-Encoding", "identity")
        try:
            return opener.open(request, timeout=self.patience.timeout)
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, ssl.SSLCertVerificationError):
                raise DownloadError(
                    f"The certificate of {host_of(url)} is not valid ({reason.verify_message}); "
                    "check the clock and the system's certificates, or who stands in between."
                ) from error
            raise BrokenOffError(why(error)) from error


def _keep_only_what_fits(remote: RemoteFile, part: Path, note: Path) -> None:
    """Delete a part that belongs to another file, and note what this one belongs to."""
    try:
        known = json.loads(note.read_bytes())
    except (FileNotFoundError, ValueError):
        known = None
    now = {"identity": remote.identity, "size_bytes": remote.size_bytes}
    fits = isinstance(known, dict) and now.items() <= known.items()
    if remote.identity is None or not fits or _size(part) > remote.size_bytes:
        _discard(part, note)
        write_atomic(note, json.dumps(now).encode())


def _open_at(part: Path, start: int) -> Any:
    descriptor = os.open(part, os.O_CREAT | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o600)
    file = os.fdopen(descriptor, "r+b")
    file.truncate(start)
    file.seek(start)
    return file


def _discard(part: Path, note: Path) -> None:
    part.unlink(missing_ok=True)
    note.unlink(missing_ok=True)


def _size(part: Path) -> int:
    try:
        return part.stat().st_size
    except FileNotFoundError:
        return 0


def _nobody(here: int, size: int) -> None:
    """Tell nobody of the progress."""
