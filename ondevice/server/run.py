"""Listening: uvicorn with bounds on slow connections, ready line on stdout, clean stop."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
from collections.abc import Callable
from typing import Any, cast

import h11
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from ondevice.errors import SettingsError
from ondevice.remedies import Remedy
from ondevice.server.limits import Limits


def listen(host: str, port: int) -> socket.socket:
    """Return a bound socket; port 0 takes a free one.

    Raises:
        SettingsError: the address or the port cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio sends small packets at once (no Nagle) only then: every
    # token is one, and each would wait 40 ms for the client's acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # On Windows "reuse" would share the port with whoever listens there already.
        shared = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
        listener.setsockopt(socket.SOL_SOCKET, shared, 1)
        listener.bind((host, port))
        listener.listen(512)  # now, or another server could bind until the model is loaded
    except OSError as error:
        listener.close()
        not_here = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        raise SettingsError(
            f"Cannot listen on {host}, port {port} ({error.strerror}).",
            Remedy.CHOOSE_ADDRESS if not_here else Remedy.CHOOSE_PORT,
        ) from error
    listener.set_inheritable(False)
    return listener


class TogetherTransport:
    """A connection on which what is written in one round of the event loop is sent at once.

    Else the head of an answer, and each of the first events, would wake the client by itself, and
    waking up takes milliseconds while the model has all processors.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        """Send through `transport`."""
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send `data` before the event loop waits again."""
        if not self._held:
            self._loop.call_soon(self._send)
        self._held.append(data)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes the client has not taken yet."""
        return self._transport.get_write_buffer_size() + sum(map(len, self._held))

    def close(self) -> None:
        """Send what is held, then close."""
        self._send()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        """Everything else is the connection's own."""
        return getattr(self._transport, name)

    def _send(self) -> None:
        held, self._held = b"".join(self._held), []
        if held and not self._transport.is_closing():
            self._transport.write(held)


def protocol_with(limits: Limits) -> type[H11Protocol]:
    """Return uvicorn's protocol with bounds on how slowly clients may send and read."""

    class PatientProtocol(H11Protocol):
        """Drops connections that do not send a whole header in time, or do not read answers."""

        _deadline: asyncio.TimerHandle | None = None
        _unread: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            """Start the clock, or refuse: there are too many connections."""
            super().connection_made(transport)
            if len(self.connections) > limits.connections:
                transport.abort()
                return
            self.transport = cast(asyncio.Transport, TogetherTransport(transport, self.loop))
            self._deadline = self.loop.call_later(limits.header_seconds, self._too_slow)

        def handle_events(self) -> None:
            """Stop the clock when a request has begun, start it when the next one is awaited."""
            super().handle_events()
            if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
                if self._deadline is None:  # a next header has begun to come
                    self._deadline = self.loop.call_later(limits.header_seconds, self._too_slow)
            elif self._deadline is not None and self.cycle is not None:
                self._deadline.cancel()
                self._deadline = None

        def connection_lost(self, exc: Exception | None) -> None:
            """Stop the clock."""
            for clock in (self._deadline, self._unread):
                if clock is not None:
                    clock.cancel()
            super().connection_lost(exc)

        def pause_writing(self) -> None:
            """Start the clock: 64 kB wait for the client, beside what the system buffers."""
            super().pause_writing()
            self._unread = self.loop.call_later(limits.send_seconds, self.transport.abort)

        def resume_writing(self) -> None:
            """Stop the clock: the client reads."""
            if self._unread is not None:
                self._unread.cancel()
            super().resume_writing()

        def timeout_keep_alive_handler(self) -> None:
            """End an idle connection, also if the end of its last answer was never read."""
            if self.transport.get_write_buffer_size():
                self.transport.abort()
            else:
                super().timeout_keep_alive_handler()

        def _too_slow(self) -> None:
            self._deadline = None
            if not self.transport.is_closing():
                self.transport.abort()

    return PatientProtocol


class Server(uvicorn.Server):
    """uvicorn's server that says when it is ready, and leaves no answer running when it stops."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        """Call `ready` when connections are accepted."""
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()


def server_for(app: Starlette, limits: Limits, ready: Callable[[], None]) -> Server:
    """Return a server of `app` that calls `ready` when connections are accepted."""
    # h11 tells of malformed requests, which are not worth a line; nothing personal is logged.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    config = uvicorn.Config(
        app,
        http=protocol_with(limits),
        ws="none",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=limits.header_bytes,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=int(limits.stop_seconds),
        lifespan="on",
    )
    return Server(config, ready)


def serve(server: Server, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT; answers under way have a few seconds to end."""
    # When it has stopped, uvicorn raises the signal again, which would end the process before the
    # profile is closed.
    former = {
        number: signal.signal(number, _already_stopped)
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        asyncio.run(server.serve([listener]))
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _already_stopped(_number: int, _frame: object) -> None:
    """Do nothing: the server has stopped for this signal."""
