"""Run what is not generated token by token, such as embeddings, in one thread, one call at a time."""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread

from foundling.serving.errors import ApiError

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")


class Compute:
    """A thread for work that blocks; at most `queue` calls wait for it."""

    def __init__(self, queue: int) -> None:
        self._queue, self._calls = queue, 0
        self._one_at_a_time = anyio.CapacityLimiter(1)

    async def run(
        self, work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """The result of the work; ApiError 429 if too many calls wait."""
        if self._calls > self._queue:
            raise ApiError(
                "the server is busy; try again in 1 s",
                HTTPStatus.TOO_MANY_REQUESTS,
                code="rate_limit_exceeded",
                headers={"Retry-After": "1"},
            )
        self._calls += 1
        try:
            call = partial(work, *args, **kwargs)
            return await anyio.to_thread.run_sync(call, limiter=self._one_at_a_time)
        finally:
            self._calls -= 1
