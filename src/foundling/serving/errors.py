"""Errors of the API, in OpenAI's format: {"error": {"message", "type", "param", "code"}}."""

import re
from collections.abc import Mapping
from http import HTTPStatus

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from starlette.responses import JSONResponse
from starlette.types import Scope

SHOWN_CHARACTERS = 200  # of what a client sent, in an error's message
_TYPES = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.NOT_FOUND: "not_found_error",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
}

# mistakes that have a code in OpenAI's API
_CODES = {
    "extra_forbidden": "unknown_parameter",
    "missing": "missing_required_parameter",
    "unsupported_parameter": "unsupported_parameter",
}
_REASONS = {
    "extra_forbidden": "unknown parameter: {}",
    "missing": "missing parameter: {}",
    "unsupported_parameter": "this server does not support {}; leave it out",
}
_UNION_MEMBER = re.compile(r"(str|list|constrained-\w+|function-\w+|json-or-python)$|.*\[")


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

    def response(self, scope: Scope) -> JSONResponse:
        """The error as a response to a request; the paths of Ollama's API have its format."""
        body = {"error": self.message} if scope["path"].startswith("/api/") else self.body
        return JSONResponse(body, self.status, self.headers)


def from_validation(error: ValidationError) -> ApiError:
    """The first mistake of a request that does not match its schema."""
    errors = error.errors(include_url=False, include_context=False)
    first = errors[0]
    if first["type"] == "json_invalid":
        return ApiError(f"the body is not valid JSON: {first['msg'].removeprefix('Invalid JSON: ')}")
    param = _path(first)
    what = _REASONS.get(first["type"])
    if what is not None:
        return ApiError(what.format(shown(param)), param=param, code=_CODES[first["type"]])
    reasons = dict.fromkeys(_reason(one) for one in errors if _path(one) == param)  # several of a union
    return ApiError(f"{shown(param or 'the body')}: {' or '.join(reasons)}", param=param or None)


def shown(text: str) -> str:
    """What a client sent, shortened and without control characters."""
    cut = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)


def _path(details: ErrorDetails) -> str:
    """Where the mistake is, without the names by which pydantic tells the members of a union apart."""
    return ".".join(str(part) for part in details["loc"] if not _UNION_MEMBER.match(str(part)))


def _reason(details: ErrorDetails) -> str:
    message = details["msg"]
    return f"{message[:1].lower()}{message[1:]}"
