"""Attention maps of a GPT: token ids (B, T) in, every head's attention weights out.

Shapes as in attention.py.
"""

import copy
from typing import Any

import torch
from torch import Tensor

from foundling.model.attention import attention_weights, reference_attention
from foundling.model.blocks import Block
from foundling.model.gpt import GPT


@torch.inference_mode()
def attention_maps(model: GPT, ids: Tensor) -> Tensor:
    """The attention weights of each attention layer and head over ids (B, T): (layers, B, H, T, T).

    Each row sums to 1.

    The fused kernels never store the weights, so a copy of the modules, which shares the model's tensors,
    computes attention by the reference implementation. The model itself stays as it is, and other threads can
    use it at the same time.
    """
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    model = copy.deepcopy(model, shared)
    maps: list[Tensor] = []

    def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float) -> Tensor:
        maps.append(attention_weights(q, k, mask))  # (B, H, T, T)
        return reference_attention(q, k, v, mask, dropout)

    layers: list[Any] = [block.attention for block in model.blocks if isinstance(block, Block)]
    for layer in layers:
        layer.attend = attend
    model.hidden(ids)
    return torch.stack(maps)
