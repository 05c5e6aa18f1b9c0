"""Attention: each position asks (query), is found (key) and answers (value); in comes (B, T, C), out goes (B, T, C).

One module serves both kinds: self-attention, and cross-attention, where a second sequence is given as an argument.

Shapes in this package: B batch, T time (new tokens), S source (all tokens that may be seen, T plus what is cached),
C width, H heads, G key/value heads (grouped-query attention: H is a multiple of G), D head size, V vocabulary.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from foundling.model.kv_cache import LayerCache, Recent
from foundling.model.layers import ShortConvolution, rotate

ATTENTION = ("fused", "reference")
COPYING = 0.2  # how much of it a copying attention adds at first


def causal_mask(t: int, s: int, device: torch.device) -> Tensor:
    """Which of `s` sources each of the last `t` positions may see: (T, S), True where it may; never the future."""
    return torch.ones(t, s, dtype=torch.bool, device=device).tril(diagonal=s - t)


def attention_weights(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
    """How much each position looks at each source, softmax(Q Kᵀ / √D): (B, H, T, S), each row sums to 1.

    q (B, H, T, D), k (B, G, S, D), mask (T, S) or (B, 1, T, S), None means causal.
    """
    k = k.repeat_interleave(q.size(1) // k.size(1), dim=1)  # (B, H, S, D)
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))  # (B, H, T, S)
    if mask is None:
        mask = causal_mask(q.size(2), k.size(2), q.device)
    return scores.masked_fill(~mask, float("-inf")).softmax(dim=-1)


def reference_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, dropout: float = 0.0) -> Tensor:
    """Attention as the paper writes it: softmax(Q Kᵀ / √D) V (Vaswani et al. 2017, eq. 1).

    q (B, H, T, D), k and v (B, G, S, D), mask (T, S) or (B, 1, T, S), None means causal; returns (B, H, T, D).
    """
    v = v.repeat_interleave(q.size(1) // v.size(1), dim=1)  # (B, H, S, D)
    return F.dropout(attention_weights(q, k, mask), dropout) @ v  # (B, H, T, D)


def fused_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, dropout: float = 0.0) -> Tensor:
    """The same function by torch's fused kernels, which never write the (T, S) weights to memory (Dao et al. 2022)."""
    t, s = q.size(2), k.size(2)
    if mask is None and 1 < t < s:
        mask = causal_mask(t, s, q.device)
    return F.scaled_dot_product_attention(
        q, k, v, mask, dropout, is_causal=mask is None and t == s and t > 1, enable_gqa=q.size(1) != k.size(1)
    )


