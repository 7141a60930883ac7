"""The app: routes behind the gate."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

import ondevice
from ondevice.chat import Assistant
from ondevice.errors import OndeviceError
from ondevice.ground.address import LOOPBACK
from ondevice.server import entry, manage, openai
from ondevice.server.access import Access
from ondevice.server.errors import ApiError, error_response
from ondevice.server.limits import Limits
from ondevice.server.manage.page import Page
from ondevice.server.openapi import openapi
from ondevice.server.security import Gate
from ondevice.server.state import OpenProfile, ServerState, state_of

STATIC = Path(__file__).parent / "static"


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
        try:
            yield
        finally:
            page.close()
            state.close()

    routes: list[BaseRoute] = [
        Route("/health", health, methods=["GET"]),
        Route("/openapi.json", openapi, methods=["GET"]),
        *entry.routes(),
        Mount("/v1", routes=openai.routes()),
        Mount("/api", routes=manage.routes(page)),
    ]
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


async def health(request: Request) -> Response:
    """Say that the server is there; nothing about the person."""
    return JSONResponse(
        {"status": "ok", "version": ondevice.__version__, "queued": len(state_of(request).queue)}
    )


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
