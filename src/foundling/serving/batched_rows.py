"""Rows that share forward passes: one more token of each in one pass, over a cache of different lengths.

A row begins alone: its prompt is computed in chunks, a few between two steps of the others, and then joins
the batch. It leaves the batch for a while when its window slides, which is then computed as a prompt is.

Greedy answers in float32 are those of `generate`. A pass over many rows sums in another order than one over
a single row, so that logits differ in their last digits. Where this could decide (`choosing.choose`), the row
is computed again alone, in the same passes as in `generate`, and its token is chosen from that.
"""

from collections import deque

import torch
from torch import Tensor

from foundling.model.batch_cache import BatchCache
from foundling.model.gpt import GPT
from foundling.model.kv_cache import KVCache
from foundling.serving.choosing import choose
from foundling.serving.prefixes import Prefix, Prefixes
from foundling.serving.rows import Counts, Row
from foundling.serving.stream import Stream, Token

CHUNK = 128  # tokens of a prompt in one pass
BUDGET = 128  # tokens of prompts between two steps
PASS_COST = 32  # tokens of the budget that a pass costs at least
SHORTEST_PREFIX = 8  # tokens; keeping less saves nothing
# Two logits closer than this share of the largest are too close to call. Measured: they err by up to 3e-6 in
# a batch of 16, with the default model and SmolLM2. In 16-bit formats, too many would be too close.
TOLERANCE = {torch.float32: 2e-5, torch.float64: 4e-14}


class BatchedRow(Row):
    """A row that is in the batch, or alone: then its own cache holds the beginning of its window."""

    cache: KVCache

    def __init__(self, stream: Stream, model: GPT, device: torch.device) -> None:
        super().__init__(stream, model, device)
        self.is_prompt = True
        self.hidden: Tensor | None = None  # (1, C), of the window's last token if its states are known
        self.stop = 0  # the prefix up to here is kept for other prompts
        self._begin(model)

    def _begin(self, model: GPT) -> None:
        self.first = len(self.window)  # how many tokens `generate` computes in its first pass
        self.exact: KVCache = model.new_cache()  # the states that `generate` has, of a part of the window
        self.is_replaying = False

    @property
    def is_exact(self) -> bool:
        """Whether the cache holds the states that `generate` has."""
        return self.is_replaying or self.exact.length == self.cache.length

    def slide(self, model: GPT) -> None:
        """Keep the last half of the window."""
        super().slide(model)
        self.is_prompt, self.hidden, self.stop = False, None, 0
        self._begin(model)

    def replay(self) -> None:
        """Compute the window again in the passes of `generate`, from where its states are known."""
        self.is_replaying, self.hidden = True, None
        self.cache = self.exact.fork()

    def advance(self, model: GPT, device: torch.device) -> int:
        """Compute the next pass; returns its number of tokens."""
        start = self.cache.length
        if self.is_replaying:
            end = start + 1 if start else self.first
        else:
            end = min(start + CHUNK, self.stop if start < self.stop else len(self.window))
        ids = torch.tensor([self.window[start:end]], device=device)
        self.hidden = model.hidden(ids, self.cache)[:, -1]
        if end - start == self.first and self.sampling.temperature == 0:
            self.exact = self.cache.fork()
        return end - start


