"""Lookup heads: attention heads that find where the last tokens occurred before, and read what followed.

Given "The key was in the barn. … The key was in the", such a head attends to *barn*. A plain Transformer
learns heads that do this, the induction heads of Olsson et al. (2022), out of two layers, which takes it
long; here the blend over time is part of the projection (their "smeared keys"). Queries blend in the `reach`
positions before their own; keys are blends of the `reach` positions before alone, so that a key stands for
the tokens that precede its value. Lookup heads have no positions: what they look for may be anywhere.

Shapes as in attention.py; L lookup heads.
"""

import torch
from torch import Tensor, nn

from foundling.model.kv_cache import ConvolutionState
from foundling.model.layers import ShortConvolution
from foundling.model.rotary import rotate


class LookupBlend(ShortConvolution):
    """The blend over time of the queries and keys of the first `count` heads of an attention layer."""

    def __init__(self, count: int, head_dim: int, reach: int) -> None:
        super().__init__(2 * count * head_dim, reach)
        nn.init.ones_(self.weight)
        self.count = count
        self.width = count * head_dim  # L·D

    def blend(
        self, qkv: Tensor, keys_at: int, state: ConvolutionState | None, segments: Tensor | None
    ) -> Tensor:
        """Blend the lookup heads' channels of qkv (B, T, (H + 2G) · D); keys start at `keys_at`."""
        widths = [self.width, keys_at - self.width, self.width, qkv.size(-1) - keys_at - self.width]
        q, other_q, k, rest = torch.split(qkv, widths, dim=-1)
        blended = self(torch.cat((q, k), dim=-1), state, segments)  # (B, T, 2L·D)
        blended_q, blended_k = blended.chunk(2, dim=-1)
        return torch.cat((blended_q, other_q, blended_k - k, rest), dim=-1)

    def rotate_others(self, x: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
        """Apply rotary positions to queries or keys x (B, H, T, D), except to the lookup heads'."""
        return torch.cat((x[:, : self.count], rotate(x[:, self.count :], *rotary)), dim=1)
