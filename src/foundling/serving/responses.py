"""Send what is generated: at once, or as a stream; a client that goes away ends the work for it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from foundling.serving.choices import Choices
from foundling.serving.errors import ApiError

Result = TypeVar("Result")
Encode = Callable[[Any], str]


class ClientGone(Exception):
    """The client closed the connection before its response was complete."""


async def unless_gone(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The work's result; if the client goes away, the work is cancelled and ClientGone raised."""
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_wait_until_gone(request))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
        return working.result()
    finally:
        working.cancel()
        watching.cancel()


async def _wait_until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def whole(request: Request, choices: Choices, value: Coroutine[Any, Any, Any]) -> JSONResponse:
    """A response in one."""
    try:
        return JSONResponse(await unless_gone(request, value))
    finally:
        choices.close()


def events(choices: Choices, values: AsyncIterator[Any]) -> Response:
    """A stream of server-sent events, as OpenAI's API sends them."""
    encoded = _encoded(values, _as_event, lambda error: error.body, "data: [DONE]\n\n")
    return _Stream(choices, encoded, "text/event-stream")


def lines(choices: Choices, values: AsyncIterator[Any]) -> Response:
    """A stream of lines of JSON, as Ollama's API sends them."""
    encoded = _encoded(values, _as_line, lambda error: {"error": error.message})
    return _Stream(choices, encoded, "application/x-ndjson")


async def _encoded(
    values: AsyncIterator[Any], encode: Encode, failure: Callable[[ApiError], Any], last: str = ""
) -> AsyncIterator[str]:
    """The values as they come, then `last`; an error is sent like a value, as the status is sent already."""
    try:
        async for value in values:
            yield encode(value)
    except ApiError as error:
        yield encode(failure(error))
    yield last


def _as_event(value: Any) -> str:
    return f"data: {_as_json(value)}\n\n"


def _as_line(value: Any) -> str:
    return f"{_as_json(value)}\n"


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class _Stream(StreamingResponse):
    """A response that frees the choices' rows when it ends, also if it never began."""

    def __init__(self, choices: Choices, content: AsyncIterator[str], media_type: str) -> None:
        super().__init__(content, media_type=media_type, headers={"Cache-Control": "no-store"})
        self._choices = choices

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._choices.close()
