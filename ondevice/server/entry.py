"""About the server itself: whether it is there, and the way in for a browser.

A link that works once becomes a session cookie.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

import ondevice
from ondevice.server.access import SESSION_SECONDS
from ondevice.server.errors import ApiError
from ondevice.server.routing import Answer, Json, Redirect, Routes
from ondevice.server.security import cookie_name
from ondevice.server.state import ServerState, state_of

about = Routes("", state_of, strict=False)
sessions = Routes("/api", state_of)


class Health(Answer):
    """The server is there."""

    status: Literal["ok"]
    version: str
    queued: int = Field(description="Requests that wait for the model.")


@about.get("/health")
async def health(state: ServerState) -> Health:
    """Whether the server is there."""
    return Health(status="ok", version=ondevice.__version__, queued=len(state.queue))


class Key(BaseModel):
    """What a link ends with."""

    key: str = ""


@about.get("/enter")
async def enter(state: ServerState, query: Key, request: Request) -> Redirect | Response:
    """Use up a link; a cookie opens the page from then on."""
    if request.method == "HEAD":  # what only looks at a link must not use it up
        return Response(status_code=204)
    session = state.access.enter(query.key)
    if session is None and "text/html" in request.headers.get("accept", ""):
        # The page lets in who has a session, such as by the same link, and tells others what to do.
        return Redirect("/", 303)
    if session is None:
        raise ApiError(
            403,
            "This link was used or is too old; start the server again for a new one.",
            code="link_used",
        )
    response = Redirect("/", 303)
    response.set_cookie(
        cookie_name(request.app.state.port),
        session,
        max_age=int(SESSION_SECONDS),
        httponly=True,
        samesite="strict",
        path="/",
    )
    return response


class Path(Answer):
    """A path of this server."""

    path: str


@sessions.post("/links")
async def new_link(state: ServerState) -> Path:
    """Make a link that opens the page once."""
    return Path(path=f"/enter?key={state.access.new_link_key()}")


class Left(Answer):
    """The session has ended."""

    left: Literal[True]


@sessions.post("/leave")
async def leave(state: ServerState, request: Request) -> Json[Left]:
    """End the session."""
    if request.state.session:
        state.access.leave(request.state.session)
    response = Json(Left(left=True))
    response.delete_cookie(cookie_name(request.app.state.port), path="/")
    return response
