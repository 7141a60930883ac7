"""A small server that speaks as Hugging Face's hub does, and misbehaves on request."""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import gguf
from byte_vocabulary import SIZE, add_bytes
from tiny_models import write_tiny

COMMIT = "c0ffee" * 6 + "cafe"
PLACE = "/owner/repo/resolve/main/tiny.gguf"


def tiny_model(path: Path, architecture: str = "llama", seed: int = 0) -> bytes:
    """Write a small random model that llama.cpp can load; about 330 kB."""

    def describe(writer: gguf.GGUFWriter) -> None:
        writer.add_type("model")
        writer.add_license("apache-2.0")
        add_bytes(writer)

    options = {"layers": 1, "ff": 256, "vocab": SIZE, "seed": seed}
    return write_tiny(path, architecture, tokenizer=describe, **options).read_bytes()


@dataclass
class Hub:
    """What the server holds and does.

    `plan` has one word for each transfer; when it is used up, transfers are good. `HEAD` and `GET`
    of the resolve address redirect to another host name, as the hub does to its storage.
    """

    content: bytes
    plan: list[str] = field(default_factory=list)
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    redirect: str | None = None
    resolve_status: int = 302
    busy: int = 0  # so many answers of 503 before the redirect
    linked: bool = True  # tells size and hash, as for files in large-file storage
    sha256: str | None = None  # a lie, if it is one
    size: int | None = None
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PLACE}"

    def transfers(self) -> list[str | None]:
        """Return the ranges that were asked of the storage."""
        return [
            headers.get("range")
            for method, path, headers in self.seen
            if method == "GET" and path.startswith("/storage")
        ]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        hub: Hub = self.server.hub
        headers = {name.lower(): value for name, value in self.headers.items()}
        hub.seen.append((self.command, self.path, headers))
        self.close_connection = True
        if self.path.startswith("/storage") or self.path.startswith("/plain"):
            self._store(hub)
            return
        if "/resolve/" not in self.path:
            self._head(404)
        elif hub.busy:
            hub.busy -= 1
            self._head(503, {"Retry-After": "0"})
        elif hub.resolve_status != 302:
            self._head(hub.resolve_status)
        else:
            told = {"Location": hub.redirect or f"http://localhost:{hub.port}/storage/tiny?sig=x"}
            told["X-Repo-Commit"] = COMMIT
            if hub.linked:
                digest = hub.sha256 or hashlib.sha256(hub.content).hexdigest()
                told["X-Linked-Etag"] = f'"{digest}"'
                told["X-Linked-Size"] = str(hub.size or len(hub.content))
            self._head(302, told)

    def _head(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Length": "0",
            "Connection": "close",
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()

    def _store(self, hub: Hub) -> None:
        plan = hub.plan.pop(0) if hub.plan and self.command == "GET" else "good"
        word, _, argument = plan.partition(":")
        content, start, status = hub.content, 0, 200
        wanted = self.headers.get("Range")
        if wanted and word != "whole":
            start, status = int(wanted.removeprefix("bytes=").rstrip("-")), 206
        if word == "status":
            self._head(int(argument))
            return
        if word == "other":
            content = content[:64] + bytes(len(content) - 64)
        if word == "html":
            content = b"<html>sign in</html>".ljust(len(content))
        headers = {"Content-Length": str(len(content) - start)}
        if hub.linked is False:
            headers["ETag"] = f'"{hashlib.md5(content).hexdigest()}"'
        if word == "gzip":
            headers["Content-Encoding"] = "gzip"
        if word == "longer":
            headers["Content-Length"] = str(len(content) + 5)
        if status == 206:
            first = start + 1 if word == "shifted" else start
            total = len(content) + 1 if word == "resized" else len(content)
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{total}"
        self._head(status, headers)
        if self.command == "HEAD":
            return
        body = content[start:]
        if word in ("cut", "stall"):
            self.wfile.write(body[: int(argument)])
            self.wfile.flush()
            if word == "stall":
                time.sleep(1.0)
        elif word == "trickle":  # so that somebody can stop it
            for at in range(0, len(body), 1 << 12):
                self.wfile.write(body[at : at + (1 << 12)])
                time.sleep(0.05)
        elif word == "drip":
            for byte in body[:200]:
                self.wfile.write(bytes([byte]))
                time.sleep(0.01)
        else:
            self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients hang up on purpose


class RunningHub:
    """Runs a hub on this machine for a `with` block."""

    def __init__(self, hub: Hub) -> None:
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.hub = hub  # type: ignore[attr-defined]
        hub.port = self.server.server_address[1]
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}
        )

    def __enter__(self) -> RunningHub:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
