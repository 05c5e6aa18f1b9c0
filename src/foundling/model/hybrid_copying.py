"""Initial weights of a GPT with conv layers: it looks up what followed the last tokens before.

Lookup heads (lookup_heads.py) blend the previous tokens into their keys. Here the first conv layers do so.
At the start the residual stream has two halves:

| channels    | hold                                                                                        |
|-------------|---------------------------------------------------------------------------------------------|
| first       | a constant, from which the convolutions' gates b and c are 1: they let everything pass      |
| first half  | the token's embedding; attention reads its values here, and adds what it attends to         |
| second half | the sum of the previous tokens' embeddings, which the conv layers write                     |

Half of the key/value heads are for lookups: their keys read the second half, their queries both halves by the
same map, so that they match where the last tokens are the same. Training is free to change all of it.

Shapes as in attention.py.
"""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from foundling.model.attention import Attention
from foundling.model.layers import GatedConvolution
from foundling.model.rotary import scaled_frequencies

if TYPE_CHECKING:
    from foundling.model.gpt import GPT

EMBEDDING_STD = 0.1
COPYING_GAIN = 0.2
DECAY = 0.7  # of a previous token's weight with its distance, so that the last one counts most
SLOW = 2.0  # radians: channels that rotate less over the context match tokens at any distance


@torch.no_grad()
def look_up_from_convolutions(model: "GPT") -> None:
    """Set the embedding, the conv layers before the first attention, and the attention layers in place."""
    if model.token_embedding.weight.is_meta:
        return
    width = model.config.n_embd
    half = width // 2
    constant = EMBEDDING_STD * math.sqrt(half - 1)  # as large as the rest of an embedding
    embedding = model.token_embedding.weight  # (V, C)
    nn.init.normal_(embedding[:, :half], std=EMBEDDING_STD)
    embedding[:, half:] = 0
    embedding[:, 0] = constant
    size = 2 * constant**2  # of the residual stream, squared
    leading = True
    for number, block in enumerate(model.blocks):
        if isinstance(block.convolution, GatedConvolution):
            if leading:
                scale = math.sqrt(width / size)  # by which the norm multiplies
                _pass_previous(block.convolution, constant * scale, scale, is_first=number == 0)
                size += constant**2
        else:
            leading = False
            _look_up(block.attention, _slow_channels(model))


def _pass_previous(layer: GatedConvolution, constant: float, scale: float, is_first: bool) -> None:
    """Add the previous tokens to the second half: their embeddings, or what it held kernel - 1 tokens ago."""
    width = layer.weight.size(1)
    half = width // 2
    gates, x = torch.split(layer.projection.weight, [2 * width, width])  # (2C, C), (C, C)
    gates.zero_()
    gates[:, 0] = 1 / constant
    x[:half] = 0
    read = torch.arange(1, half) if is_first else torch.arange(half + 1, width)
    gain = 1 / math.sqrt(scale)
    x[torch.arange(1, half), read] = gain
    layer.weight.zero_()
    reach = layer.weight.size(0) - 1
    for distance in range(1 if is_first else reach, reach + 1):
        layer.weight[reach - distance] = DECAY**distance
    layer.out.weight.zero_()
    layer.out.weight[torch.arange(half + 1, width), torch.arange(1, half)] = gain


def _look_up(layer: Attention, slow: Tensor) -> None:
    """Match what precedes a token with the last tokens, and copy the token."""
    n_head, n_kv_head, _ = layer.head_counts
    d, width = layer.head_dim, layer.qkv.in_features
    half, group = width // 2, n_head // n_kv_head
    heads = layer.qkv.weight.view(-1, d, width)  # (H + 2G, D, C)
    value = heads[-n_kv_head:].flatten(0, 1)  # (G·D, C)
    value.zero_()
    nn.init.orthogonal_(value[:, 1:half], gain=math.sqrt(COPYING_GAIN))
    of_each_head = value.view(n_kv_head, d, width).repeat_interleave(group, dim=0)  # (H, D, C)
    layer.out.weight.zero_()
    lookups = max(1, n_kv_head // 2)
    rows = lookups * group * d  # of the lookup heads
    layer.out.weight[:, :rows] = of_each_head.flatten(0, 1)[:rows].T
    for number in range(lookups):
        match = torch.empty(d, half - 1)
        nn.init.orthogonal_(match)
        queries, key = heads[number * group : (number + 1) * group], heads[n_head + number]
        queries[:, slow, :] = 0
        key[slow] = 0
        queries[:, slow, 1:half] = match[slow]
        queries[:, slow, half + 1 :] = match[slow]
        key[slow, half + 1 :] = match[slow]


def _slow_channels(model: "GPT") -> Tensor:
    """Which channels (D,) of a head hardly rotate over the context."""
    config = model.config
    frequencies = scaled_frequencies(config.head_dim, config.rope_theta, config.rope_scaling)
    return (frequencies * config.context < SLOW).repeat(2)
