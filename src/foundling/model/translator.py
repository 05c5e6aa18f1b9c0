"""The 2017 Transformer: a sentence (B, S) and its translation so far (B, T) in, logits of the next token (B, T, V) out.

The encoder reads the whole sentence at once; the decoder is a GPT that, in each block, also looks across to what the
encoder made of it. With the settings of conf/transformer/base.yaml and big.yaml it is the model of Vaswani et al.
(2017) to the letter. Shapes: B batch, S source, T target time, C width, H heads, V vocabulary.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from foundling.model.attention import ATTENTION, Attention
from foundling.model.fields import require_types
from foundling.model.gpt import LARGEST, LARGEST_TABLE
from foundling.model.kv_cache import KVCache, LayerCache
from foundling.model.layers import MLP, MLPS, NORMS, make_norm, sinusoids

PLACES = ("pre", "post")
SHARED = ("all", "output", "none")
INITS = ("xavier", "zero_residual")


@dataclass(frozen=True)
class TranslatorConfig:
    """A translator's shape, field for field as in conf/transformer/*.yaml; `vocab_size` comes from the tokenizer."""

    vocab_size: int
    context: int  # the longest sentence, in tokens
    n_encoder: int  # blocks
    n_decoder: int
    n_head: int
    n_embd: int  # C
    n_ffn: int | None  # the feed-forward network's hidden width; None: 4 · n_embd
    norm_place: str  # pre: on each part's input (Xiong et al. 2020) | post: on each sum, as in 2017
    norm: str
    norm_eps: float
    mlp: str
    bias: bool
    qk_norm: bool
    shared: (
        str  # which of source embedding, target embedding and output are one table: all | output (and target) | none
    )
    dropout: float
    init: str
    attention: str

    def __post_init__(self) -> None:
        """Fill in what is derived and refuse what cannot be."""
        require_types(self, "translator.model")
        for name in ("vocab_size", "context", "n_encoder", "n_decoder", "n_head", "n_embd", "n_ffn"):
            if getattr(self, name) is not None and not 1 <= getattr(self, name) < LARGEST:
                raise ValueError(
                    f"translator.model.{name}={getattr(self, name)} is not allowed; it is at least 1 and below "
                    f"{LARGEST:,}"
                )
        if self.n_embd % self.n_head or self.n_embd % 2:
            step = math.lcm(self.n_head, 2)
            raise ValueError(
                f"translator.model.n_embd={self.n_embd} is not divisible by n_head={self.n_head} and 2 (positions are "
                f"sines beside cosines); try n_embd={max(1, round(self.n_embd / step)) * step}"
            )
        if self.context * self.n_embd > LARGEST_TABLE:
            raise ValueError(
                f"translator.model.context={self.context:,} asks for a table of {self.context * self.n_embd:,} numbers "
                f"for its positions; allowed are {LARGEST_TABLE:,}; choose a shorter context"
            )
        if self.n_ffn is None:
            object.__setattr__(self, "n_ffn", 4 * self.n_embd)
        if not 0 <= self.dropout < 1:
            raise ValueError(f"translator.model.dropout={self.dropout} is not allowed; it is at least 0 and below 1")
        for name, allowed in (
            ("norm_place", PLACES),
            ("norm", NORMS),
            ("mlp", MLPS),
            ("shared", SHARED),
            ("init", INITS),
            ("attention", ATTENTION),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"translator.model.{name}={getattr(self, name)!r} is unknown; choose one of {', '.join(allowed)}"
                )


class Residual(nn.Module):
    """What a part adds to its input, with the norm where the config places it."""

    def __init__(self, config: TranslatorConfig) -> None:
        super().__init__()
        self.pre = config.norm_place == "pre"
        self.norm = make_norm(config.norm, config.n_embd, config.norm_eps, config.bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, part: Callable[[Tensor], Tensor]) -> Tensor:
        """x + part(norm(x)), or norm(x + part(x))."""
        y = x + self.dropout(part(self.read(x)))
        return y if self.pre else self.norm(y)

    def read(self, x: Tensor) -> Tensor:
        """What the part is given of x."""
        return self.norm(x) if self.pre else x


