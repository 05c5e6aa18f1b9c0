"""The parts of a GPT that was trained with Foundling: convolutions, attention, and the blocks.

Shapes: B batch, T new tokens, S all tokens (T plus those in the cache), C width, H query heads, G key/value
heads (H is a multiple of G), D head size, L lookup heads.

Rows may be padded, and several texts may be packed into a row. A token's position counts from 0 within its
text, so the convolutions, which read the previous tokens, know by it which of them belong to the text.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import Cache
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .common_foundling import MLP, eager_attention, make_norm
from .configuration_foundling import FoundlingConfig
from .positions_foundling import Rotary, rotate

CONVOLUTION, LOOKUP = 0, 1  # the numbers of a layer's convolution states in the cache


def with_previous(x: Tensor, reach: int, cache: Cache | None, layer: int, state: int) -> Tensor:
    """The `reach` inputs before x (B, T, C), from the cache or zeros, and x: (B, reach + T, C)."""
    if cache is None:
        return F.pad(x, (0, 0, reach, 0))
    inputs = x.transpose(1, 2)  # (B, C, T), as transformers stores them
    inputs = cache.update_conv_state(inputs, layer, state_idx=state, conv_kernel_size=reach)
    size = reach + x.size(1)
    return F.pad(inputs, (size, 0))[..., -size:].transpose(1, 2)


class ShortConvolution(nn.Module):
    """A causal depthwise convolution with a residual: x[t] + Σₖ wₖ ⊙ x[t-k] for k = 1 … reach."""

    def __init__(self, width: int, reach: int, layer: int, state: int) -> None:
        super().__init__()
        self.layer, self.state = layer, state  # where the cache holds the last inputs
        self.weight = nn.Parameter(torch.zeros(reach, width))

    def forward(self, x: Tensor, positions: Tensor, cache: Cache | None) -> Tensor:
        """Convolve x (B, T, C) over time; a token at position p reads at most p tokens."""
        reach, t = self.weight.size(0), x.size(1)
        padded = with_previous(x, reach, cache, self.layer, self.state)  # (B, reach + T, C)
        for k in range(1, reach + 1):
            previous = padded[:, reach - k : reach - k + t]  # (B, T, C), shifted by k
            previous = previous.masked_fill((positions < k).unsqueeze(-1), 0.0)
            x = torch.addcmul(x, previous, self.weight[k - 1])  # (B, T, C)
        return x


class GatedConvolution(nn.Module):
    """LFM2's gated short convolution: out(c ⊙ conv(b ⊙ x)), with b, c and x linear in the input."""

    def __init__(self, config: FoundlingConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.projection = nn.Linear(config.n_embd, 3 * config.n_embd, bias=False)
        self.weight = nn.Parameter(
            torch.zeros(config.conv_kernel, config.n_embd)
        )  # the last: the token's own
        self.out = nn.Linear(config.n_embd, config.n_embd, bias=False)

    def forward(self, x: Tensor, positions: Tensor, cache: Cache | None) -> Tensor:
        """Mix x (B, T, C) over time; a token at position p reads at most p tokens."""
        b, c, x = self.projection(x).chunk(3, dim=-1)  # (B, T, C) each
        reach, t = self.weight.size(0) - 1, x.size(1)
        padded = with_previous(b * x, reach, cache, self.layer, CONVOLUTION)  # (B, reach + T, C)
        mixed = padded[:, reach:] * self.weight[-1]
        for k in range(1, reach + 1):
            previous = padded[:, reach - k : reach - k + t]  # (B, T, C), shifted by k
            previous = previous.masked_fill((positions < k).unsqueeze(-1), 0.0)
            mixed = torch.addcmul(mixed, previous, self.weight[reach - k])  # (B, T, C)
        return self.out(c * mixed)


class LookupBlend(ShortConvolution):
    """The blend over time of the queries and keys of the first L heads, the lookup heads.

    They find where the last tokens occurred before, and read what followed, as induction heads do. Queries
    blend in the `reach` positions before their own; keys are blends of the `reach` positions before alone, so
    that a key stands for the tokens that precede its value. Lookup heads have no positions.
    """

    def __init__(self, config: FoundlingConfig, layer: int) -> None:
        self.width = config.lookup_heads * config.head_dim  # L·D
        super().__init__(2 * self.width, config.convolution, layer, LOOKUP)

    def blend(self, q: Tensor, k: Tensor, positions: Tensor, cache: Cache | None) -> tuple[Tensor, Tensor]:
        """Blend the first L·D channels of queries (B, T, H·D) and keys (B, T, G·D)."""
        lookup_q, other_q = q.tensor_split([self.width], dim=-1)
        lookup_k, other_k = k.tensor_split([self.width], dim=-1)
        blended = self(torch.cat((lookup_q, lookup_k), dim=-1), positions, cache)  # (B, T, 2L·D)
        blended_q, blended_k = blended.chunk(2, dim=-1)
        return torch.cat((blended_q, other_q), dim=-1), torch.cat((blended_k - lookup_k, other_k), dim=-1)


class Attention(nn.Module):
    """Multi-head attention with grouped key/value heads; its first heads may be lookup heads."""

    def __init__(self, config: FoundlingConfig, layer: int) -> None:
        super().__init__()
        self.config, self.layer = config, layer
        heads = (config.n_head, config.n_kv_head, config.n_kv_head)  # of queries, keys, values
        self.widths = [count * config.head_dim for count in heads]
        self.qkv = nn.Linear(config.n_embd, sum(self.widths), bias=bool(config.bias))
        self.out = nn.Linear(self.widths[0], config.n_embd, bias=config.bias is True)
        self.blend = LookupBlend(config, layer) if config.lookup_heads else None
        widths = self.widths[:2] if config.qk_norm == "all" else [config.head_dim] * 2
        self.q_norm, self.k_norm = (
            nn.RMSNorm(width, eps=config.norm_eps) if config.qk_norm else nn.Identity() for width in widths
        )
        self.is_causal = True  # this and the next are read by transformers' attention functions
        self.num_key_value_groups = config.n_head // config.n_kv_head

    def forward(
        self,
        x: Tensor,
        positions: Tensor,
        rotary: Rotary | None = None,
        attention_mask: Tensor | None = None,
        cache: Cache | None = None,
        **kwargs,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend from x (B, T, C) to all tokens; returns (B, T, C) and, of eager attention, the weights."""
        q, k, v = self.qkv(x).split(self.widths, dim=-1)  # (B, T, H·D), (B, T, G·D), (B, T, G·D)
        if self.blend is not None:
            q, k = self.blend.blend(q, k, positions, cache)
        if self.config.qk_norm == "all":
            q, k = self.q_norm(q), self.k_norm(k)
        q, k, v = self._split_heads(q), self._split_heads(k), self._split_heads(v)
        if self.config.qk_norm is True:
            q, k = self.q_norm(q), self.k_norm(k)
        if rotary is not None:
            q, k = self._rotate(q, rotary), self._rotate(k, rotary)
        if cache is not None:
            k, v = cache.update(k, v, self.layer)  # (B, G, S, D) each
        config = self.config
        attend: Callable = ALL_ATTENTION_FUNCTIONS.get_interface(config._attn_implementation, eager_attention)
        options = {
            "dropout": config.dropout if self.training else 0.0,
            "scaling": config.head_dim**-0.5,
            **kwargs,
        }
        y, weights = attend(self, q, k, v, attention_mask, **options)  # (B, T, H, D)
        return self.out(y.flatten(2)), weights  # (B, T, H·D) -> (B, T, C)

    def _split_heads(self, x: Tensor) -> Tensor:
        """(B, T, heads · D) to (B, heads, T, D)."""
        return x.unflatten(-1, (-1, self.config.head_dim)).transpose(1, 2)

    def _rotate(self, x: Tensor, rotary: Rotary) -> Tensor:
        """Apply rotary positions to x (B, heads, T, D), except to the lookup heads'."""
        lookup, others = x.tensor_split([self.config.lookup_heads], dim=1)
        return torch.cat((lookup, rotate(others, rotary)), dim=1)


class FoundlingBlock(GradientCheckpointingLayer):
    """A short convolution, attention, and a feed-forward network, each added to its input.

    Attention and feed-forward network read the normed input, or their output is normed (`norm_place`).
    """

    def __init__(self, config: FoundlingConfig, layer: int) -> None:
        super().__init__()
        width, reach = config.n_embd, config.convolution
        self.convolution = ShortConvolution(width, reach, layer, CONVOLUTION) if reach else None
        self.attention_norm = make_norm(config)
        self.attention = Attention(config, layer)
        self.mlp_norm = make_norm(config)
        self.mlp = MLP(config)
        self.dropout = nn.Dropout(config.dropout)
        self.norms_output = config.norm_place == "output"

    def forward(self, x: Tensor, positions: Tensor, cache: Cache | None = None, **kwargs) -> Tensor:
        """Transform x (B, T, C); the other arguments are those of `Attention.forward`."""
        if self.convolution is not None:
            x = self.convolution(x, positions, cache)
        if self.norms_output:
            attended, _ = self.attention(x, positions, cache=cache, **kwargs)
            x = x + self.dropout(self.attention_norm(attended))
            return x + self.dropout(self.mlp_norm(self.mlp(x)))
        attended, _ = self.attention(self.attention_norm(x), positions, cache=cache, **kwargs)
        x = x + self.dropout(attended)
        return x + self.dropout(self.mlp(self.mlp_norm(x)))


class FoundlingConvolutionBlock(GradientCheckpointingLayer):
    """A gated convolution and a feed-forward network, each added to its input (pre-norm)."""

    def __init__(self, config: FoundlingConfig, layer: int) -> None:
        super().__init__()
        self.convolution_norm = make_norm(config)
        self.convolution = GatedConvolution(config, layer)
        self.mlp_norm = make_norm(config)
        self.mlp = MLP(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, positions: Tensor, cache: Cache | None = None, **kwargs) -> Tensor:
        """Transform x (B, T, C); only attention reads the other arguments."""
        x = x + self.dropout(self.convolution(self.convolution_norm(x), positions, cache))
        return x + self.dropout(self.mlp(self.mlp_norm(x)))
