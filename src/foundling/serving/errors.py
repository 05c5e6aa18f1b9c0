"""Errors of the API, in OpenAI's format: {"error": {"message", "type", "param", "code"}}."""

from collections.abc import Mapping
from http import HTTPStatus

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from starlette.responses import JSONResponse

SHOWN_CHARACTERS = 200  # of what a client sent, in an error's message
_TYPES = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.NOT_FOUND: "not_found_error",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
}


class ApiError(Exception):
    """A request that cannot be answered: the response's status, and what the client should change."""

    def __init__(
        self,
        message: str,
        status: int = HTTPStatus.BAD_REQUEST,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.param, self.code = message, status, param, code
        self.headers = headers

    @property
    def body(self) -> dict[str, dict[str, str | None]]:
        """The response's JSON."""
        default = "server_error" if self.status >= 500 else "invalid_request_error"
        kind = _TYPES.get(HTTPStatus(self.status), default)
        return {
            "error": {"message": self.message, "type": kind, "param": self.param, "code": self.code},
        }

    def response(self) -> JSONResponse:
        """The error as a response."""
        return JSONResponse(self.body, self.status, self.headers)


def from_validation(error: ValidationError) -> ApiError:
    """The first mistake of a request that does not match its schema."""
    first = error.errors(include_url=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        return ApiError(f"the body is not valid JSON: {first['msg']}")
    param = ".".join(str(part) for part in first["loc"]) or None
    code = None
    if first["type"] == "extra_forbidden":
        code = "unknown_parameter"
    elif first["type"] == "missing":
        code = "missing_required_parameter"
    return ApiError(_describe(first, param), param=param, code=code)


def shown(text: str) -> str:
    """What a client sent, shortened and without control characters."""
    cut = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)


def _describe(details: ErrorDetails, param: str | None) -> str:
    where = shown(param or "the body")
    if details["type"] == "extra_forbidden":
        return f"unknown parameter: {where}"
    if details["type"] == "missing":
        return f"missing parameter: {where}"
    message = details["msg"].removeprefix("Value error, ")
    return f"{where}: {message[:1].lower()}{message[1:]}"
