"""Where a GPT looks: token ids (B, T) in, every head's attention weights out.

Shapes as in attention.py; L layers.
"""

from typing import Any

import torch
from torch import Tensor

from foundling.model.attention import attention_weights, reference_attention
from foundling.model.gpt import GPT


@torch.inference_mode()
def looks(model: GPT, ids: Tensor) -> Tensor:
    """How much each position of ids (B, T) looks at itself and those before it: (L, B, H, T, T), each row sums to 1.

    For this one reading each layer attends the plain way, which has the weights; the fused kernels never write them.
    """
    attentions: list[Any] = [block.attention for block in model.blocks]
    usual, seen = [attention.attend for attention in attentions], []

    def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float) -> Tensor:
        seen.append(attention_weights(q, k, mask))  # (B, H, T, T)
        return reference_attention(q, k, v, mask, dropout)

    try:
        for attention in attentions:
            attention.attend = attend
        model.hidden(ids)
    finally:
        for attention, own in zip(attentions, usual, strict=True):
            attention.attend = own
    return torch.stack(seen)
