"""Limits that hold before a request is parsed: its size, its time to arrive, a server that stops."""

import asyncio
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from foundling.serving.errors import ApiError
from foundling.settings.commands import ServeLimits

WHILE_DRAINING = 5  # seconds after which a client may try again


class Traffic:
    """The requests under way, and whether new ones are refused."""

    def __init__(self) -> None:
        self.active = 0
        self.is_draining = False


class Limits:
    """ASGI middleware that reads a request's body within the limits, and counts the requests under way."""

    def __init__(self, app: ASGIApp, *, limits: ServeLimits, traffic: Traffic) -> None:
        self.app, self.limits, self.traffic = app, limits, traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.traffic.active += 1
        try:
            if self.traffic.is_draining and scope["path"] != "/health":
                raise draining()
            body = await self._read(Headers(scope=scope), receive)
            if body is not None:
                await self.app(scope, _replay(body, receive), send)
        except ApiError as error:
            error.headers = {"Connection": "close", **(error.headers or {})}
            await error.response(scope)(scope, receive, send)
        finally:
            self.traffic.active -= 1

    async def _read(self, headers: Headers, receive: Receive) -> bytes | None:
        """The whole body; None if the client has gone away."""
        largest = self.limits.body_kilobytes * 1024
        stated = headers.get("content-length", "")
        if stated.isdecimal() and int(stated[:20]) > largest:
            raise self._too_large()
        chunks, size = [], 0
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    chunks.append(message.get("body", b""))
                    size += len(chunks[-1])
                    if size > largest:
                        raise self._too_large()
                    if not message.get("more_body", False):
                        return b"".join(chunks)
        except TimeoutError:
            raise ApiError(
                f"the body did not arrive within {self.limits.body_seconds:g} seconds",
                HTTPStatus.REQUEST_TIMEOUT,
            ) from None

    def _too_large(self) -> ApiError:
        return ApiError(
            f"the body has more than {self.limits.body_kilobytes:,} KiB, the limit of this server",
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        )


def draining() -> ApiError:
    """The answer to new requests while the server stops."""
    return ApiError(
        "the server is shutting down",
        HTTPStatus.SERVICE_UNAVAILABLE,
        headers={"Retry-After": str(WHILE_DRAINING)},
    )


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that yields a body that was read already, then waits for the client to go away."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed
