"""The app: routes behind the gate."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from ondevice.chat import Assistant
from ondevice.errors import OndeviceError
from ondevice.ground.address import LOOPBACK
from ondevice.server.access import Access
from ondevice.server.errors import ApiError, error_response
from ondevice.server.limits import Limits
from ondevice.server.manage.page import Page
from ondevice.server.openapi import GROUPS
from ondevice.server.security import Gate
from ondevice.server.state import OpenProfile, ServerState

PURGE_SECONDS = 3600.0  # between two looks at what is due: a server runs for months

STATIC = Path(__file__).parent / "static"


async def _purge(state: ServerState) -> None:
    """Delete what is due now and then, as long as the server runs."""
    while True:
        await asyncio.sleep(PURGE_SECONDS)
        await run_in_threadpool(state.purge_due)


def create_app(
    assistant: Assistant,
    *,
    token: str | None,
    port: int,
    hosts: Sequence[str] = LOOPBACK,
    names: Sequence[str] = (),
    origins: Iterable[str] = (),
    limits: Limits | None = None,
    open_profile: OpenProfile | None = None,
    notices: Sequence[str] = (),
) -> Starlette:
    """Return the app; `app.state.ondevice` is its `ServerState`.

    Args:
        assistant: whose profile is served; the caller closes it after the app has ended.
        token: that clients must send; None asks for none.
        port: the one that clients connect to, which stands in Host and Origin.
        hosts: the names under which it may be reached, without port.
        names: other ones, and those of a proxy that speaks TLS before it, without port.
        origins: other origins whose scripts may come, such as "http://localhost:3000".
        limits: bounds on sizes, times and the line.
        open_profile: opens other profiles that requests name; None refuses them.
        notices: sentences that the page shows, such as that another model stands in.
    """
    limits = limits or Limits()
    state = ServerState(assistant, Access(token), limits=limits, open_profile=open_profile)
    page = Page(state, notices)
    allowed = [f"{host}:{port}" for host in (*hosts, *names)]
    if port == 80:
        allowed += list(hosts)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        purging = asyncio.create_task(_purge(state))
        try:
            yield
        finally:
            purging.cancel()
            page.close()
            state.close()

    routes = _routes()
    if STATIC.is_dir():
        routes.append(Mount("/", StaticFiles(directory=STATIC, html=True)))
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[
            Middleware(
                Gate,
                access=state.access,
                port=port,
                hosts=allowed,
                proxied=names,
                origins=origins,
                limits=limits,
            )
        ],
        exception_handlers={Exception: _failed, OndeviceError: _failed, HTTPException: _refused},
    )
    app.router.redirect_slashes = False
    app.state.ondevice = state
    app.state.page = page
    app.state.port = port
    return app


def _routes() -> list[BaseRoute]:
    """Return all routes; those of a prefix stand together, so that it is theirs alone."""
    below: dict[str, list[Route]] = {}
    for group in GROUPS:
        below.setdefault(group.prefix, []).extend(group.starlette())
    return [*below.pop(""), *(Mount(prefix, routes=routes) for prefix, routes in below.items())]


async def _failed(_: Request, error: Exception) -> Response:
    return error_response(error)


async def _refused(_: Request, error: Exception) -> Response:
    """Give Starlette's own refusals (404, 405) OpenAI's shape."""
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method"}.get(error.status_code)
    return error_response(
        ApiError(
            error.status_code, f"{error.detail}.", code=code, headers=dict(error.headers or {})
        )
    )
