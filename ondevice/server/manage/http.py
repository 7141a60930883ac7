"""Requests into plain values, and plain values into responses."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import pydantic
import pydantic_core
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ondevice.errors import OndeviceError
from ondevice.server.errors import ApiError, error_response
from ondevice.server.generation import EventStream
from ondevice.server.manage.contract import OPERATIONS
from ondevice.server.manage.page import Page

MAX_JSON = 4 << 20  # bytes: 20,000 ids are half a megabyte

Value = TypeVar("Value")
_REQUIRED: Any = object()


class BadRequestError(ApiError):
    """A request does not say what it should."""

    def __init__(self, message: str) -> None:
        """Refuse with `message`, one sentence."""
        super().__init__(400, message, code="bad_request")


class Values(dict[str, Any]):
    """The fields of a request: of its path, its query and its JSON body."""

    def take(self, name: str, kind: type[Value], default: Any = _REQUIRED) -> Value:
        """Return the field `name`.

        Raises:
            BadRequestError: it is missing or of another type.
        """
        value = self.get(name)
        if value is None:
            if default is _REQUIRED:
                raise BadRequestError(f"The field '{name}' is missing.")
            return default  # type: ignore[no-any-return]
        if kind is int and isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value[:12])  # in a query everything is text
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise BadRequestError(f"The field '{name}' must be of type {kind.__name__}.")
        return value

    def text_or_none(self, name: str) -> str | None:
        """Return the text `name`, or None if it is missing or null.

        Raises:
            BadRequestError: it is something else.
        """
        return self.take(name, str) if self.get(name) is not None else None

    def texts(self, name: str) -> list[str]:
        """Return a list of texts.

        Raises:
            BadRequestError: it is missing or something else.
        """
        value = self.take(name, list)
        if not all(isinstance(one, str) for one in value):
            raise BadRequestError(f"The field '{name}' must be a list of texts.")
        return value


Handler = Callable[[Values], Any]


def route(page: Page, method: str, path: str, handler: Handler) -> Route:
    """Return a route that calls `handler` in a thread and answers with JSON, or with its events.

    The handler gets the fields that the contract of the route names, checked.
    """
    takes = OPERATIONS[method, path].takes

    async def endpoint(request: Request) -> Response:
        page.loop = asyncio.get_running_loop()
        try:
            values = await values_of(request, takes)
            result = await run_in_threadpool(handler, values)
        except (OndeviceError, OSError) as error:
            return error_response(error)
        return result if isinstance(result, Response) else JSONResponse(result)

    return Route(path, endpoint, methods=[method])


async def values_of(request: Request, takes: type[BaseModel]) -> Values:
    """Return the fields of a request that were given.

    Raises:
        BadRequestError: the body is too large, or no JSON object; a field does not fit.
    """
    fields: dict[str, Any] = {**request.query_params, **request.path_params}
    reading = request.method in ("GET", "HEAD")
    if not reading:
        fields = {**await _body_of(request), **request.path_params}
    try:
        # In a query everything is text; a body says what it means.
        checked = takes.model_validate(fields, strict=not reading)
    except pydantic.ValidationError as error:
        raise refusal(error) from None
    return Values(checked.model_dump(exclude_unset=True))


def refusal(error: pydantic.ValidationError) -> BadRequestError:
    """Return the first thing that is wrong as one sentence; it repeats no value."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return BadRequestError(f"The field '{name}' is missing.")
    if first["type"] == "extra_forbidden":
        return BadRequestError("There is no such field here; see /openapi.json.")
    return BadRequestError(f"The field '{name}' does not fit: {first['msg']}.")


async def _body_of(request: Request) -> dict[str, Any]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise BadRequestError("Send the body as application/json.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_JSON:
            raise BadRequestError("The request is too large; send less at once.")
    try:
        # Unlike Python's own, this refuses halves of characters, which nothing could store.
        fields = pydantic_core.from_json(bytes(body) or b"{}", allow_inf_nan=False)
    except ValueError as error:
        raise BadRequestError("The body is no JSON; send an object.") from error
    if not isinstance(fields, dict):
        raise BadRequestError("The body must be a JSON object.")
    return fields


def job_routes(page: Page, kind: str, path: str) -> list[Route]:
    """Return the routes that follow the newest job of `kind`, and stop it."""

    def follow(values: Values) -> Response:
        job = page.jobs.get(kind)
        return events(job.follow() if job is not None else _nothing())

    def stop(values: Values) -> dict[str, Any]:
        job = page.jobs.get(kind)
        if job is not None:
            job.stop()
        return {}

    return [
        route(page, "GET", f"{path}/events", follow),
        route(page, "POST", f"{path}/stop", stop),
    ]


async def _nothing() -> AsyncIterator[dict[str, Any] | None]:
    """Yield no event."""
    no_events: tuple[dict[str, Any], ...] = ()
    for event in no_events:
        yield event


def events(made: AsyncIterator[dict[str, Any] | None]) -> EventStream:
    """Return events as a stream of server-sent events; None becomes a comment."""

    async def lines() -> AsyncIterator[bytes]:
        async with contextlib.aclosing(made):  # type: ignore[type-var] # they are generators
            async for event in made:
                text = json.dumps(event, ensure_ascii=False)
                yield b": still here\n\n" if event is None else f"data: {text}\n\n".encode()

    return EventStream(lines())
