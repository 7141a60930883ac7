"""Typed routes: the signature of a handler is the contract of its route.

    routes = Routes("/api", page_of)

    @routes.patch("/memories/{id}")
    def edit(page: Page, id: str, body: FactChange) -> FactRecord:
        '''Change a fact.'''

The first argument is what all handlers of a group share. The others go by their names: `query` and
`body` are models that the request is checked against, `request` is Starlette's own, and the rest
stand in the path. A `body` of the type `Upload` is a file, piece by piece. What a handler returns
is a model, `Events` of models, a `Download`, or one of several of these; it is serialised as it
is, and fields that were not set are left out. The OpenAPI document is made of the same signatures.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from ondevice.errors import OndeviceError
from ondevice.server.errors import ApiError, error_response
from ondevice.server.events import encoded
from ondevice.server.refusals import refusal

JSON = "application/json"
BINARY = "application/octet-stream"

Upload = AsyncIterator[bytes]
Download = FileResponse
Redirect = RedirectResponse

Shared = TypeVar("Shared")
Handler = TypeVar("Handler", bound=Callable[..., Any])
Model = TypeVar("Model", bound=BaseModel)


class Fields(BaseModel):
    """What a request may say; nothing else may stand there."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Nothing(Fields):
    """No field."""


class Answer(BaseModel):
    """What is answered: an object that has these fields and no others."""

    model_config = ConfigDict(extra="forbid")


class Empty(Answer):
    """No field."""


class Json(Response, Generic[Model]):
    """A model as it is sent; for handlers that also set headers or cookies."""

    media_type = JSON

    def __init__(self, answer: Model) -> None:
        """Serialise `answer`."""
        super().__init__(encoded(answer))


@dataclass(frozen=True)
class Operation:
    """One method of one path, as the signature of its handler says.

    Attributes:
        method: of HTTP.
        path: below the prefix of its group.
        handler: what answers.
        names: of the handler's arguments behind the first.
        query: the model of the query, if it is read.
        body: the model of the JSON body, `Upload`, or None if none is read.
        answers: the types of what may be returned.
    """

    method: str
    path: str
    handler: Callable[..., Any]
    names: tuple[str, ...]
    query: type[BaseModel] | None
    body: Any
    answers: tuple[Any, ...]

    @classmethod
    def of(cls, method: str, path: str, handler: Callable[..., Any], *, strict: bool) -> Operation:
        """Read the signature of `handler`; `strict` refuses fields where it names no model."""
        hints = typing.get_type_hints(handler)
        reads = method == "GET"
        query = hints.get("query", Nothing if strict and reads else None)
        body = hints.get("body", Nothing if strict and not reads else None)
        returned = hints["return"]
        union = typing.get_origin(returned) in (typing.Union, types.UnionType)
        answers = typing.get_args(returned) if union else (returned,)
        names = tuple(inspect.signature(handler).parameters)[1:]
        return cls(method, path, handler, names, query, body, answers)

    @property
    def summary(self) -> str:
        """What it does, in one line."""
        return (self.handler.__doc__ or "").partition("\n")[0]


class Routes(Generic[Shared]):
    """A group of routes below one prefix."""

    def __init__(
        self,
        prefix: str,
        shared: Callable[[Request], Shared],
        *,
        strict: bool = True,
        code: str = "bad_request",
    ) -> None:
        """Begin without a route.

        Args:
            prefix: stands before every path.
            shared: returns the first argument of every handler.
            strict: a body says what it means ("5" is no number), and no other fields may come.
            code: of the error when a field does not fit.
        """
        self.prefix = prefix
        self.operations: list[Operation] = []
        self._shared = shared
        self._strict = strict
        self._code = code

    def get(self, path: str) -> Callable[[Handler], Handler]:
        """Make a function the handler of GET."""
        return self._add("GET", path)

    def post(self, path: str) -> Callable[[Handler], Handler]:
        """Make a function the handler of POST."""
        return self._add("POST", path)

    def patch(self, path: str) -> Callable[[Handler], Handler]:
        """Make a function the handler of PATCH."""
        return self._add("PATCH", path)

    def _add(self, method: str, path: str) -> Callable[[Handler], Handler]:
        def keep(handler: Handler) -> Handler:
            self.operations.append(Operation.of(method, path, handler, strict=self._strict))
            return handler

        return keep

    def starlette(self) -> list[Route]:
        """Return the routes, with paths relative to the prefix."""
        return [
            Route(operation.path, self._endpoint(operation), methods=[operation.method])
            for operation in self.operations
        ]

    def _endpoint(self, operation: Operation) -> Callable[[Request], Any]:
        handler = operation.handler

        async def endpoint(request: Request) -> Response:
            try:
                shared, given = self._shared(request), await self._given(operation, request)
                if inspect.iscoroutinefunction(handler):
                    answer = await handler(shared, **given)
                else:
                    answer = await run_in_threadpool(handler, shared, **given)
            except (OndeviceError, OSError) as error:
                return error_response(error)
            if isinstance(answer, BaseModel):
                return Json(answer)
            return answer if isinstance(answer, Response) else JSONResponse(answer)

        return endpoint

    async def _given(self, operation: Operation, request: Request) -> dict[str, Any]:
        """Return what the handler is called with.

        Raises:
            ApiError: 400, something is missing or does not fit.
        """
        given: dict[str, Any] = {"request": request, **request.path_params}
        if operation.query is not None:  # everything in it is text
            given["query"] = self._checked(operation.query, dict(request.query_params))
        if operation.body == Upload:
            self._need(request, BINARY, "Send a file")
            given["body"] = request.stream()
        elif operation.body is not None:
            self._need(request, JSON, "Send the body")
            given["body"] = self._checked(operation.body, await request.body() or b"{}")
        return {name: given[name] for name in operation.names}

    def _checked(self, model: type[BaseModel], sent: dict[str, str] | bytes) -> BaseModel:
        try:
            if isinstance(sent, bytes):
                return model.model_validate_json(sent, strict=self._strict or None)
            return model.model_validate(sent)
        except pydantic.ValidationError as error:
            message, param = refusal(error, model)
            raise ApiError(400, message, code=self._code, param=param) from None

    def _need(self, request: Request, kind: str, what: str) -> None:
        given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if given != kind:
            raise ApiError(400, f"{what} as {kind}.", code=self._code)
