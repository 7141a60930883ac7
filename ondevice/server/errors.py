"""Every error as JSON of OpenAI's shape: `{"error": {message, type, param, code}}`."""

from __future__ import annotations

from typing import Any

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


def as_api_error(error: Exception) -> ApiError:
    """Return the answer that `error` deserves; an unforeseen one tells no text of its own."""
    if isinstance(error, ApiError):
        return error
    for kind, status, code in _STATUS:
        if isinstance(error, kind):
            return ApiError(status, str(error), code=code)
    if isinstance(error, OndeviceError):
        return ApiError(500, str(error), code="failed")
    if isinstance(error, OSError):
        return ApiError(500, f"A file cannot be used: {explain(error)}.", code="file_error")
    return ApiError(
        500,
        f"An unforeseen {type(error).__name__}; nothing acknowledged was lost.",
        code="internal_error",
    )


def error_body(error: ApiError) -> dict[str, Any]:
    """Return the JSON of `error`."""
    kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    kind = kinds.get(error.status) or (
        "invalid_request_error" if error.status < 500 else "server_error"
    )
    return {
        "error": {"message": str(error), "type": kind, "param": error.param, "code": error.code}
    }


def error_response(error: Exception) -> JSONResponse:
    """Return the response for `error`."""
    refusal = as_api_error(error)
    return JSONResponse(error_body(refusal), refusal.status, refusal.headers)
