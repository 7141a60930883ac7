"""The gate in front of every route: Host, Origin, method, token, content type, sizes, times.

Browsers attack servers on loopback in known ways, and each has its bar here: a name that is
rebound to 127.0.0.1 has another Host; another site's script has another Origin, may not send JSON
without asking first, and is never answered with CORS headers unless its origin was configured;
a form cannot send JSON or a bearer token; a frame is forbidden by the content policy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ondevice.server.access import Access
from ondevice.server.errors import ApiError, error_response
from ondevice.server.limits import Limits

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_WITH_BODY = ("POST", "PUT", "PATCH")
UPLOADS = "/api/imports"  # takes files as application/octet-stream
# Everything else outside these is the page: public code, no data.
_GUARDED = ("/v1", "/api", "/openapi.json")

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
SECURITY_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
]


def cookie_name(port: int) -> str:
    """Return the session cookie's name; browsers share cookies between the ports of a host."""
    return f"ondevice-{port}"


class Gate:
    """ASGI middleware; `scope["state"]["session"]` is the session's secret, if one came."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        access: Access,
        port: int,
        hosts: Iterable[str],
        proxied: Iterable[str] = (),
        origins: Iterable[str] = (),
        limits: Limits | None = None,
    ) -> None:
        """Guard `app`.

        Args:
            app: what is guarded.
            access: tokens and sessions.
            port: the one that clients connect to.
            hosts: allowed Host headers, with port.
            proxied: names under which a proxy is reached, on the ports of http and https.
            origins: other origins whose scripts may come, with a token.
            limits: bounds on bodies and times.
        """
        self._app = app
        self._access = access
        self._cookie = cookie_name(port)
        direct = {host.lower().encode() for host in hosts}
        behind = {name.lower().encode() for name in proxied}
        self._hosts = frozenset(direct | behind)
        self._own = frozenset(
            [b"http://" + host for host in self._hosts] + [b"https://" + name for name in behind]
        )
        self._foreign = frozenset(origin.encode() for origin in origins)
        self._limits = limits or Limits()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no websockets
            return
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        origin = _only(headers, b"origin") or b""
        send = self._sender(send, origin if origin in self._foreign else b"")
        try:
            self._check_length(scope, headers)
            self._check_source(headers, origin)
            if scope["method"] == "OPTIONS" and origin in self._foreign:
                await self._preflight(send)
                return
            self._check_method(scope)
            self._check_token(scope, headers, origin)
            receive = self._receiver(receive, self._check_body(scope, headers))
        except ApiError as error:
            await error_response(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check_length(self, scope: Scope, headers: list[tuple[bytes, bytes]]) -> None:
        """Bound what came in one piece; what comes bit by bit is bounded where it is read."""
        target = len(scope.get("raw_path") or b"") + len(scope["query_string"])
        if target + sum(len(name) + len(value) for name, value in headers) > (
            self._limits.header_bytes
        ):
            raise ApiError(431, "The headers are too long.", code="too_long")

    def _check_source(self, headers: list[tuple[bytes, bytes]], origin: bytes) -> None:
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            raise ApiError(
                421,
                "This server does not answer under that host name; if it is its own, allow the "
                "name when the server is started.",
                code="unknown_host",
            )
        if sum(name == b"origin" for name, _ in headers) > 1 or (
            origin and origin not in self._own | self._foreign
        ):
            raise ApiError(403, "Requests from this origin are refused.", code="foreign_origin")
        site = _only(headers, b"sec-fetch-site")
        if site in (b"cross-site", b"same-site") and origin not in self._foreign:
            raise ApiError(403, "Requests from other sites are refused.", code="foreign_origin")

    def _check_method(self, scope: Scope) -> None:
        if scope["method"] not in METHODS:
            raise ApiError(
                405, "This method is not allowed.", code="method", headers={"allow": "GET, POST"}
            )

    def _check_token(self, scope: Scope, headers: list[tuple[bytes, bytes]], origin: bytes) -> None:
        scope.setdefault("state", {})["session"] = None
        given = [value for name, value in headers if name == b"authorization"]
        session = _cookie_in(headers, self._cookie)
        # A cookie comes along by itself, so what changes something must prove its page.
        proven = scope["method"] in ("GET", "HEAD") or origin in self._own
        if session and not given and proven and self._access.session_fits(session):
            scope["state"]["session"] = session
            return
        if self._access.open or not is_guarded(scope["path"]):
            return
        if len(given) == 1:
            scheme, _, token = given[0].partition(b" ")
            if scheme.lower() == b"bearer" and self._access.token_fits(token.strip()):
                return
        raise ApiError(
            401,
            "Send the token of the token file as 'Authorization: Bearer …', or open the link that "
            "the server prints when it starts.",
            code="invalid_api_key",
            headers={"www-authenticate": "Bearer"},
        )

    def _check_body(self, scope: Scope, headers: list[tuple[bytes, bytes]]) -> int:
        """Check kind and promised length of the body; return how long it may be."""
        upload = scope["path"].startswith(UPLOADS)
        kinds = [value for name, value in headers if name == b"content-type"]
        has_body = any(
            (name == b"content-length" and value != b"0") or name == b"transfer-encoding"
            for name, value in headers
        )
        longest = self._limits.json_bytes
        if scope["method"] in _WITH_BODY or has_body:
            kind = kinds[0].split(b";")[0].strip().lower() if len(kinds) == 1 else b""
            if upload and kind == b"application/octet-stream":
                longest = self._limits.upload_bytes
            elif kind != b"application/json":
                raise ApiError(
                    415, "The body's content type must be application/json.", code="content_type"
                )
        length = _only(headers, b"content-length") or b"0"
        if not length.isdigit() or int(length) > longest:
            raise _too_long(longest)
        return longest

    def _receiver(self, receive: Receive, longest: int) -> Receive:
        """Bound the body's length and the time between its pieces."""
        got, complete = 0, False

        async def bounded() -> Message:
            nonlocal got, complete
            if complete:
                return await receive()  # waits for the client to go
            try:
                async with asyncio.timeout(self._limits.body_seconds):
                    message = await receive()
            except TimeoutError:
                raise ApiError(408, "The body came too slowly.", code="timeout") from None
            got += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if got > longest:
                raise _too_long(longest)
            return message

        return bounded

    def _sender(self, send: Send, foreign: bytes) -> Send:
        """Add the security headers."""
        extra = list(SECURITY_HEADERS)
        if foreign:
            extra += [(b"access-control-allow-origin", foreign), (b"vary", b"Origin")]
            extra = [
                (name, b"cross-origin" if name == b"cross-origin-resource-policy" else value)
                for name, value in extra
            ]

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name.lower() for name, _ in message["headers"]}
                added = [] if b"cache-control" in names else [(b"cache-control", b"no-store")]
                message = {**message, "headers": [*message["headers"], *extra, *added]}
            await send(message)

        return guarded

    async def _preflight(self, send: Send) -> None:
        headers = [
            (b"access-control-allow-methods", ", ".join(METHODS).encode()),
            (b"access-control-allow-headers", b"authorization, content-type"),
            (b"access-control-max-age", b"600"),
        ]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def _only(headers: list[tuple[bytes, bytes]], wanted: bytes) -> bytes | None:
    return next((value for name, value in headers if name == wanted), None)


def _cookie_in(headers: list[tuple[bytes, bytes]], name: str) -> str:
    for key, value in headers:
        if key == b"cookie":
            try:
                jar = SimpleCookie(value.decode("latin-1"))
            except CookieError:
                continue
            if name in jar:
                return jar[name].value
    return ""


def is_guarded(path: str) -> bool:
    """Whether only who is let in may see what is at `path`."""
    return any(path == root or path.startswith(root + "/") for root in _GUARDED)


def _too_long(longest: int) -> ApiError:
    return ApiError(413, f"The body may have {longest} bytes at the most.", code="too_long")
