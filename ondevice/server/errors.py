"""Every error as JSON of OpenAI's shape: `{"error": {message, type, param, code}}`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse

from ondevice.errors import (
    AdapterError,
    AdapterNotFoundError,
    ContextOverflowError,
    ImportSourceError,
    LearningError,
    OndeviceError,
    ProfileError,
    ProfileExistsError,
    ProfileLockedError,
    ProfileNotFoundError,
    RecordNotFoundError,
    SettingsError,
    explain,
)
from ondevice.server.remedies import WORDS

# The first class that fits wins: (class, HTTP status, code).
_STATUS: list[tuple[type[OndeviceError], int, str]] = [
    (ContextOverflowError, 400, "context_length_exceeded"),
    (ProfileNotFoundError, 404, "profile_not_found"),
    (RecordNotFoundError, 404, "record_not_found"),
    (AdapterNotFoundError, 404, "adapter_not_found"),
    (ProfileExistsError, 409, "profile_exists"),
    (ProfileLockedError, 403, "profile_locked"),
    (AdapterError, 409, "adapter_unusable"),
    (ImportSourceError, 400, "import_refused"),
    (LearningError, 409, "cannot_learn"),
    (SettingsError, 400, "invalid_setting"),
    (ProfileError, 400, "profile_error"),
]


class ApiError(OndeviceError):
    """A request that is refused.

    Attributes:
        status: of HTTP.
        code: a word that programs can compare.
        param: the field at fault, if one is.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Refuse with `message`, one sentence."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.headers = headers or {}


class BadRequestError(ApiError):
    """A request does not say what it should."""

    def __init__(self, message: str) -> None:
        """Refuse with `message`, one sentence."""
        super().__init__(400, message, code="bad_request")


def as_api_error(error: Exception) -> ApiError:
    """Return the answer that `error` deserves; an unforeseen one tells no text of its own."""
    if isinstance(error, ApiError):
        return error
    for kind, status, code in _STATUS:
        if isinstance(error, kind):
            return ApiError(status, error.said(WORDS), code=code)
    if isinstance(error, OndeviceError):
        return ApiError(500, error.said(WORDS), code="failed")
    if isinstance(error, OSError):
        return ApiError(500, f"A file cannot be used: {explain(error)}.", code="file_error")
    return ApiError(
        500,
        f"An unforeseen {type(error).__name__}; nothing acknowledged was lost.",
        code="internal_error",
    )


class ErrorFields(BaseModel):
    """What was refused or went wrong, and why."""

    model_config = ConfigDict(extra="forbid")
    message: str
    type: str
    param: str | None
    code: str | None


class Error(BaseModel):
    """A refusal."""

    model_config = ConfigDict(extra="forbid")
    error: ErrorFields


def error_of(error: Exception) -> Error:
    """Return the JSON of `error`."""
    refusal = as_api_error(error)
    kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    kind = kinds.get(refusal.status) or (
        "invalid_request_error" if refusal.status < 500 else "server_error"
    )
    return Error(
        error=ErrorFields(message=str(refusal), type=kind, param=refusal.param, code=refusal.code)
    )


def error_response(error: Exception) -> JSONResponse:
    """Return the response for `error`."""
    refusal = as_api_error(error)
    return JSONResponse(error_of(refusal).model_dump(), refusal.status, refusal.headers)
