"""The engine: requests in, streams of tokens out, of one model that generates many of them at once."""

import logging
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Thread
from time import monotonic

import torch

from foundling.model.gpt import GPT
from foundling.model.interface import LanguageModel
from foundling.serving.batched_rows import BatchedRows
from foundling.serving.rows import Row, Rows
from foundling.serving.separate_rows import SeparateRows
from foundling.serving.stream import FinishReason, Request, Stream, Token

log = logging.getLogger(__name__)

__all__ = ["Draining", "Engine", "EngineStats", "QueueFull", "Request", "Stream", "Token"]


class QueueFull(Exception):
    """All rows are busy and the queue is full; `retry_after` estimates the seconds until a place is free."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"all rows are busy and the queue is full; try again in {retry_after} s")
        self.retry_after = retry_after


class Draining(Exception):
    """The engine ends the streams under way and accepts no more."""


@dataclass(frozen=True)
class EngineStats:
    """What the engine is doing, and what it has done since it started."""

    active: int  # streams that are being generated
    waiting: int  # requests in the queue
    generated: int  # tokens
    prompt_computed: int  # tokens of prompts that went through the model
    prompt_reused: int  # tokens of prompts whose states were known from earlier requests


class Engine:
    """Generates the streams of one model in one thread; requests join and leave between two tokens.

    Args:
        model: the model; nothing else may train or move it meanwhile.
        rows: the most streams that are generated at once.
        queue: the most requests that wait for a row, in the order of their arrival.
        prefix_cache_tokens: how many tokens' states are kept for prompts that begin alike; 0: none.
    """

    def __init__(self, model: LanguageModel, *, rows: int, queue: int, prefix_cache_tokens: int = 0) -> None:
        self._vocab_size = model.config.vocab_size
        self._size, self._places = rows, rows + queue
        model.eval()
        self._rows: Rows = (
            BatchedRows(model, prefix_cache_tokens) if isinstance(model, GPT) else SeparateRows(model)
        )
        self._waiting: deque[Stream] = deque()
        self._changed = Condition()  # guards _waiting, _is_draining and _is_closed
        self._is_draining = self._is_closed = False
        self._generated = self._ending = 0
        self._seconds = 1.0  # of an answer, a moving average
        self._started: dict[Stream, float] = {}
        self._thread = Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    def submit(
        self,
        request: Request,
        on_token: Callable[[Token], None] | None = None,
        on_end: Callable[[Stream], None] | None = None,
    ) -> Stream:
        """Queue a request.

        Args:
            request: what to generate.
            on_token: called with each token instead of keeping it for iteration.
            on_end: called with the stream once it has ended.

        Callbacks are called in the engine's thread, so they must be quick, as `loop.call_soon_threadsafe` is;
        one that raises ends its stream.

        Raises:
            QueueFull: try again after `retry_after` seconds.
            Draining: after `drain` or `close`.
            ValueError: for an empty prompt, or ids that are not in the vocabulary.
        """
        if not request.prompt:
            raise ValueError("the prompt is empty; to start a document, pass the end-of-text token")
        if min(request.prompt) < 0 or max(request.prompt) >= self._vocab_size:
            raise ValueError(
                f"the prompt has ids that are not in the vocabulary of {self._vocab_size} tokens"
            )
        if request.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens={request.max_new_tokens}: must be at least 1")
        stream = Stream(request, self._notify, on_token, on_end)
        with self._changed:
            if self._is_draining:
                raise Draining("the server is shutting down")
            if len(self._started) + len(self._waiting) >= self._places:
                raise QueueFull(max(1, math.ceil(self._seconds * (len(self._waiting) + 1) / self._size)))
            self._waiting.append(stream)
            self._changed.notify_all()
        return stream

    def stats(self) -> EngineStats:
        """Counts for monitoring."""
        rows = self._rows
        return EngineStats(
            active=len(self._started),
            waiting=len(self._waiting),
            generated=self._generated,
            prompt_computed=rows.counts.computed,
            prompt_reused=rows.counts.reused,
        )

    def drain(self, timeout: float | None = None) -> bool:
        """Accept no more requests and wait, at most `timeout` seconds, until all streams have ended.

        Returns whether they have; `drain(0)` does not wait.
        """
        with self._changed:
            self._is_draining = True
            return self._changed.wait_for(
                lambda: not (self._started or self._waiting or self._ending), timeout
            )

    def close(self) -> None:
        """Cancel all streams and end the engine's thread."""
        with self._changed:
            self._is_draining = self._is_closed = True
            self._changed.notify_all()
        self._thread.join()

    def _is_idle(self) -> bool:
        return not (self._started or self._waiting or self._ending)

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    @torch.inference_mode()
    def _work(self) -> None:
        """Admit requests and generate tokens until the engine is closed."""
        is_open = True
        while is_open:
            try:
                is_open = self._admit()
                for row, token in self._rows.step():
                    self._deliver(row, token)
            except Exception as error:  # such as out of memory: later streams may succeed
                log.exception("generation failed")
                self._rows.clear()
                for stream in list(self._started):
                    self._release(stream, None, error)

    def _admit(self) -> bool:
        """Drop cancelled streams and fill free rows; waits while there is nothing to do. False: closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._started or self._is_closed)
            if self._is_closed:
                for stream in self._waiting:
                    stream.is_cancelled = True
                for row in self._rows.active():
                    row.stream.is_cancelled = True
            dropped = [stream for stream in self._waiting if stream.is_cancelled]
            for stream in dropped:
                self._waiting.remove(stream)
        for stream in dropped:
            self._tell_end(stream, "cancelled")
        for row in self._rows.active():
            if row.stream.is_cancelled:
                self._end(row, "cancelled")
        with self._changed:
            while self._waiting and len(self._started) < self._size:
                stream = self._waiting.popleft()
                self._started[stream] = monotonic()
                self._rows.join(stream)
            self._changed.notify_all()
            return not self._is_closed

    def _deliver(self, row: Row, token: Token) -> None:
        """Hand a row's token to its reader, unless it is the end of the answer."""
        request = row.stream.request
        if row.stream.is_cancelled:
            return
        if token.id in request.end:
            self._end(row, "stop")
            return
        self._generated += 1
        row.written += 1
        try:
            row.stream.emit(token)
        except Exception as error:  # the reader is gone
            self._end(row, "cancelled", error)
            return
        if row.written == request.max_new_tokens:
            self._end(row, "length")

    def _end(self, row: Row, reason: FinishReason | None, error: BaseException | None = None) -> None:
        self._rows.leave(row)
        self._release(row.stream, reason, error)

    def _release(
        self, stream: Stream, reason: FinishReason | None, error: BaseException | None = None
    ) -> None:
        """Free the stream's place, then tell its reader."""
        with self._changed:
            seconds = monotonic() - self._started.pop(stream)
            self._seconds += 0.1 * (seconds - self._seconds)
            self._ending += 1
        self._tell_end(stream, reason, error)
        with self._changed:
            self._ending -= 1
            self._changed.notify_all()

    def _tell_end(
        self, stream: Stream, reason: FinishReason | None, error: BaseException | None = None
    ) -> None:
        try:
            stream.end(reason, error)
        except Exception:  # the reader is gone, as an event loop that was closed
            log.debug("a stream's on_end failed", exc_info=True)
