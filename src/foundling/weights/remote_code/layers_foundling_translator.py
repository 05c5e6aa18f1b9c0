"""The parts of a translator that was trained with Foundling: attention, and the blocks of both stacks.

Shapes: B batch, S source tokens, T new target tokens, L all attended tokens (the source's, or T plus those in
the cache), C width, H heads, D head size.
"""

from collections.abc import Callable

from torch import Tensor, nn
from transformers import EncoderDecoderCache
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .common_foundling import MLP, eager_attention, make_norm
from .configuration_foundling_translator import FoundlingTranslatorConfig


class Attention(nn.Module):
    """Multi-head attention of a sequence to itself or, given a source, to that."""

    def __init__(self, config: FoundlingTranslatorConfig, layer: int, is_causal: bool = False) -> None:
        super().__init__()
        self.config, self.layer = config, layer
        self.head_dim = config.n_embd // config.n_head
        self.query, self.key, self.value, self.out = (
            nn.Linear(config.n_embd, config.n_embd, bias=config.bias) for _ in range(4)
        )
        self.q_norm, self.k_norm = (
            nn.RMSNorm(self.head_dim, eps=config.norm_eps) if config.qk_norm else nn.Identity()
            for _ in range(2)
        )
        self.is_causal = is_causal  # read by transformers' attention functions

    def forward(
        self,
        x: Tensor,
        attention_mask: Tensor | None,
        cache: EncoderDecoderCache | None = None,
        source: Tensor | None = None,
        **kwargs,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend from x (B, T, C); returns (B, T, C) and, of eager attention, the weights (B, H, T, L)."""
        q = self.q_norm(self._split_heads(self.query(x)))
        k, v = self._own(x, cache) if source is None else self._of_source(source, cache)  # (B, H, L, D) each
        name = self.config._attn_implementation
        attend: Callable = ALL_ATTENTION_FUNCTIONS.get_interface(name, eager_attention)
        dropout = self.config.dropout if self.training else 0.0
        options = {"dropout": dropout, "scaling": self.head_dim**-0.5, **kwargs}
        y, weights = attend(self, q, k, v, attention_mask, **options)  # (B, T, H, D)
        return self.out(y.flatten(2)), weights  # (B, T, H·D) -> (B, T, C)

    def _own(self, x: Tensor, cache: EncoderDecoderCache | None) -> tuple[Tensor, Tensor]:
        """Keys and values of the previous tokens and x."""
        k, v = self._keys_and_values(x)
        return (k, v) if cache is None else cache.self_attention_cache.update(k, v, self.layer)

    def _of_source(self, source: Tensor, cache: EncoderDecoderCache | None) -> tuple[Tensor, Tensor]:
        """Keys and values of the source (B, S, C), which are computed once."""
        if cache is None:
            return self._keys_and_values(source)
        if not cache.is_updated.get(self.layer):
            cache.is_updated[self.layer] = True
            return cache.cross_attention_cache.update(*self._keys_and_values(source), self.layer)
        stored = cache.cross_attention_cache.layers[self.layer]
        return stored.keys, stored.values

    def _keys_and_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.k_norm(self._split_heads(self.key(x))), self._split_heads(self.value(x))

    def _split_heads(self, x: Tensor) -> Tensor:
        """(B, T, H · D) to (B, H, T, D)."""
        return x.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)


class Residual(nn.Module):
    """The residual connection around a sublayer, with the norm where the config places it."""

    def __init__(self, config: FoundlingTranslatorConfig) -> None:
        super().__init__()
        self.pre_norm = config.norm_place == "pre"
        self.norm = make_norm(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        """x + sublayer(norm(x)), or norm(x + sublayer(x))."""
        if self.pre_norm:
            return x + self.dropout(sublayer(self.norm(x)))
        return self.norm(x + self.dropout(sublayer(x)))


class FoundlingEncoderBlock(GradientCheckpointingLayer):
    """Bidirectional self-attention, then a feed-forward network."""

    def __init__(self, config: FoundlingTranslatorConfig, layer: int) -> None:
        super().__init__()
        self.attention, self.attention_residual = Attention(config, layer), Residual(config)
        self.mlp, self.mlp_residual = MLP(config), Residual(config)

    def forward(self, x: Tensor, mask: Tensor | None, **kwargs) -> Tensor:
        """Transform x (B, S, C); the mask hides padding."""
        x = self.attention_residual(x, lambda y: self.attention(y, mask, **kwargs)[0])
        return self.mlp_residual(x, self.mlp)


class FoundlingDecoderBlock(GradientCheckpointingLayer):
    """Causal self-attention, cross-attention to the encoder's output, then a feed-forward network."""

    def __init__(self, config: FoundlingTranslatorConfig, layer: int) -> None:
        super().__init__()
        self.attention, self.attention_residual = Attention(config, layer, is_causal=True), Residual(config)
        self.cross, self.cross_residual = Attention(config, layer), Residual(config)
        self.mlp, self.mlp_residual = MLP(config), Residual(config)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None,
        source: Tensor,
        source_mask: Tensor | None,
        cache: EncoderDecoderCache | None = None,
        **kwargs,
    ) -> Tensor:
        """Transform x (B, T, C), given the encoder's output (B, S, C)."""
        x = self.attention_residual(x, lambda y: self.attention(y, mask, cache, **kwargs)[0])
        x = self.cross_residual(x, lambda y: self.cross(y, source_mask, cache, source, **kwargs)[0])
        return self.mlp_residual(x, self.mlp)
