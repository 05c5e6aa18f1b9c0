"""Initial weights of every nn.Linear and nn.Embedding; norms and short convolutions have their own defaults.

| model      | init          | matrices and embeddings              | output projections                    |
|------------|---------------|--------------------------------------|---------------------------------------|
| GPT        | gpt2          | N(0, 0.02²)                          | N(0, 0.02² / (2 · n_layer)), as GPT-2 |
| GPT        | zero_residual | N(0, 0.02²)                          | 0: each block starts as the identity  |
| GPT        | copying       | N(0, 0.02²), `copy_attended` below   | 0, `copy_attended` in attention       |
| translator | xavier        | Xavier uniform, N(0, 1/C) embeddings | Xavier uniform                        |
| translator | zero_residual | Xavier uniform, N(0, 1/C) embeddings | 0                                     |

Output projections are those of attention, gated convolutions and the MLP. Biases are 0. With conv layers
`copying` also has them pass on the previous tokens: hybrid_copying.py. The order of the draws is part of a
run's reproducibility.
"""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import nn

from foundling.model.attention import Attention
from foundling.model.hybrid_copying import look_up_from_convolutions
from foundling.model.layers import MLP, GatedConvolution

if TYPE_CHECKING:
    from foundling.model.gpt import GPT
    from foundling.model.translator import Translator

STD = 0.02
COPYING_GAIN = 0.2


@torch.no_grad()
def initialise_gpt(model: "GPT") -> None:
    """Initialise a GPT in place, as `model.config.init` names it."""
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=STD)
    _zero_biases(model)
    for block in model.blocks:
        mixer = block.convolution if isinstance(block.convolution, GatedConvolution) else block.attention
        for projection in (mixer.out, block.mlp.out):
            if model.config.init == "gpt2":
                nn.init.normal_(projection.weight, std=STD / math.sqrt(2 * model.config.n_layer))
            else:
                nn.init.zeros_(projection.weight)
        if model.config.init == "copying" and isinstance(mixer, Attention):
            copy_attended(mixer)
    if model.config.init == "copying" and model.config.conv_kernel:
        look_up_from_convolutions(model)


@torch.no_grad()
def copy_attended(attention: Attention) -> None:
    """Make attention add COPYING_GAIN times whatever it attends to, by orthogonal values and their transpose.

    The model then only has to learn where to attend. Lookup heads do not even have to learn that: their
    queries and keys start as the same map, so that they match similar tokens (compare mimetic initialization,
    Trockman and Kolter 2023).
    """
    n_head, n_kv_head, _ = attention.head_counts
    d, qkv = attention.head_dim, attention.qkv.weight  # ((H + 2G) · D, C)
    value = qkv[-n_kv_head * d :]  # (G·D, C)
    nn.init.orthogonal_(value, gain=math.sqrt(COPYING_GAIN))
    # (H, D, C)
    value_of_each_head = value.view(n_kv_head, d, -1).repeat_interleave(n_head // n_kv_head, dim=0)
    attention.out.weight.copy_(value_of_each_head.flatten(0, 1).T)
    if attention.blend is not None:
        width = attention.blend.width
        qkv[n_head * d : n_head * d + width] = qkv[:width]


@torch.no_grad()
def initialise_translator(model: "Translator") -> None:
    """Initialise a translator in place (Glorot and Bengio 2010), as `model.config.init` names it."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
    _zero_biases(model)
    for table in (model.source_embedding, model.target_embedding, model.output):
        if table is not None:
            nn.init.normal_(table.weight, std=model.config.n_embd**-0.5)
    if model.config.init == "zero_residual":
        for module in model.modules():
            if isinstance(module, (Attention, MLP)):
                nn.init.zeros_(module.out.weight)


def _zero_biases(model: nn.Module) -> None:
    linear: Iterable[nn.Linear] = (module for module in model.modules() if isinstance(module, nn.Linear))
    for module in linear:
        if module.bias is not None:
            nn.init.zeros_(module.bias)
