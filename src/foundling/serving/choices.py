"""Generate the choices of one request at the same time, as pieces of text for asyncio."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from foundling.serving.engine import Draining, QueueFull
from foundling.serving.errors import ApiError
from foundling.serving.limits import draining
from foundling.serving.loading import ServedLanguageModel
from foundling.serving.stream import Request, Stream, Token
from foundling.serving.text import Piece, TextBuilder, joined


@dataclass(frozen=True)
class ChoicePiece:
    """A piece of a choice; the last one has a finish reason."""

    index: int
    piece: Piece
    finish_reason: str | None = None


class Choices:
    """Streams that answer one request.

    They are submitted at once, so that a full queue is reported before a response starts. `close` frees their
    rows; it must be called, also when the client has gone away.

    Args:
        model: generates.
        requests: one for each choice; one for no tokens ends at once.
        stop: strings that end a choice.
        seconds: after these, `pieces` raises ApiError 504.

    Raises:
        ApiError: 429 if the queue is full, 503 while the server stops.
    """

    def __init__(
        self, model: ServedLanguageModel, requests: Sequence[Request], *, stop: Sequence[str], seconds: float
    ) -> None:
        self.written = 0  # tokens so far
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[tuple[int, Token | Stream]] = asyncio.Queue()
        self._builders = [TextBuilder(model.tokenizer, stop) for _ in requests]
        self._streams: dict[int, Stream] = {}
        try:
            for index, request in enumerate(requests):
                if request.max_new_tokens > 0:
                    put = partial(self._put, index)
                    self._streams[index] = model.engine.submit(request, on_token=put, on_end=put)
        except (QueueFull, Draining) as error:
            self.close()
            raise _refusal(error) from None

    async def pieces(self) -> AsyncIterator[ChoicePiece]:
        """The pieces of all choices, as they are generated."""
        for index in range(len(self._builders)):
            if index not in self._streams:
                yield ChoicePiece(index, Piece(), "length")
        unfinished = set(self._streams)
        deadline = self._loop.time() + self._seconds
        while unfinished:
            index, event = await self._next(deadline)
            if index not in unfinished:
                continue
            builder = self._builders[index]
            if isinstance(event, Token):
                self.written += 1
                piece, reason = builder.add(event), None
            else:
                piece, reason = builder.finish(), event.finish_reason
            if builder.stopped:
                reason = "stop"
                self._streams[index].cancel()
            if reason is not None:
                unfinished.remove(index)
            if piece != Piece() or reason is not None:
                yield ChoicePiece(index, piece, reason)

    async def whole(self) -> list[ChoicePiece]:
        """Each choice in one piece."""
        parts: list[list[ChoicePiece]] = [[] for _ in self._builders]
        async for part in self.pieces():
            parts[part.index].append(part)
        return [
            ChoicePiece(index, joined(part.piece for part in own), own[-1].finish_reason)
            for index, own in enumerate(parts)
        ]

    def close(self) -> None:
        """Cancel the streams that have not ended."""
        for stream in self._streams.values():
            stream.cancel()

    async def _next(self, deadline: float) -> tuple[int, Token | Stream]:
        """The next token, or the stream that has ended."""
        try:
            async with asyncio.timeout_at(deadline):
                index, event = await self._events.get()
        except TimeoutError:
            raise ApiError(
                f"the response took more than {self._seconds:g} seconds; ask for fewer tokens",
                HTTPStatus.GATEWAY_TIMEOUT,
            ) from None
        if isinstance(event, Stream) and event.error is not None:
            raise ApiError("generation failed", HTTPStatus.INTERNAL_SERVER_ERROR)
        return index, event

    def _put(self, index: int, event: Token | Stream) -> None:
        """Called in the engine's thread."""
        self._loop.call_soon_threadsafe(self._events.put_nowait, (index, event))


def _refusal(error: QueueFull | Draining) -> ApiError:
    if isinstance(error, Draining):
        return draining()
    return ApiError(
        f"the server is busy; try again in {error.retry_after} s",
        HTTPStatus.TOO_MANY_REQUESTS,
        code="rate_limit_exceeded",
        headers={"Retry-After": str(error.retry_after)},
    )
