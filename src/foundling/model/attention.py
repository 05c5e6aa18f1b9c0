"""Multi-head attention, for self-attention and, given a source sequence, for cross-attention.

Shapes in this package: B batch, T time (new tokens), S source (all attended tokens: T plus those in the
cache), C width, H query heads, G key/value heads (grouped-query attention: H is a multiple of G), D head
size, V vocabulary.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from foundling.model.config import AttentionKernel, Bias, QKNorm
from foundling.model.kv_cache import ConvolutionState, LayerCache
from foundling.model.lookup_heads import LookupBlend
from foundling.model.rotary import rotate


def causal_mask(t: int, s: int, device: torch.device) -> Tensor:
    """The causal mask (T, S) of the last `t` of `s` positions: True where a position may attend."""
    return torch.ones(t, s, dtype=torch.bool, device=device).tril(diagonal=s - t)


def windowed(mask: Tensor | None, window: int, t: int, s: int, device: torch.device) -> Tensor | None:
    """The mask, causal if it is None, of which a token sees itself and the window - 1 before it."""
    if window == 0 or s <= window:
        return mask
    near = causal_mask(t, s, device).triu(diagonal=s - t - window + 1)  # (T, S)
    return near if mask is None else mask & near


def attention_weights(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attention weights softmax(Q Kᵀ / √D), (B, H, T, S); each row sums to 1.

    q (B, H, T, D), k (B, G, S, D); mask (T, S) or (B, 1, T, S) is True where a token may attend, None causal.
    """
    k = k.repeat_interleave(q.size(1) // k.size(1), dim=1)  # (B, H, S, D)
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))  # (B, H, T, S)
    if mask is None:
        mask = causal_mask(q.size(2), k.size(2), q.device)
    return scores.masked_fill(~mask, float("-inf")).softmax(dim=-1)


def reference_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, dropout: float = 0.0
) -> Tensor:
    """Attention as in Vaswani et al. (2017), eq. 1: softmax(Q Kᵀ / √D) V, (B, H, T, D).

    q (B, H, T, D), k and v (B, G, S, D); mask as in `attention_weights`.
    """
    v = v.repeat_interleave(q.size(1) // v.size(1), dim=1)  # (B, H, S, D)
    return F.dropout(attention_weights(q, k, mask), dropout) @ v  # (B, H, T, D)


def fused_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, dropout: float = 0.0
) -> Tensor:
    """`reference_attention` by fused kernels, which never store the weights (T, S) (Dao et al. 2022)."""
    t, s = q.size(2), k.size(2)
    if mask is None and 1 < t < s:
        mask = causal_mask(t, s, q.device)
    is_causal = mask is None and t == s and t > 1
    grouped = q.size(1) != k.size(1)
    return F.scaled_dot_product_attention(q, k, v, mask, dropout, is_causal=is_causal, enable_gqa=grouped)


