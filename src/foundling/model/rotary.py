"""Rotary positions (Su et al. 2021): tables of cosines and sines, also for a stretched context; the rotation.

Shapes: B batch, T time, H heads, D head size. Channel i forms a pair with channel i + D/2, as in Llama.
"""

import math

import torch
from torch import Tensor

from foundling.settings.rope import (
    LinearScaling,
    Llama3Scaling,
    LongropeScaling,
    RopeScaling,
    YarnScaling,
)


def rotary_tables(
    context: int, head_dim: int, theta: float, scaling: RopeScaling | None = None
) -> tuple[Tensor, Tensor]:
    """Cosines and sines (context, D) of the angles position · frequency.

    LongRoPE's tables for texts within the original context follow as further rows.
    """
    rows = angles(context, scaled_frequencies(head_dim, theta, scaling))  # (context, D/2)
    if isinstance(scaling, LongropeScaling):
        long = frequencies(head_dim, theta) / torch.tensor(scaling.long_factors, dtype=torch.float64)
        rows = torch.cat((angles(context, long), rows[: scaling.original_context]))
    table = rows.repeat(1, 2)  # (context, D)
    cos, sin = table.cos(), table.sin()
    factor = attention_factor(scaling)
    return (cos, sin) if factor == 1 else (cos * factor, sin * factor)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate x (B, H, T, D) by its positions' angles, (T, D) or (B, 1, T, D); scores see distances only.

    Tables of fewer channels than D rotate the first ones.
    """
    width = cos.size(-1)
    if width < x.size(-1):
        return torch.cat((rotate(x[..., :width], cos, sin), x[..., width:]), dim=-1)
    left, right = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-right, left), dim=-1) * sin


def frequencies(width: int, theta: float) -> Tensor:
    """theta^(-2i/width), (width/2,), in float64."""
    return theta ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)


def angles(context: int, frequencies: Tensor) -> Tensor:
    """position · frequency, (context, width/2), computed in float64 so that far positions stay exact."""
    return torch.outer(torch.arange(context, dtype=torch.float64), frequencies).float()


def scaled_frequencies(head_dim: int, theta: float, scaling: RopeScaling | None) -> Tensor:
    """The frequencies (D/2,) of rotary positions whose context was stretched by `scaling`.

    LongRoPE's are those of texts within the original context.
    """
    original = frequencies(head_dim, theta)
    if scaling is None:
        return original
    if isinstance(scaling, LinearScaling):
        return original / scaling.factor
    if isinstance(scaling, LongropeScaling):
        return original / torch.tensor(scaling.short_factors, dtype=torch.float64)
    # 1 where the wavelength is short for the original context, 0 where long
    if isinstance(scaling, Llama3Scaling):
        rotations = scaling.original_context * original / (2 * math.pi)
        low, high = scaling.low_freq_factor, scaling.high_freq_factor
        kept = ((rotations - low) / (high - low)).clamp(0, 1)  # (D/2,)
    else:  # YaRN's ramp is over channels (Peng et al. 2023, eq. 17 and 18, as in transformers)
        first, last = (
            head_dim * math.log(scaling.original_context / (rotations * 2 * math.pi)) / (2 * math.log(theta))
            for rotations in (scaling.beta_fast, scaling.beta_slow)
        )
        if scaling.truncate:
            first, last = math.floor(first), math.ceil(last)
        first, last = max(first, 0), min(last, head_dim - 1)
        last = first + 0.001 if first == last else last
        channel = torch.arange(head_dim // 2, dtype=torch.float64)
        kept = 1 - ((channel - first) / (last - first)).clamp(0, 1)  # (D/2,)
    return kept * original + (1 - kept) * original / scaling.factor


def attention_factor(scaling: RopeScaling | None) -> float:
    """What multiplies queries and keys, so that attention stays as sharp as in the original context."""
    if scaling is None or isinstance(scaling, LinearScaling | Llama3Scaling):
        return 1.0
    if isinstance(scaling, YarnScaling) and scaling.attention_factor is None:
        return 0.1 * math.log(scaling.factor) + 1
    assert scaling.attention_factor is not None
    return scaling.attention_factor
