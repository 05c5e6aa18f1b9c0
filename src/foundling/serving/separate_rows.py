"""Rows that are computed one after another: for an architecture of one's own, with its own cache or none."""

import torch

from foundling.model.interface import LanguageModel
from foundling.serving.choosing import choose
from foundling.serving.rows import Counts, Row
from foundling.serving.stream import Stream, Token


class SeparateRows:
    """Each step computes one token of each row, as `generation.decode.generate` does."""

    def __init__(self, model: LanguageModel) -> None:
        self.model, self.device = model, next(model.parameters()).device
        self.counts = Counts()
        self._rows: list[Row] = []

    def join(self, stream: Stream) -> None:
        """Add a stream."""
        self._rows.append(Row(stream, self.model, self.device))

    def leave(self, row: Row) -> None:
        """Remove a row."""
        self._rows.remove(row)

    def active(self) -> list[Row]:
        """All rows."""
        return list(self._rows)

    def clear(self) -> None:
        """Remove all rows."""
        self._rows.clear()

    def step(self) -> list[tuple[Row, Token]]:
        """The next token of each row."""
        return [(row, self._next(row)) for row in self._rows]

    def _next(self, row: Row) -> Token:
        is_new = row.written == 0
        if is_new:
            self.counts.computed += len(row.window)
        elif len(row.window) > self.model.config.context:
            row.slide(self.model)
            is_new = True
        ids = row.window if is_new or row.cache is None else row.window[-1:]
        hidden = self.model.hidden(torch.tensor([ids], device=self.device), row.cache)  # (1, T, C)
        (token,) = choose(self.model.head(hidden[:, -1]), [row])
        assert token is not None
        row.append(token.id)
        return token
