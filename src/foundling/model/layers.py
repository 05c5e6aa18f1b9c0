"""The parts of a block beside attention: norms, feed-forward networks, positions, the short convolution.

Shapes: B batch, T time, C width, H heads, D head size.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from foundling.model.kv_cache import Recent

NORMS = ("layernorm", "rmsnorm")
MLPS = ("relu", "gelu", "relu2", "swiglu")
POSITIONS = ("learned", "sinusoidal", "rotary")


def make_norm(kind: str, width: int, eps: float, bias: bool) -> nn.Module:
    """LayerNorm (Ba et al. 2016), or RMSNorm, which leaves out mean and bias (Zhang and Sennrich 2019)."""
    return nn.LayerNorm(width, eps=eps, bias=bias) if kind == "layernorm" else nn.RMSNorm(width, eps=eps)


class MLP(nn.Module):
    """Two layers applied to each position alone: (B, T, C) -> (B, T, C).

    relu: as the 2017 Transformer; gelu: GELU in its tanh form, as GPT-2; relu2: ReLU squared (So et al. 2021);
    swiglu: SiLU(gate) · up (Shazeer 2020).
    """

    def __init__(self, kind: str, width: int, hidden: int, bias: bool) -> None:
        super().__init__()
        self.kind = kind
        self.up = nn.Linear(width, hidden, bias=bias)
        self.gate = nn.Linear(width, hidden, bias=bias) if kind == "swiglu" else None
        self.out = nn.Linear(hidden, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each position of x (B, T, C)."""
        if self.gate is not None:
            return self.out(F.silu(self.gate(x)) * self.up(x))
        h = self.up(x)  # (B, T, hidden)
        if self.kind == "gelu":
            return self.out(F.gelu(h, approximate="tanh"))
        return self.out(F.relu(h).square() if self.kind == "relu2" else F.relu(h))


class ShortConvolution(nn.Module):
    """Add to each token a learned, channel-wise blend of the `reach` tokens before it: x[t] + Σₖ wₖ ⊙ x[t-k].

    Copying from the context needs a token to know its predecessor; attention spends a layer on that, this a few hundred
    weights (compare Mamba's and H3's short convolutions; Fu et al. 2023). Zero weights at the start: the identity.
    """

    def __init__(self, width: int, reach: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(reach, width))

    def forward(self, x: Tensor, recent: Recent | None = None, segments: Tensor | None = None) -> Tensor:
        """Blend x (B, T, C) with its past, of which `recent` holds what came before the first of the new tokens.

        With segments (B, T) a token blends in those of its own segment alone.
        """
        reach, t = self.weight.size(0), x.size(1)
        if recent is None or recent.held is None:
            past = F.pad(x, (0, 0, reach, 0))  # (B, reach + T, C)
        else:
            past = torch.cat((recent.held, x), dim=1)  # (B, reach + T, C)
        if recent is not None:
            recent.held = past[:, -reach:]  # (B, reach, C)
        for k in range(1, reach + 1):
            before = past[:, reach - k : reach - k + t]  # (B, T, C), the token k places back
            if segments is not None:
                own = F.pad(segments[:, k:] == segments[:, :-k], (min(k, t), 0))  # (B, T)
                before = before * own.unsqueeze(-1)
            x = torch.addcmul(x, before, self.weight[k - 1])  # (B, T, C)
        return x


def sinusoids(context: int, width: int) -> Tensor:
    """Fixed position vectors (context, C): sines on even, cosines on odd channels (Vaswani et al. 2017, 3.5)."""
    angles = _angles(context, width, theta=10_000.0)  # (context, C/2)
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)  # (context, C)


def rotary_tables(context: int, head_dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines (context, D) that turn queries and keys (Su et al. 2021), halves laid out as Llama does."""
    angles = _angles(context, head_dim, theta).repeat(1, 2)  # (context, D)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn x (B, H, T, D) by its positions' angles, (T, D) or (B, 1, T, D); scores then depend on distances alone."""
    left, right = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-right, left), dim=-1) * sin


def _angles(context: int, width: int, theta: float) -> Tensor:
    """position · theta^(-2i/width), (context, width/2), counted in float64 so that far positions stay exact."""
    frequencies = theta ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    return torch.outer(torch.arange(context, dtype=torch.float64), frequencies).float()