class EncoderBlock(nn.Module):
    """Each position looks at all of the sentence, then thinks for itself."""

    def __init__(self, config: TranslatorConfig) -> None:
        super().__init__()
        self.attention, self.attention_residual = make_attention(config), Residual(config)
        self.mlp, self.mlp_residual = make_mlp(config), Residual(config)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Refine x (B, S, C); mask (B, 1, 1, S) is False on padding."""
        x = self.attention_residual(x, lambda y: self.attention(y, mask=mask))
        return self.mlp_residual(x, self.mlp)


class DecoderBlock(nn.Module):
    """Each position looks at the translation so far, then across to the sentence, then thinks for itself."""

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
        """Refine x (B, T, C), given the encoder's memory (B, S, C) and its mask (B, 1, 1, S)."""
        x = self.attention_residual(x, lambda y: self.attention(y, cache=cache))
        x = self.cross_residual(x, lambda y: self.cross(y, cache=cross_cache, mask=mask, source=memory))
        return self.mlp_residual(x, self.mlp)

    def looks(self, x: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """Where it looks across to: (B, H, T, S), each row sums to 1."""
        x = self.attention_residual(x, self.attention)
        return self.cross.weights(self.cross_residual.read(x), memory, mask)


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
        self.encoder_norm, self.decoder_norm = last_norm(config), last_norm(config)
        self.make_tables()
        self._initialise()

    def forward(self, source: Tensor, lengths: Tensor, target: Tensor) -> Tensor:
        """Logits (B, T, V) after each token of target (B, T), for source (B, S) of which lengths (B,) are real."""
        return self.head(self.decode(target, *self.encode(source, lengths)))

    def encode(self, source: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What the decoder reads of source (B, S): memory (B, S, C), and the mask (B, 1, 1, S) of its real tokens."""
        mask = length_mask(lengths, source.size(1))
        x = self._embed(source, self.target_embedding if self.source_embedding is None else self.source_embedding)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x), mask

    def decode(self, target: Tensor, memory: Tensor, mask: Tensor, cache: KVCache | None = None) -> Tensor:
        """The decoder's last vectors (B, T, C). With a cache, `target` (B, T) are only the tokens not seen before.

        Padding of the target stands to its right, where no real token looks. More than `context` tokens raise.
        """
        x = self._embed(target, self.target_embedding, cache.length if cache is not None else 0)
        for i, block in enumerate(self.decoder):
            own, cross = (None, None) if cache is None else (cache.layers[i], cache.cross[i])
            x = block(x, memory, mask, own, cross)
        return self.decoder_norm(x)

    def looks(self, target: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """Where each block looks across to at each token of target (B, T): (layers, B, H, T, S), each row sums to 1."""
        x, looks = self._embed(target, self.target_embedding), []
        for block in self.decoder:
            looks.append(block.looks(x, memory, mask))  # type: ignore[operator]
            x = block(x, memory, mask)
        return torch.stack(looks)

    def head(self, hidden: Tensor) -> Tensor:
        """Logits (…, V) of hidden vectors (…, C)."""
        return F.linear(hidden, self.target_embedding.weight) if self.output is None else self.output(hidden)

    @property
    def blocks(self) -> list[nn.Module]:
        """All blocks, where optimizers look for matrices."""
        return [*self.encoder, *self.decoder]

    def make_tables(self) -> None:
        """Compute the fixed positions, which are never stored (anew when weights were put into a meta model)."""
        self.register_buffer("sinusoids", sinusoids(self.config.context, self.config.n_embd), persistent=False)

    def parameter_count(self) -> int:
        """All trained numbers; a shared table counts once, as published sizes do."""
        return sum(p.numel() for p in self.parameters())

    def flops_per_token(self) -> float:
        """Floating-point operations to train on a token, of which half are source and half target: 6 a weight it meets.

        A pair of a source and a target token meets every block once, and the output; attention's own products, small
        for sentences, are left out.
        """
        met = sum(p.numel() for block in self.blocks for p in block.parameters())
        return 6 * (met + self.config.vocab_size * self.config.n_embd) / 2

    def _embed(self, ids: Tensor, table: nn.Embedding, start: int = 0) -> Tensor:
        """Vectors of tokens, scaled by √C beside their positions' (Vaswani et al. 2017, 3.4 and 3.5)."""
        end = start + ids.size(1)
        if end > self.config.context:
            raise ValueError(
                f"the translator was given {end} tokens; its context holds {self.config.context}; shorten the "
                "sentence, or train one with a longer translator.model.context"
            )
        return self.dropout(table(ids) * math.sqrt(self.config.n_embd) + self.sinusoids[start:end])

    def _initialise(self) -> None:
        """Matrices as Glorot and Bengio (2010), embeddings N(0, 1/C); with zero_residual each part starts idle."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for table in (self.source_embedding, self.target_embedding, self.output):
            if table is not None:
                nn.init.normal_(table.weight, std=self.config.n_embd**-0.5)
        if self.config.init == "zero_residual":
            for part in self.modules():
                if isinstance(part, (Attention, MLP)):
                    nn.init.zeros_(part.out.weight)


def make_attention(config: TranslatorConfig) -> Attention:
    """The GPT's attention, as many key/value heads as heads, for a block's own tokens or across."""
    return Attention(
        config.n_embd,
        config.n_head,
        config.n_head,
        config.n_embd // config.n_head,
        bias=config.bias,
        qk_norm=config.qk_norm,
        norm_eps=config.norm_eps,
        dropout=config.dropout,
        implementation=config.attention,
    )


def make_mlp(config: TranslatorConfig) -> MLP:
    """The GPT's feed-forward network."""
    assert config.n_ffn
    return MLP(config.mlp, config.n_embd, config.n_ffn, config.bias)


def last_norm(config: TranslatorConfig) -> nn.Module:
    """Pre-norm leaves sums unnormed, so a stack ends with a norm; post-norm has normed them already."""
    if config.norm_place == "post":
        return nn.Identity()
    return make_norm(config.norm, config.n_embd, config.norm_eps, config.bias)


def length_mask(lengths: Tensor, longest: int) -> Tensor:
    """Which positions are real: (B, 1, 1, S), True in front of each row's length (B,), whatever ids stand behind it."""
    return (torch.arange(longest, device=lengths.device) < lengths[:, None])[:, None, None, :]


def meta_translator(config: TranslatorConfig) -> Translator:
    """Build the model without memory for its weights, to count."""
    with torch.device("meta"):
        return Translator(config)
