"""The encoder–decoder Transformer: a sentence (B, S) and its translation so far (B, T) in, logits (B, T, V)
out.

The encoder reads the whole sentence; the decoder is a causal language model that, in each block, also attends
to the encoder's output. With conf/transformer/base.yaml and big.yaml it is the model of Vaswani et al.
(2017). Shapes: B batch, S source, T target time, C width, H heads, V vocabulary.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from foundling.model.attention import Attention
from foundling.model.config import TranslatorConfig
from foundling.model.initialisation import initialise_translator
from foundling.model.kv_cache import KVCache, LayerCache
from foundling.model.layers import MLP, make_norm, sinusoids


class Residual(nn.Module):
    """The residual connection around a sublayer, with the norm where the config places it."""

    def __init__(self, config: TranslatorConfig) -> None:
        super().__init__()
        self.pre_norm = config.norm_place == "pre"
        self.norm = make_norm(config.norm, config.n_embd, config.norm_eps, config.bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        """x + sublayer(norm(x)), or norm(x + sublayer(x))."""
        y = x + self.dropout(sublayer(self.sublayer_input(x)))
        return y if self.pre_norm else self.norm(y)

    def sublayer_input(self, x: Tensor) -> Tensor:
        """What the sublayer reads: norm(x), or x."""
        return self.norm(x) if self.pre_norm else x


class EncoderBlock(nn.Module):
    """Bidirectional self-attention, then a feed-forward network."""

    def __init__(self, config: TranslatorConfig) -> None:
        super().__init__()
        self.attention, self.attention_residual = make_attention(config), Residual(config)
        self.mlp, self.mlp_residual = make_mlp(config), Residual(config)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Transform x (B, S, C); mask (B, 1, 1, S) is False on padding."""
        x = self.attention_residual(x, lambda y: self.attention(y, mask=mask))
        return self.mlp_residual(x, self.mlp)


