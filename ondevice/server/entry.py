"""The way in for a browser: a link that works once becomes a session cookie."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from ondevice.server.access import SESSION_SECONDS
from ondevice.server.errors import ApiError
from ondevice.server.security import cookie_name
from ondevice.server.state import state_of


async def enter(request: Request) -> Response:
    """Use up the link and set the cookie."""
    if request.method == "HEAD":  # what only looks at a link must not use it up
        return Response(status_code=204)
    session = state_of(request).access.enter(request.query_params.get("key", ""))
    if session is None and "text/html" in request.headers.get("accept", ""):
        # The page lets in who has a session, such as by the same link, and tells others what to do.
        return RedirectResponse("/", 303)
    if session is None:
        raise ApiError(
            403,
            "This link was used or is too old; 'ondevice serve' prints one at each start.",
            code="link_used",
        )
    response = RedirectResponse("/", 303)
    response.set_cookie(
        cookie_name(request.app.state.port),
        session,
        max_age=int(SESSION_SECONDS),
        httponly=True,
        samesite="strict",
        path="/",
    )
    return response


async def new_link(request: Request) -> Response:
    """Return the path of another link that works once, for who has the token."""
    return JSONResponse({"path": f"/enter?key={state_of(request).access.new_link_key()}"})


async def leave(request: Request) -> Response:
    """End the session that the request comes with."""
    if request.state.session:
        state_of(request).access.leave(request.state.session)
    response = JSONResponse({"left": True})
    response.delete_cookie(cookie_name(request.app.state.port), path="/")
    return response


def routes() -> list[Route]:
    """Return the routes."""
    return [
        Route("/enter", enter, methods=["GET"]),
        Route("/api/links", new_link, methods=["POST"]),
        Route("/api/leave", leave, methods=["POST"]),
    ]
