"""Attention maps of a GPT: token ids (B, T) in, every head's attention weights out.

Shapes as in attention.py.
"""

from typing import Any

import torch
from torch import Tensor

from foundling.model.attention import attention_weights, reference_attention
from foundling.model.gpt import GPT


@torch.inference_mode()
def attention_maps(model: GPT, ids: Tensor) -> Tensor:
    """The attention weights of each layer and head over ids (B, T): (layers, B, H, T, T); each row sums to 1.

    For this forward pass each layer computes attention by the reference implementation, since the fused
    kernels never store the weights.
    """
    layers: list[Any] = [block.attention for block in model.blocks]
    originals = [layer.attend for layer in layers]
    maps: list[Tensor] = []

    def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float) -> Tensor:
        maps.append(attention_weights(q, k, mask))  # (B, H, T, T)
        return reference_attention(q, k, v, mask, dropout)

    try:
        for layer in layers:
            layer.attend = attend
        model.hidden(ids)
    finally:
        for layer, original in zip(layers, originals, strict=True):
            layer.attend = original
    return torch.stack(maps)
