"""A row: the state of one stream while it is generated; and what the engine asks of all rows together.

Shapes: C width.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch

from foundling.generation.sampling import RepetitionGuard
from foundling.model.interface import LanguageModel
from foundling.serving.stream import Stream, Token


@dataclass
class Counts:
    """Tokens of prompts: those that went through the model, and those whose states were kept."""

    computed: int = 0
    reused: int = 0


class Row:
    """One stream: the ids that the model sees, their states where they are the row's own, and what draws."""

    def __init__(self, stream: Stream, model: LanguageModel, device: torch.device) -> None:
        request = stream.request
        self.stream = stream
        self.window = list(request.prompt[-model.config.context :])
        self.cache: Any = model.new_cache()
        self.sampling = request.sampling
        self.generator = torch.Generator(device).manual_seed(request.seed)
        self.guard = RepetitionGuard.of(request.sampling)
        self.written = 0  # tokens of the answer so far

    def append(self, token: int) -> None:
        """Add the chosen token to what the model sees."""
        self.window.append(token)
        if self.guard is not None:
            self.guard.append(token)

    def slide(self, model: Any) -> None:
        """Keep the last half of a window that exceeds the context, as `generate` does, without its states."""
        context = model.config.context
        if len(self.window) > context:
            self.window = self.window[-max(1, context // 2) :]
            self.cache = model.new_cache()


class Rows(Protocol):
    """The rows that are being generated."""

    counts: Counts

    def join(self, stream: Stream) -> None:
        """Add a stream, which gets its first token in one of the next steps."""

    def leave(self, row: Row) -> None:
        """Remove a row, whose answer has ended."""

    def step(self) -> list[tuple[Row, Token]]:
        """The next token of each row that has one."""

    def active(self) -> list[Row]:
        """All rows."""

    def clear(self) -> None:
        """Remove all rows after a step that failed."""
