"""What a model remembers of the tokens it has read, so that each new token costs one step: an argument, never state.

Shapes: B batch, G key/value heads, S positions held, D head size, C width.
"""

import torch
from torch import Tensor


class Recent:
    """The last inputs of a short convolution, (B, reach, C); None before the first."""

    def __init__(self) -> None:
        self.held: Tensor | None = None


class LayerCache:
    """One layer's keys and values of the tokens so far, and the last inputs of its convolutions, where it has some."""

    def __init__(self) -> None:
        self.k: Tensor | None = None
        self.v: Tensor | None = None
        self.block, self.induction = Recent(), Recent()
        self.length = 0

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Add the new tokens' k and v (B, G, T, D); return all so far, (B, G, S, D) each. Room grows by doubling."""
        needed = self.length + k.size(2)
        self.k, self.v = _roomy(self.k, k, self.length, needed), _roomy(self.v, v, self.length, needed)
        self.k[:, :, self.length : needed] = k
        self.v[:, :, self.length : needed] = v
        self.length = needed
        return self.held()

    def held(self) -> tuple[Tensor, Tensor]:
        """The k and v of all tokens so far, (B, G, S, D) each."""
        assert self.k is not None
        assert self.v is not None
        return self.k[:, :, : self.length], self.v[:, :, : self.length]

    def select(self, rows: Tensor) -> None:
        """Go on with these rows (N,) of the batch, in this order; one may come more than once."""
        self.k, self.v = (None if t is None else t[rows] for t in (self.k, self.v))
        for recent in (self.block, self.induction):
            recent.held = None if recent.held is None else recent.held[rows]


class KVCache:
    """The caches of all layers of one model for one batch of sequences that grow in step.

    With `cross`, each layer has a second one for what it made of the sequence that it looks across to.
    """

    def __init__(self, n_layer: int, cross: bool = False) -> None:
        self.layers = [LayerCache() for _ in range(n_layer)]
        self.cross = [LayerCache() for _ in range(n_layer if cross else 0)]

    def select(self, rows: Tensor) -> None:
        """Go on with these rows (N,) of the batch, as a beam search does when it drops some and doubles others."""
        for layer in (*self.layers, *self.cross):
            layer.select(rows)

    @property
    def length(self) -> int:
        """How many positions are held."""
        return self.layers[0].length


def _roomy(buffer: Tensor | None, like: Tensor, length: int, needed: int) -> Tensor:
    if buffer is not None and buffer.size(2) >= needed:
        return buffer
    b, g, _, d = like.shape
    grown = torch.empty(b, g, max(64, 2 * needed), d, dtype=like.dtype, device=like.device)
    if buffer is not None:
        grown[:, :, :length] = buffer[:, :, :length]
    return grown
