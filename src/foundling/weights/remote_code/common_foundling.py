"""What GPTs and translators that were trained with Foundling share: norms, MLP, attention, sinusoids.

Shapes: B batch, T new tokens, S all attended tokens, C width, H query heads, G key/value heads (H is a
multiple of G), D head size.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedConfig


def make_norm(config: PreTrainedConfig) -> nn.Module:
    """LayerNorm, or RMSNorm, which omits mean and bias."""
    if config.norm == "layernorm":
        return nn.LayerNorm(config.n_embd, eps=config.norm_eps, bias=config.bias is True)
    return nn.RMSNorm(config.n_embd, eps=config.norm_eps)


class MLP(nn.Module):
    """The position-wise feed-forward network: (B, T, C) -> (B, T, C)."""

    def __init__(self, config: PreTrainedConfig) -> None:
        super().__init__()
        self.kind = config.mlp
        width, hidden, bias = config.n_embd, config.n_ffn, config.bias is True
        self.up = nn.Linear(width, hidden, bias=bias)
        self.gate = nn.Linear(width, hidden, bias=bias) if config.mlp == "swiglu" else None
        self.out = nn.Linear(hidden, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each position of x (B, T, C) independently."""
        if self.gate is not None:
            return self.out(F.silu(self.gate(x)) * self.up(x))
        h = self.up(x)  # (B, T, hidden)
        if self.kind == "gelu":
            return self.out(F.gelu(h, approximate="tanh"))
        return self.out(F.relu(h).square() if self.kind == "relu2" else F.relu(h))


def eager_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **kwargs,
) -> tuple[Tensor, Tensor]:
    """softmax(Q Kᵀ · scaling) V (B, T, H, D), and the weights (B, H, T, S)."""
    groups = query.size(1) // key.size(1)
    key = key.repeat_interleave(groups, dim=1)  # (B, H, S, D)
    value = value.repeat_interleave(groups, dim=1)
    scores = query @ key.transpose(-2, -1) * scaling  # (B, H, T, S)
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = scores.softmax(dim=-1, dtype=torch.float32).to(query.dtype)
    weights = F.dropout(weights, dropout, module.training)
    return (weights @ value).transpose(1, 2), weights


def frequencies(width: int, theta: float, device: torch.device) -> Tensor:
    """theta^(-2i/width), (width/2,), in float64 where the device has it, so that far positions stay exact."""
    dtype = torch.float32 if device.type == "mps" else torch.float64
    return theta ** -(torch.arange(0, width, 2, dtype=dtype, device=device) / width)


def angles(positions: Tensor, frequency: Tensor) -> Tensor:
    """position · frequency, (B, T, width/2)."""
    return (positions.unsqueeze(-1).to(frequency.dtype) * frequency).float()


def sinusoids(positions: Tensor, width: int) -> Tensor:
    """Fixed position vectors (B, T, C): sines in even, cosines in odd channels."""
    angle = angles(positions, frequencies(width, 10_000.0, positions.device))  # (B, T, C/2)
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(-2)  # (B, T, C)
