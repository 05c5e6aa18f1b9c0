"""A cache for decoding sequences of different lengths in one batch, which join and leave between two tokens.

A sequence is a row of the batch. When one leaves, the last row takes its place, so that the rows in use are
always the first ones, and the model reads them as views without copies.

Shapes: N rows in use, G key/value heads, S positions of the longest row, D head size, C width.
"""

import torch
from torch import Tensor

from foundling.model.kv_cache import MINIMUM_CAPACITY, KVCache, LayerCache

MINIMUM_ROWS = 4


class BatchLayerCache(LayerCache):
    """One layer's keys and values (rows, G, positions, D), and inputs of its convolutions (N, reach, C)."""

    def __init__(self, batch: "BatchCache") -> None:
        super().__init__()
        self.batch = batch

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Write the new token's k and v (N, G, 1, D) to each row; return those of all, (N, G, S, D) each."""
        assert self.k is not None
        assert self.v is not None
        n, g, _, d = k.shape
        at = self.batch.places(g)  # (N · G,)
        self.k.view(-1, d).index_copy_(0, at, k.reshape(n * g, d))
        self.v.view(-1, d).index_copy_(0, at, v.reshape(n * g, d))
        return self.read()

    def read(self) -> tuple[Tensor, Tensor]:
        """The keys and values of the rows in use, up to the end of the longest, (N, G, S, D) each."""
        assert self.k is not None
        assert self.v is not None
        n, longest = len(self.batch.lengths), self.batch.length
        return self.k[:n, :, :longest], self.v[:n, :, :longest]

    def join(self, other: LayerCache, row: int) -> None:
        """Copy the only row of another cache to this row, which follows the last one."""
        if other.k is not None:
            k, v = other.read()  # (1, G, T, D) each
            if self.k is None or self.v is None:  # zeros, as 0 · NaN would be NaN where masked
                shape = (self.batch.rows, k.size(1), self.batch.positions, k.size(3))
                self.k, self.v = k.new_zeros(shape), v.new_zeros(shape)
            self.k[row, :, : k.size(2)], self.v[row, :, : v.size(2)] = k[0], v[0]
        for state, its in zip(self.states, other.states, strict=True):
            if its.inputs is not None:
                before = its.inputs[:0] if state.inputs is None else state.inputs
                state.inputs = torch.cat((before, its.inputs))

    def leave(self, row: int, last: int, length: int) -> None:
        """Put the last row, of this length, in the place of `row`."""
        if row != last:
            for cached in (self.k, self.v):
                if cached is not None:
                    cached[row, :, :length] = cached[last, :, :length]
        for state in self.states:
            if state.inputs is not None:
                state.inputs[row] = state.inputs[last]
                state.inputs = state.inputs[:last]

    def resize(self) -> None:
        """Make room for the batch's rows and positions; what is cached is kept."""
        if self.k is not None and self.v is not None:
            self.k, self.v = _resized(self.k, self.batch), _resized(self.v, self.batch)


class BatchCache(KVCache):
    """The caches of all layers for rows of different lengths; a forward pass adds one token to each row."""

    def __init__(self, n_layer: int, context: int) -> None:
        super().__init__(0)
        self.layers: list[BatchLayerCache] = [BatchLayerCache(self) for _ in range(n_layer)]  # type: ignore[assignment]
        self.context = context
        self.lengths: list[int] = []  # of the rows in use
        self.rows, self.positions = MINIMUM_ROWS, min(MINIMUM_CAPACITY, context)  # for which there is room
        self._ends = torch.empty(0, dtype=torch.long)  # (N,), the new tokens' positions
        self._places: Tensor | None = None

    @property
    def length(self) -> int:
        """The number of positions of the longest row."""
        return max(self.lengths, default=0)

    def place(self, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Positions (N, 1) of each row's next token, and a mask (N, 1, 1, S) of what it attends to."""
        assert count == 1
        self._ends = torch.tensor(self.lengths, device=device)
        self._places = None
        self.lengths = [length + 1 for length in self.lengths]
        self._make_room()
        seen = torch.arange(self.length, device=device) <= self._ends[:, None]  # (N, S)
        return self._ends[:, None], seen[:, None, None]

    def places(self, heads: int) -> Tensor:
        """Where in a layer's (rows · G · positions) vectors those of the new tokens are written, (N · G,)."""
        if self._places is None:
            rows = torch.arange(len(self.lengths) * heads, device=self._ends.device)
            self._places = rows * self.positions + self._ends.repeat_interleave(heads)
        return self._places

    def join(self, other: KVCache) -> None:
        """Add the only row of another cache as the last one."""
        self.lengths.append(other.length)
        self._make_room()
        for layer, its in zip(self.layers, other.layers, strict=True):
            layer.join(its, len(self.lengths) - 1)

    def leave(self, row: int) -> None:
        """Remove a row; the last one takes its place."""
        last = len(self.lengths) - 1
        for layer in self.layers:
            layer.leave(row, last, self.lengths[last])
        self.lengths[row] = self.lengths[last]
        self.lengths.pop()

    def length_of(self, row: int) -> int:
        """The number of cached positions of one row."""
        return self.lengths[row]

    def _make_room(self) -> None:
        """Double the room for rows or positions where it is too small: amortised O(1) a token."""
        rows, positions = self.rows, self.positions
        while rows < len(self.lengths):
            rows *= 2
        while positions < self.length:
            positions = min(2 * positions, self.context)
        if (rows, positions) != (self.rows, self.positions):
            self.rows, self.positions = rows, positions
            for layer in self.layers:
                layer.resize()


def _resized(buffer: Tensor, batch: BatchCache) -> Tensor:
    rows, g, positions, d = buffer.shape
    resized = buffer.new_zeros(batch.rows, g, batch.positions, d)
    resized[:rows, :, :positions] = buffer
    return resized