class DecoderBlock(nn.Module):
    """Causal self-attention, cross-attention to the encoder's output, then a feed-forward network."""

    def __init__(self, config: TranslatorConfig) -> None:
        super().__init__()
        self.attention, self.attention_residual = make_attention(config), Residual(config)
        self.cross, self.cross_residual = make_attention(config), Residual(config)
        self.mlp, self.mlp_residual = make_mlp(config), Residual(config)

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor,
        cache: LayerCache | None = None,
        cross_cache: LayerCache | None = None,
    ) -> Tensor:
        """Transform x (B, T, C), given the encoder's output (B, S, C) and its mask (B, 1, 1, S)."""
        x = self.attention_residual(x, lambda y: self.attention(y, cache=cache))
        x = self.cross_residual(x, lambda y: self.cross(y, cache=cross_cache, mask=mask, source=memory))
        return self.mlp_residual(x, self.mlp)

    def cross_attention_map(self, x: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """Cross-attention weights (B, H, T, S); each row sums to 1."""
        x = self.attention_residual(x, self.attention)
        return self.cross.cross_weights(self.cross_residual.sublayer_input(x), memory, mask)


class Translator(nn.Module):
    """An encoder–decoder Transformer."""

    sinusoids: Tensor

    def __init__(self, config: TranslatorConfig) -> None:
        super().__init__()
        self.config = config
        width, shared = config.n_embd, config.shared
        self.target_embedding = nn.Embedding(config.vocab_size, width)
        self.source_embedding = None if shared == "all" else nn.Embedding(config.vocab_size, width)
        self.output = nn.Linear(width, config.vocab_size, bias=False) if shared == "none" else None
        self.dropout = nn.Dropout(config.dropout)
        self.encoder = nn.ModuleList(EncoderBlock(config) for _ in range(config.n_encoder))
        self.decoder = nn.ModuleList(DecoderBlock(config) for _ in range(config.n_decoder))
        self.encoder_norm, self.decoder_norm = make_final_norm(config), make_final_norm(config)
        self.make_tables()
        initialise_translator(self)

    def forward(self, source: Tensor, lengths: Tensor, target: Tensor) -> Tensor:
        """Logits (B, T, V) after each token of target (B, T); source (B, S) has lengths (B,) tokens."""
        return self.head(self.decode(target, *self.encode(source, lengths)))

    def encode(self, source: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Encode source (B, S): the output (B, S, C), and the mask (B, 1, 1, S) of its real tokens."""
        mask = length_mask(lengths, source.size(1))
        x = self._embed(
            source, self.target_embedding if self.source_embedding is None else self.source_embedding
        )
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x), mask

    def decode(self, target: Tensor, memory: Tensor, mask: Tensor, cache: KVCache | None = None) -> Tensor:
        """The decoder's final hidden states (B, T, C) over target (B, T).

        With a cache, `target` holds only the tokens that it does not hold. Padding is on the right, where no
        real token can attend. More than `context` tokens raise ValueError.
        """
        x = self._embed(target, self.target_embedding, cache.length if cache is not None else 0)
        for i, block in enumerate(self.decoder):
            own, cross = (None, None) if cache is None else (cache.layers[i], cache.cross[i])
            x = block(x, memory, mask, own, cross)
        return self.decoder_norm(x)

    def cross_attention_maps(self, target: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """Cross-attention weights for target (B, T): (layers, B, H, T, S); each row sums to 1."""
        x, maps = self._embed(target, self.target_embedding), []
        for block in self.decoder:
            maps.append(block.cross_attention_map(x, memory, mask))  # type: ignore[operator]
            x = block(x, memory, mask)
        return torch.stack(maps)

    def head(self, hidden: Tensor) -> Tensor:
        """Logits (…, V) of hidden states (…, C)."""
        return F.linear(hidden, self.target_embedding.weight) if self.output is None else self.output(hidden)

    @property
    def blocks(self) -> list[nn.Module]:
        """All blocks, where optimizers look for matrices."""
        return [*self.encoder, *self.decoder]

    def make_tables(self) -> None:
        """Compute the fixed position table, which is not part of the state dict (as `GPT.make_tables`)."""
        table = sinusoids(self.config.context, self.config.n_embd)
        self.register_buffer("sinusoids", table.to(self.target_embedding.weight.dtype), persistent=False)

    def parameter_count(self) -> int:
        """The number of parameters; a shared embedding counts once, as in published sizes."""
        return sum(p.numel() for p in self.parameters())

    def flops_per_token(self) -> float:
        """Training FLOPs per token, where half of the tokens are source and half target: 6 per weight.

        A pair of a source and a target token passes every block once, and the output. The attention scores, a
        small share for sentences, are left out.
        """
        used = sum(p.numel() for block in self.blocks for p in block.parameters())
        return 6 * (used + self.config.vocab_size * self.config.n_embd) / 2

    def _embed(self, ids: Tensor, table: nn.Embedding, start: int = 0) -> Tensor:
        """Token embeddings, scaled by √C, plus position vectors (Vaswani et al. 2017, 3.4 and 3.5)."""
        end = start + ids.size(1)
        if end > self.config.context:
            raise ValueError(
                f"{end} tokens exceed the translator's context of {self.config.context}; shorten the "
                "sentence, or train with a longer train_translator.model.context"
            )
        return self.dropout(table(ids) * math.sqrt(self.config.n_embd) + self.sinusoids[start:end])


def make_attention(config: TranslatorConfig) -> Attention:
    """Multi-head attention with one key/value head per query head, for self- or cross-attention."""
    return Attention(
        config.n_embd,
        config.n_head,
        config.n_head,
        config.n_embd // config.n_head,
        bias=config.bias,
        qk_norm=config.qk_norm,
        norm_eps=config.norm_eps,
        dropout=config.dropout,
        kernel=config.attention,
    )


def make_mlp(config: TranslatorConfig) -> MLP:
    """The feed-forward network of a block."""
    return MLP(config.mlp, config.n_embd, config.n_ffn, config.bias)


def make_final_norm(config: TranslatorConfig) -> nn.Module:
    """The norm at the end of a stack: pre-norm blocks return unnormed sums, post-norm blocks need none."""
    if config.norm_place == "post":
        return nn.Identity()
    return make_norm(config.norm, config.n_embd, config.norm_eps, config.bias)


def length_mask(lengths: Tensor, longest: int) -> Tensor:
    """The mask (B, 1, 1, longest) of real tokens: True before each row's length (B,)."""
    return (torch.arange(longest, device=lengths.device) < lengths[:, None])[:, None, None, :]