class BatchedRows:
    """The rows of one model; `prefix_tokens` is the capacity of its prefix cache."""

    def __init__(self, model: GPT, prefix_tokens: int) -> None:
        self.model, self.device = model, next(model.parameters()).device
        self.counts = Counts()
        self._tolerance = TOLERANCE.get(next(model.parameters()).dtype, 0.0)
        self._prefixes = Prefixes(prefix_tokens)
        self.clear()

    def clear(self) -> None:
        """Remove all rows."""
        self._alone: deque[BatchedRow] = deque()
        self._batch: list[BatchedRow] = []  # in the order of the cache's rows
        self._cache = BatchCache(self.model.config.n_layer, self.model.config.context)

    def active(self) -> list[Row]:
        """All rows."""
        return [*self._batch, *self._alone]

    def join(self, stream: Stream) -> None:
        """Add a stream, which begins with the longest known prefix of its prompt."""
        row = BatchedRow(stream, self.model, self.device)
        ids = tuple(row.window)
        known = self._prefixes.longest(ids)
        if known is not None:
            row.cache = known.cache.fork()
            row.hidden = known.hidden if len(known.ids) == len(ids) else None
            self.counts.reused += len(known.ids)
        shared = self._prefixes.shared(ids)
        row.stop = shared if SHORTEST_PREFIX <= shared < len(ids) else 0
        self._alone.append(row)

    def leave(self, row: Row) -> None:
        """Remove a row; its states are kept, since a chat's next prompt begins with them."""
        assert isinstance(row, BatchedRow)
        if row in self._alone:
            self._alone.remove(row)
            return
        number = self._batch.index(row)
        length = self._cache.length_of(number)
        if self._prefixes.fits(length):
            self._prefixes.put(Prefix(tuple(row.window[:length]), self._cache.row(number)))
        self._take_out(row)

    def step(self) -> list[tuple[Row, Token]]:
        """A token of each row of the batch, then of those whose prompts are complete within the budget."""
        return [*self._advance_batch(), *self._advance_alone()]

    def _advance_batch(self) -> list[tuple[Row, Token]]:
        for row in [row for row in self._batch if len(row.window) > self.model.config.context]:
            self._take_out(row)
            row.slide(self.model)
            self._alone.append(row)
        rows = self._batch[:]
        if not rows:
            return []
        new = torch.tensor([[row.window[-1]] for row in rows], device=self.device)  # (N, 1)
        hidden = self.model.hidden(new, self._cache)[:, -1]  # (N, C)
        tokens: list[tuple[Row, Token]] = []
        for row, token in zip(rows, choose(self.model.head(hidden), rows, self._tolerance), strict=True):
            if token is None:
                self._take_out(row)
                row.replay()
                self._alone.append(row)
            else:
                row.append(token.id)
                tokens.append((row, token))
        return tokens

    def _advance_alone(self) -> list[tuple[Row, Token]]:
        tokens: list[tuple[Row, Token]] = []
        budget = BUDGET
        while self._alone and budget > 0:
            row = self._alone.popleft()
            if row.hidden is None or row.cache.length < len(row.window):
                count = row.advance(self.model, self.device)
                budget -= max(PASS_COST, count)
                if row.is_prompt and not row.is_replaying:
                    self.counts.computed += count
                    self._keep_prefix(row)
            if row.cache.length < len(row.window):
                self._alone.append(row)
            elif (token := self._choose(row)) is not None:
                tokens.append((row, token))
        return tokens

    def _choose(self, row: BatchedRow) -> Token | None:
        """The next token of a row whose window is computed, which then joins the batch; None: not yet."""
        assert row.hidden is not None
        (token,) = choose(self.model.head(row.hidden), [row], 0.0 if row.is_exact else self._tolerance)
        if token is None:
            row.replay()
            self._alone.append(row)
            return None
        if row.is_replaying:
            row.exact, row.is_replaying = row.cache, False
        row.append(token.id)
        row.is_prompt, row.hidden = False, None
        self._cache.join(row.cache)
        row.cache = self.model.new_cache()
        self._batch.append(row)
        return token

    def _keep_prefix(self, row: BatchedRow) -> None:
        """Keep the states of a whole prompt, and of what it shares with another."""
        length = row.cache.length
        if length in (row.stop, len(row.window)) and self._prefixes.fits(length):
            self._prefixes.put(Prefix(tuple(row.window[:length]), row.cache.row(0), row.hidden))

    def _take_out(self, row: BatchedRow) -> None:
        """Remove a row from the batch."""
        number = self._batch.index(row)
        self._batch[number] = self._batch[-1]
        self._batch.pop()
        if self._batch:
            self._cache.leave(number)
        else:  # and give its memory back
            self._cache = BatchCache(self.model.config.n_layer, self.model.config.context)