class Attention(nn.Module):
    """Multi-head attention with grouped key/value heads, optional rotary positions, QK-norm and cache.

    The first `induction` heads look for where the last tokens stood before, and read what followed: their queries blend
    in the `reach` positions before, and their keys are blends of the `reach` positions before alone. A Transformer has
    to build such heads out of two layers, which takes it long (Olsson et al. 2022, who try the like as "smeared keys").
    They have no positions: what is looked for may stand anywhere.
    """

    def __init__(
        self,
        n_embd: int,
        n_head: int,
        n_kv_head: int,
        head_dim: int,
        *,
        bias: bool,
        qk_norm: bool,
        norm_eps: float,
        dropout: float,
        implementation: str,
        induction: int = 0,
        reach: int = 0,
    ) -> None:
        super().__init__()
        self.sizes: tuple[int, ...] = (n_head, n_kv_head, n_kv_head)
        self.head_dim = head_dim
        self.dropout = dropout
        self.attend = fused_attention if implementation == "fused" else reference_attention
        self.qkv = nn.Linear(n_embd, sum(self.sizes) * head_dim, bias=bias)
        self.out = nn.Linear(n_head * head_dim, n_embd, bias=bias)
        self.induction = induction
        if induction:
            self.blend = ShortConvolution(2 * induction * head_dim, reach)  # of their queries and keys
            nn.init.ones_(self.blend.weight)
        # QK-norm bounds the scores, so that large learning rates stay stable (Henry et al. 2020; Qwen3)
        self.q_norm = nn.RMSNorm(head_dim, eps=norm_eps) if qk_norm else nn.Identity()
        self.k_norm = nn.RMSNorm(head_dim, eps=norm_eps) if qk_norm else nn.Identity()

    def forward(
        self,
        x: Tensor,
        rotary: tuple[Tensor, Tensor] | None = None,
        cache: LayerCache | None = None,
        mask: Tensor | None = None,
        source: Tensor | None = None,
        segments: Tensor | None = None,
    ) -> Tensor:
        """Mix x (B, T, C) over time; `rotary` holds cos and sin (T, D) of new positions; `mask` None is causal.

        With a source (B, S, C) it is read instead, all of it where `mask` is None; a cache then holds what was made of
        the source at the first call.
        """
        if source is None:
            q, k, v = self.project(x, rotary, cache.induction if cache is not None else None, segments)
            if cache is not None:
                k, v = cache.append(k, v)  # (B, G, S, D) each
        else:
            q, k, v = self._across(x, source, cache)
            mask = torch.ones(1, k.size(2), dtype=torch.bool, device=x.device) if mask is None else mask
        y = self.attend(q, k, v, mask, self.dropout if self.training else 0.0)  # (B, H, T, D)
        return self.out(y.transpose(1, 2).flatten(2))  # (B, T, H·D) -> (B, T, C)

    def project(
        self,
        x: Tensor,
        rotary: tuple[Tensor, Tensor] | None = None,
        recent: Recent | None = None,
        segments: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Queries (B, H, T, D), keys and values (B, G, T, D) of x (B, T, C), ready to be attended with."""
        z = self.qkv(x)  # (B, T, (H + 2G) · D)
        if self.induction:
            z = self._blended(z, recent, segments)
        q, k, v = self._heads(z, self.sizes)
        q, k = self.q_norm(q), self.k_norm(k)
        return (q, k, v) if rotary is None else (self._rotated(q, rotary), self._rotated(k, rotary), v)

    def begin_copying(self) -> None:
        """Set values to an orthogonal map and the output to its transpose: what is looked at is added as it stands.

        So a model has to learn where to look alone, and induction heads not even that, whose queries and keys begin as
        the same map: they find what is alike (compare mimetic initialization, Trockman and Kolter 2023).
        """
        heads, groups, _ = self.sizes
        value = self.qkv.weight[-groups * self.head_dim :]  # (G·D, C)
        nn.init.orthogonal_(value, gain=math.sqrt(COPYING))
        shared = value.view(groups, self.head_dim, -1).repeat_interleave(heads // groups, dim=0)  # (H, D, C)
        found = self.induction * self.head_dim
        with torch.no_grad():
            self.out.weight.copy_(shared.flatten(0, 1).T)
            self.qkv.weight[heads * self.head_dim :][:found] = self.qkv.weight[:found]

    def weights(self, x: Tensor, source: Tensor, mask: Tensor) -> Tensor:
        """How much each position of x (B, T, C) looks at each of the source (B, S, C): (B, H, T, S)."""
        q, k, _ = self._across(x, source, None)
        return attention_weights(q, k, mask)

    def _across(self, x: Tensor, source: Tensor, cache: LayerCache | None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries of x, keys and values of the source; these a cache keeps."""
        own = self.sizes[0] * self.head_dim  # rows of the projection that make queries
        weight, bias = self.qkv.weight, self.qkv.bias
        (q,) = self._heads(F.linear(x, weight[:own], bias if bias is None else bias[:own]), self.sizes[:1])
        q = self.q_norm(q)  # (B, H, T, D)
        if cache is not None and cache.length:
            return q, *cache.held()
        k, v = self._heads(F.linear(source, weight[own:], bias if bias is None else bias[own:]), self.sizes[1:])
        k = self.k_norm(k)  # (B, G, S, D)
        return q, *(cache.append(k, v) if cache is not None else (k, v))

    def _blended(self, z: Tensor, recent: Recent | None, segments: Tensor | None) -> Tensor:
        """The projections z (B, T, (H + 2G) · D), the induction heads' queries and keys blended over time."""
        own, queries = self.induction * self.head_dim, self.sizes[0] * self.head_dim
        q, other_q, k, rest = torch.split(z, [own, queries - own, own, z.size(-1) - queries - own], dim=-1)
        blended_q, blended_k = self.blend(torch.cat((q, k), dim=-1), recent, segments).chunk(2, dim=-1)
        return torch.cat((blended_q, other_q, blended_k - k, rest), dim=-1)

    def _rotated(self, x: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
        """Queries or keys (B, H, T, D), turned by their positions but for the induction heads."""
        if not self.induction:
            return rotate(x, *rotary)
        return torch.cat((x[:, : self.induction], rotate(x[:, self.induction :], *rotary)), dim=1)

    def _heads(self, x: Tensor, sizes: tuple[int, ...]) -> tuple[Tensor, ...]:
        """Cut (B, T, heads · D) into `sizes` heads each: (B, size, T, D)."""
        b, t, _ = x.shape
        return x.view(b, t, sum(sizes), self.head_dim).transpose(1, 2).split(sizes, dim=1)  # type: ignore[no-untyped-call]
