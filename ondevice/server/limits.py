"""What the server allows, once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on what clients may send, hold and wait for."""

    json_bytes: int = 4 << 20  # a body of JSON
    upload_bytes: int = 4 << 30  # a body below /api/imports; it is kept encrypted, on disk
    header_bytes: int = 16 << 10  # request line and headers
    header_seconds: float = 10.0  # from connecting to the end of the headers
    body_seconds: float = 30.0  # between two pieces of a body
    send_seconds: float = 30.0  # a client that does not read what waits for it is dropped
    connections: int = 512
    queued: int = 256  # requests that wait for the model
    wait_seconds: float = 300.0  # longest wait for the model
    stop_seconds: float = 5.0  # from SIGTERM to the end of the last answer
