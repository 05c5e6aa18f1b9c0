"""Rotary positions of a GPT that was trained with Foundling, for any context.

Shapes: B batch, T new tokens, C width, H heads, D head size.
"""

import math

import torch
from torch import Tensor

from .common_foundling import angles, frequencies
from .configuration_foundling import FoundlingConfig

Rotary = tuple[Tensor, Tensor]  # cosines and sines of positions, (B, 1, T, D) each


def rotary_tables(positions: Tensor, config: FoundlingConfig, dtype: torch.dtype) -> Rotary:
    """Cosines and sines of rotary positions, with Llama's layout of the halves."""
    width, scaling = config.rotary_dim or config.head_dim, config.rope_scaling
    frequency, sharpness = frequencies(width, config.rope_theta, positions.device), 1.0
    if scaling is not None and scaling["kind"] == "longrope":
        frequency, sharpness = frequency / factors(positions, scaling), scaling["attention_factor"]
    elif scaling is not None:
        frequency, sharpness = stretched(frequency, config.rope_theta, scaling)
    angle = angles(positions, frequency).repeat(1, 1, 2).unsqueeze(1)  # (B, 1, T, D)
    return (angle.cos() * sharpness).to(dtype), (angle.sin() * sharpness).to(dtype)


def factors(positions: Tensor, scaling: dict) -> Tensor:
    """LongRoPE's divisors of the frequencies (B, 1, D/2); texts within the original context have others."""
    dtype = torch.float32 if positions.device.type == "mps" else torch.float64
    short, long = (
        torch.tensor(scaling[name], dtype=dtype, device=positions.device)
        for name in ("short_factors", "long_factors")
    )
    is_long = positions.amax(dim=-1) >= scaling["original_context"]  # (B,)
    return torch.where(is_long[:, None, None], long, short)


def stretched(frequency: Tensor, theta: float, scaling: dict) -> tuple[Tensor, float]:
    """The frequencies (D/2,) of a model whose context was stretched, and what multiplies cosines and sines.

    linear divides all by a factor; llama3 and yarn keep high frequencies, divide low ones, and blend between.
    """
    if scaling["kind"] == "linear":
        return frequency / scaling["factor"], 1.0
    count, context, sharpness = frequency.size(0), scaling["original_context"], 1.0
    if scaling["kind"] == "llama3":  # the ramp is over the rotations within the original context
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        kept = (context * frequency / (2 * math.pi) - low) / (high - low)  # (D/2,)
    else:  # yarn's is over channels
        rotations = scaling["beta_fast"], scaling["beta_slow"]
        first, last = (count * math.log(context / (2 * math.pi * n)) / math.log(theta) for n in rotations)
        if scaling["truncate"]:
            first, last = math.floor(first), math.ceil(last)
        first, last = max(first, 0), min(last, 2 * count - 1)
        last = first + 0.001 if first == last else last
        channel = torch.arange(count, dtype=frequency.dtype, device=frequency.device)
        kept = 1 - (channel - first) / (last - first)  # (D/2,)
        sharpness = scaling["attention_factor"] or 0.1 * math.log(scaling["factor"]) + 1
    kept = kept.clamp(0, 1)
    return kept * frequency + (1 - kept) * frequency / scaling["factor"], sharpness


def rotate(x: Tensor, rotary: Rotary) -> Tensor:
    """Rotate x (B, H, T, D) by the angles of its positions; scores see distances only.

    Tables of fewer channels than D rotate the first ones.
    """
    cos, sin = rotary
    width = cos.size(-1)
    if width < x.size(-1):
        return torch.cat((rotate(x[..., :width], rotary), x[..., width:]), dim=-1)
    left, right = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-right, left), dim=-1) * sin
