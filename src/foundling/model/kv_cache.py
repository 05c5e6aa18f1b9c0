"""The state of incremental decoding, passed to the model as an argument: keys, values and convolution inputs.

Shapes: B batch, T new tokens, G key/value heads, S cached positions, D head size, C width.
"""

import torch
from torch import Tensor

MINIMUM_CAPACITY = 64  # positions


class ConvolutionState:
    """The last inputs of a short convolution, (B, reach, C); None before the first call."""

    def __init__(self) -> None:
        self.inputs: Tensor | None = None


class LayerCache:
    """One layer's keys and values, and the states of its convolutions where it has any.

    A layer without attention has no keys and values; its `length` counts tokens all the same.
    """

    def __init__(self) -> None:
        self.k: Tensor | None = None
        self.v: Tensor | None = None
        self.convolution, self.lookup = ConvolutionState(), ConvolutionState()
        self.length = 0

    @property
    def states(self) -> tuple[ConvolutionState, ConvolutionState]:
        """The states of the convolutions before the block and of its lookup heads."""
        return self.convolution, self.lookup

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Append the new tokens' k and v (B, G, T, D); return those of all tokens, (B, G, S, D) each."""
        length = self.length + k.size(2)
        self.k, self.v = _grow(self.k, k, self.length, length), _grow(self.v, v, self.length, length)
        self.k.narrow(2, self.length, k.size(2)).copy_(k)
        self.v.narrow(2, self.length, k.size(2)).copy_(v)
        self.length = length
        return self.read()

    def read(self) -> tuple[Tensor, Tensor]:
        """The keys and values of all tokens so far, (B, G, S, D) each."""
        assert self.k is not None
        assert self.v is not None
        return self.k.narrow(2, 0, self.length), self.v.narrow(2, 0, self.length)

    def fork(self) -> "LayerCache":
        """Another cache with the same contents, which `append` copies to a new buffer before it writes."""
        fork = LayerCache()
        if self.k is not None:
            fork.k, fork.v = self.read()
        fork.length = self.length
        for state, mine in zip(fork.states, self.states, strict=True):
            state.inputs = mine.inputs
        return fork

    def row(self, row: int, length: int) -> "LayerCache":
        """A copy of the first `length` positions of one row, as a batch of one."""
        copy = LayerCache()
        if self.k is not None:
            copy.k, copy.v = (t[row : row + 1, :, :length].clone() for t in self.read())
        copy.length = length
        for state, mine in zip(copy.states, self.states, strict=True):
            state.inputs = None if mine.inputs is None else mine.inputs[row : row + 1].clone()
        return copy

    def select(self, rows: Tensor) -> None:
        """Replace the batch by these of its rows (N,), in this order; a row may be repeated."""
        self.k, self.v = (None if t is None else t[rows] for t in (self.k, self.v))
        for state in self.states:
            state.inputs = None if state.inputs is None else state.inputs[rows]


class KVCache:
    """The caches of all layers, for one batch of sequences of equal length.

    With `cross`, each layer has a second cache for the keys and values of the encoder's output.
    """

    def __init__(self, n_layer: int, cross: bool = False) -> None:
        self.layers = [LayerCache() for _ in range(n_layer)]
        self.cross = [LayerCache() for _ in range(n_layer if cross else 0)]

    def place(self, count: int, device: torch.device) -> tuple[slice | Tensor, Tensor | None]:
        """Positions of the next `count` tokens, and a mask of what they attend to; None: causal."""
        return slice(self.length, self.length + count), None

    def fork(self) -> "KVCache":
        """Another cache with the same contents; what is appended to either, the other does not hold."""
        fork = KVCache(0)
        fork.layers = [layer.fork() for layer in self.layers]
        return fork

    def row(self, row: int) -> "KVCache":
        """A copy of one row, as a batch of one."""
        copy = KVCache(0)
        copy.layers = [layer.row(row, self.length_of(row)) for layer in self.layers]
        return copy

    def length_of(self, row: int) -> int:
        """The number of cached positions of one row."""
        return self.length

    def select(self, rows: Tensor) -> None:
        """Replace the batch by these of its rows (N,), as beam search drops and repeats beams."""
        for layer in (*self.layers, *self.cross):
            layer.select(rows)

    @property
    def length(self) -> int:
        """The number of cached positions."""
        return self.layers[0].length


def _grow(buffer: Tensor | None, like: Tensor, used: int, needed: int) -> Tensor:
    """The buffer, or a copy of twice the needed capacity where it is too small: amortised O(1) a token."""
    if buffer is not None and buffer.size(2) >= needed:
        return buffer
    b, g, _, d = like.shape
    grown = torch.empty(b, g, max(MINIMUM_CAPACITY, 2 * needed), d, dtype=like.dtype, device=like.device)
    if buffer is not None:
        grown[:, :, :used] = buffer[:, :, :used]
    return grown