class Attention(nn.Module):
    """Multi-head attention with grouped key/value heads and optional rotary positions, QK-norm and KV cache.

    The first `lookup_heads` heads are lookup heads (lookup_heads.py) that blend in `reach` positions.
    """

    def __init__(
        self,
        n_embd: int,
        n_head: int,
        n_kv_head: int,
        head_dim: int,
        *,
        bias: Bias,
        qk_norm: QKNorm,
        norm_eps: float,
        dropout: float,
        kernel: AttentionKernel,
        lookup_heads: int = 0,
        reach: int = 0,
    ) -> None:
        super().__init__()
        self.head_counts: tuple[int, ...] = (n_head, n_kv_head, n_kv_head)  # of queries, keys, values
        self.head_dim = head_dim
        self.dropout = dropout
        self.attend = fused_attention if kernel == "fused" else reference_attention
        self.qkv = nn.Linear(n_embd, sum(self.head_counts) * head_dim, bias=bool(bias))
        self.out = nn.Linear(n_head * head_dim, n_embd, bias=bias is True)
        self.blend = LookupBlend(lookup_heads, head_dim, reach) if lookup_heads else None
        # QK-norm bounds the scores, which keeps large learning rates stable (Henry et al. 2020; Qwen3)
        self.norms_all = qk_norm == "all"  # instead of each head's own
        heads = self.head_counts[:2] if self.norms_all else (1, 1)
        self.q_norm, self.k_norm = (
            nn.RMSNorm(count * head_dim, eps=norm_eps) if qk_norm else nn.Identity() for count in heads
        )

    def forward(
        self,
        x: Tensor,
        rotary: tuple[Tensor, Tensor] | None = None,
        cache: LayerCache | None = None,
        mask: Tensor | None = None,
        source: Tensor | None = None,
        segments: Tensor | None = None,
    ) -> Tensor:
        """Attend from x (B, T, C), to itself or to a source; returns (B, T, C).

        Args:
            x: the new tokens.
            rotary: cosines and sines (T, D) of their positions.
            cache: keys and values of previous tokens, extended in place; with a source, those of the source.
            mask: (T, S) or (B, 1, T, S), True where a token may attend; None is causal, or all of a source.
            source: (B, S, C), the sequence to attend to instead of x.
            segments: (B, T), numbers of packed texts, for the lookup heads' convolution.
        """
        if source is None:
            q, k, v = self.project(x, rotary, cache.lookup if cache is not None else None, segments)
            if cache is not None:
                k, v = cache.append(k, v)  # (B, G, S, D) each
        else:
            q, k, v = self._project_cross(x, source, cache)
            mask = torch.ones(1, k.size(2), dtype=torch.bool, device=x.device) if mask is None else mask
        y = self.attend(q, k, v, mask, self.dropout if self.training else 0.0)  # (B, H, T, D)
        return self.out(y.transpose(1, 2).flatten(2))  # (B, T, H·D) -> (B, T, C)

    def project(
        self,
        x: Tensor,
        rotary: tuple[Tensor, Tensor] | None = None,
        state: ConvolutionState | None = None,
        segments: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Queries (B, H, T, D), keys and values (B, G, T, D) of x (B, T, C), normed and rotated."""
        qkv = self.qkv(x)  # (B, T, (H + 2G) · D)
        if self.blend is not None:
            qkv = self.blend.blend(qkv, self.head_counts[0] * self.head_dim, state, segments)
        if self.norms_all:
            widths = [count * self.head_dim for count in self.head_counts]
            q, k, v = torch.split(qkv, widths, dim=-1)  # (B, T, H·D), (B, T, G·D), (B, T, G·D)
            qkv = torch.cat((self.q_norm(q), self.k_norm(k), v), dim=-1)
        q, k, v = self._split_heads(qkv, self.head_counts)
        if not self.norms_all:
            q, k = self.q_norm(q), self.k_norm(k)
        if rotary is None:
            return q, k, v
        if self.blend is None:
            return rotate(q, *rotary), rotate(k, *rotary), v
        return self.blend.rotate_others(q, rotary), self.blend.rotate_others(k, rotary), v

    def cross_weights(self, x: Tensor, source: Tensor, mask: Tensor) -> Tensor:
        """Cross-attention weights (B, H, T, S) of x (B, T, C) over the source (B, S, C)."""
        q, k, _ = self._project_cross(x, source, None)
        return attention_weights(q, k, mask)

    def _project_cross(
        self, x: Tensor, source: Tensor, cache: LayerCache | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries of x, keys and values of the source; the latter are cached at the first call."""
        n_query = self.head_counts[0] * self.head_dim  # rows of the fused projection that make queries
        weight, bias = self.qkv.weight, self.qkv.bias
        q_bias, kv_bias = (None, None) if bias is None else (bias[:n_query], bias[n_query:])
        (q,) = self._split_heads(F.linear(x, weight[:n_query], q_bias), self.head_counts[:1])
        q = self.q_norm(q)  # (B, H, T, D)
        if cache is not None and cache.length:
            return q, *cache.read()
        k, v = self._split_heads(F.linear(source, weight[n_query:], kv_bias), self.head_counts[1:])
        k = self.k_norm(k)  # (B, G, S, D)
        return q, *(cache.append(k, v) if cache is not None else (k, v))

    def _split_heads(self, x: Tensor, counts: tuple[int, ...]) -> tuple[Tensor, ...]:
        """Split (B, T, heads · D) into groups of `counts` heads: (B, count, T, D) each."""
        b, t, _ = x.shape
        heads = x.view(b, t, sum(counts), self.head_dim).split_with_sizes(counts, dim=2)
        # transposed last, so that in the backward pass their gradients are concatenated in x's own layout
        return tuple(group.transpose(1, 2) for group in heads)  # (B, count, T, D) each
