"""A request for a generated text, and the stream of tokens that answers it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Literal, TypeAlias

from foundling.settings.generation import Sampling

FinishReason: TypeAlias = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True)
class Request:
    """One text to generate."""

    prompt: tuple[int, ...]  # token ids, at least one
    max_new_tokens: int
    sampling: Sampling
    seed: int = 0
    end: frozenset[int] = frozenset()  # ids that end the answer and are not part of it
    # n: with each token its log-probability and the n most likely tokens; None: no log-probabilities
    top_logprobs: int | None = None


@dataclass(frozen=True)
class Token:
    """A generated token; log-probabilities are the model's own, before temperature, top-k and top-p."""

    id: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()  # (id, log-probability), the most likely first


class Stream:
    """The tokens of one answer as they are generated; all methods may be called from any thread.

    Read it by iterating, or pass callbacks to `Engine.submit`. `finish_reason` is set before iteration ends
    and before `on_end` is called: "stop" after an id of `Request.end`, "length" after `max_new_tokens`. It
    stays None if the engine failed; `error` is then the reason.
    """

    def __init__(
        self,
        request: Request,
        wake: Callable[[], None],
        on_token: Callable[[Token], None] | None,
        on_end: Callable[["Stream"], None] | None,
    ) -> None:
        self.request = request
        self.finish_reason: FinishReason | None = None
        self.error: BaseException | None = None
        self.is_cancelled = False
        self._wake, self._on_token, self._on_end = wake, on_token, on_end
        self._tokens: SimpleQueue[Token | None] = SimpleQueue()

    def __iter__(self) -> Iterator[Token]:
        """Block for each token; RuntimeError if the engine failed."""
        while (token := self._tokens.get()) is not None:
            yield token
        self._tokens.put(None)  # another iteration ends, too
        if self.error is not None:
            raise RuntimeError("generation failed") from self.error

    def cancel(self) -> None:
        """End the answer after at most one more token; an answer that has ended stays as it is."""
        self.is_cancelled = True
        self._wake()

    def emit(self, token: Token) -> None:
        """Hand a token to the reader; the engine calls this."""
        if self._on_token is None:
            self._tokens.put(token)
        else:
            self._on_token(token)

    def end(self, reason: FinishReason | None, error: BaseException | None = None) -> None:
        """End the stream; the engine calls this once."""
        self.finish_reason, self.error = reason, error
        self._tokens.put(None)
        if self._on_end is not None:
            self._on_end(self)
