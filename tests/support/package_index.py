"""A small package index on this machine, with wheels that hold parts of a file, or misbehave."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

VERSION = "1.0"


def wheel_name(number: int) -> str:
    return f"tiny_model_part{number}-{VERSION}-py3-none-any.whl"


def make_wheel(
    number: int, *data: tuple[str, bytes], compression: int = zipfile.ZIP_STORED
) -> bytes:
    """Return a wheel with these data members beside what every wheel has."""
    package = f"tiny_model_part{number}"
    metadata = f"{package}-{VERSION}.dist-info"
    members = {
        f"{package}/__init__.py": b"raise RuntimeError('nothing of this is ever run')\n",
        f"{metadata}/METADATA": (
            f"Metadata-Version: 2.1\nName: tiny-model-part{number}\nVersion: {VERSION}\n"
            "Requires-Dist: nothing-that-exists\n"
        ).encode(),
        f"{metadata}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{metadata}/RECORD": b"",
    }
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", compression) as archive:
        for name, content in (*members.items(), *data):
            archive.writestr(name, content)
    return target.getvalue()


def part_wheel(number: int, content: bytes) -> bytes:
    """Return a wheel as it should be."""
    return make_wheel(number, (f"tiny_model_part{number}/data/model.part{number}", content))


@dataclass
class Index:
    """What the index holds and does.

    `wheels` has the files by the number of the part; a missing number is a missing package.
    A transfer of the part `stalls` sends half and waits until `go_on` is set. `seen` has the
    numbers of the parts that were transferred.
    """

    wheels: dict[int, bytes]
    stalls: int | None = None
    go_on: threading.Event = field(default_factory=threading.Event)
    seen: list[int] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/simple/"


class _Handler(BaseHTTPRequestHandler):
    server: Any

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        index: Index = self.server.index
        kind, _, name = self.path.strip("/").partition("/")
        number = int("".join(c for c in name.partition("-1.0")[0] if c.isdigit()) or 0)
        wheel = index.wheels.get(number)
        if wheel is None:
            self._send(404, b"")
        elif kind == "simple":
            digest = hashlib.sha256(wheel).hexdigest()
            name = wheel_name(number)
            page = f'<!DOCTYPE html><a href="/files/{name}#sha256={digest}">{name}</a>'
            self._send(200, page.encode(), "text/html")
        else:
            index.seen.append(number)
            self._send(200, wheel, "application/octet-stream", stalls=index.stalls == number)

    def _send(
        self, status: int, body: bytes, kind: str = "text/plain", *, stalls: bool = False
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        half = len(body) // 2 if stalls else len(body)
        self.wfile.write(body[:half])
        if stalls:
            self.wfile.flush()
            self.server.index.go_on.wait(60)
            self.wfile.write(body[half:])


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that was stopped


class RunningIndex:
    """An index that serves while the block lasts."""

    def __init__(self, index: Index) -> None:
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.index = index
        index.port = self.server.server_address[1]
        self._index = index

    def __enter__(self) -> Index:
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self._index

    def __exit__(self, *error: object) -> None:
        self._index.go_on.set()
        self.server.shutdown()
        self.server.server_close()
