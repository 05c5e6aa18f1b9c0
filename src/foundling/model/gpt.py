"""The GPT: token ids (B, T) in, logits over the next token (B, T, V) out.

With the settings of conf/model/gpt2_*.yaml it is GPT-2 to the letter (Radford et al. 2019); the other settings are the
changes that the field has made since, one by one. Shapes: B batch, T time, C width, V vocabulary, D head size.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from foundling.model.attention import ATTENTION, Attention, causal_mask
from foundling.model.fields import require_types
from foundling.model.kv_cache import KVCache, LayerCache
from foundling.model.layers import (
    MLP,
    MLPS,
    NORMS,
    POSITIONS,
    ShortConvolution,
    make_norm,
    rotary_tables,
    sinusoids,
)

INITS = ("gpt2", "zero_residual", "copying")
LARGEST_TABLE = 2**28  # numbers: 1 GiB
LARGEST = 2**31  # of a shape's numbers; products of two stay within 64 bits


@dataclass(frozen=True)
class GPTConfig:
    """A GPT's shape, field for field as in conf/model/*.yaml; only `vocab_size` comes from the tokenizer."""

    vocab_size: int
    context: int  # the most tokens it can see at once
    n_layer: int
    n_head: int
    n_embd: int  # C
    n_kv_head: int | None  # fewer than n_head: grouped queries; None: as many
    head_dim: int | None  # None: n_embd / n_head
    n_ffn: int | None  # the feed-forward network's hidden width; None: 4 · n_embd
    position: str
    rope_theta: float
    norm: str
    norm_eps: float
    mlp: str
    bias: bool
    qk_norm: bool
    tied: bool  # the output head is the token embedding
    convolution: int  # how many previous tokens a short convolution in front of each block blends in; 0: none
    induction_heads: int  # of n_head, those that look for where the last tokens stood before; 0: none
    dropout: float
    init: str
    attention: str

    def __post_init__(self) -> None:
        """Fill in what is derived and refuse what cannot be."""
        require_types(self, "model")
        for name in ("vocab_size", "context", "n_layer", "n_head", "n_embd", "n_kv_head", "head_dim", "n_ffn"):
            if getattr(self, name) is not None and not 1 <= getattr(self, name) < LARGEST:
                raise ValueError(
                    f"model.{name}={getattr(self, name)} is not allowed; it must be at least 1 and below {LARGEST:,}"
                )
        for name in ("rope_theta", "norm_eps"):
            if getattr(self, name) <= 0:
                raise ValueError(f"model.{name}={getattr(self, name)} is not allowed; it must be above 0")
        if self.head_dim is None:
            if self.n_embd % self.n_head:
                near = max(1, round(self.n_embd / self.n_head)) * self.n_head
                raise ValueError(
                    f"model.n_embd={self.n_embd} is not divisible by model.n_head={self.n_head}; try n_embd={near}"
                )
            object.__setattr__(self, "head_dim", self.n_embd // self.n_head)
        if self.n_kv_head is None:
            object.__setattr__(self, "n_kv_head", self.n_head)
        if self.n_ffn is None:
            object.__setattr__(self, "n_ffn", 4 * self.n_embd)
        assert self.n_kv_head
        assert self.head_dim
        if self.n_kv_head < 1 or self.n_head % self.n_kv_head:
            raise ValueError(
                f"model.n_head={self.n_head} is not divisible by model.n_kv_head={self.n_kv_head}; "
                "each key/value head serves the same number of query heads"
            )
        if self.position == "rotary" and self.head_dim % 2:
            raise ValueError(f"model.head_dim={self.head_dim} is odd; rotary positions turn pairs, so make it even")
        if self.position == "sinusoidal" and self.n_embd % 2:
            raise ValueError(f"model.n_embd={self.n_embd} is odd; sinusoidal positions come in pairs, so make it even")
        table = {"rotary": self.context * self.head_dim, "sinusoidal": self.context * self.n_embd}
        if table.get(self.position, 0) > LARGEST_TABLE:
            raise ValueError(
                f"model.context={self.context:,} asks for a table of {table[self.position]:,} numbers for its "
                f"{self.position} positions; allowed are {LARGEST_TABLE:,}; choose a shorter context"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"model.dropout={self.dropout} is not allowed; it must be at least 0 and below 1")
        if not 0 <= self.convolution <= self.context:
            raise ValueError(f"model.convolution={self.convolution} is not allowed; 0 is none, 3 is usual")
        if not 0 <= self.induction_heads <= self.n_head:
            raise ValueError(
                f"model.induction_heads={self.induction_heads} is not allowed; 0 to n_head={self.n_head} are"
            )
        if self.induction_heads and not (self.convolution and self.n_kv_head == self.n_head):
            raise ValueError(
                f"model.induction_heads={self.induction_heads} needs model.convolution, which tells how many tokens "
                "they blend, and a key for each query; set model.convolution=4 and model.n_kv_head=null"
            )
        for name, allowed in (
            ("position", POSITIONS),
            ("norm", NORMS),
            ("mlp", MLPS),
            ("init", INITS),
            ("attention", ATTENTION),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"model.{name}={getattr(self, name)!r} is unknown; choose one of {', '.join(allowed)}")


class Block(nn.Module):
    """Attention, then feed-forward, each on the normed input and added to it (pre-norm)."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        assert config.n_kv_head
        assert config.head_dim
        assert config.n_ffn
        width, bias = config.n_embd, config.bias
        self.convolution = ShortConvolution(width, config.convolution) if config.convolution else None
        self.attention_norm = make_norm(config.norm, width, config.norm_eps, bias)
        self.attention = Attention(
            width,
            config.n_head,
            config.n_kv_head,
            config.head_dim,
            bias=bias,
            qk_norm=config.qk_norm,
            norm_eps=config.norm_eps,
            dropout=config.dropout,
            implementation=config.attention,
            induction=config.induction_heads,
            reach=config.convolution,
        )
        self.mlp_norm = make_norm(config.norm, width, config.norm_eps, bias)
        self.mlp = MLP(config.mlp, width, config.n_ffn, bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        x: Tensor,
        rotary: tuple[Tensor, Tensor] | None,
        cache: LayerCache | None,
        mask: Tensor | None,
        segments: Tensor | None = None,
    ) -> Tensor:
        """Refine x (B, T, C)."""
        if self.convolution is not None:
            x = self.convolution(x, cache.block if cache is not None else None, segments)
        x = x + self.dropout(self.attention(self.attention_norm(x), rotary, cache, mask, segments=segments))
        return x + self.dropout(self.mlp(self.mlp_norm(x)))


class GPT(nn.Module):
    """A decoder-only Transformer."""

    rotary_cos: Tensor
    rotary_sin: Tensor
    sinusoids: Tensor

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.n_embd)
        if config.position == "learned":
            self.position_embedding = nn.Embedding(config.context, config.n_embd)
        self.make_tables()
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.norm = make_norm(config.norm, config.n_embd, config.norm_eps, config.bias)
        self.output = None if config.tied else nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self._initialise()

    def forward(
        self,
        ids: Tensor,
        cache: KVCache | None = None,
        mask: Tensor | None = None,
        segments: Tensor | None = None,
        at: Tensor | None = None,
    ) -> Tensor:
        """Logits (B, T, V) for ids (B, T): at each position, over the token that follows it.

        With `at` (B, T) only those of the positions where it is True, (N, V): the head is dear where V is large.
        """
        hidden = self.hidden(ids, cache, mask, segments)
        return self.head(hidden if at is None else hidden[at])

    def hidden(
        self,
        ids: Tensor,
        cache: KVCache | None = None,
        mask: Tensor | None = None,
        segments: Tensor | None = None,
    ) -> Tensor:
        """The last layer's normed vectors (B, T, C). With a cache, `ids` are only the tokens that it has not seen.

        mask (T, S) or (B, 1, T, S) is True where a position may look, None means causal. segments (B, T) numbers the
        texts that share a row: each is read as if it stood alone (not with a cache or a mask). More than `context`
        tokens raise ValueError.
        """
        start = cache.length if cache is not None else 0
        end = start + ids.size(1)
        if end > self.config.context:
            raise ValueError(
                f"the model was given {end} tokens; its context holds {self.config.context}; "
                "shorten the text or set a longer model.context before pretraining"
            )
        places: slice | Tensor = slice(start, end)
        if segments is not None:
            assert cache is None
            assert mask is None
            places, mask = apart(segments)
        x = self.token_embedding(ids)  # (B, T, C)
        rotary = None
        if self.config.position == "learned":
            x = x + self.position_embedding.weight[places]
        elif self.config.position == "sinusoidal":
            x = x + self.sinusoids[places]
        else:
            cos, sin = self.rotary_cos[places], self.rotary_sin[places]  # (T, D) or (B, T, D)
            rotary = (cos, sin) if segments is None else (cos.unsqueeze(1), sin.unsqueeze(1))
        x = self.dropout(x)
        for i, block in enumerate(self.blocks):
            x = block(x, rotary, cache.layers[i] if cache is not None else None, mask, segments)
        return self.norm(x)

    def head(self, hidden: Tensor) -> Tensor:
        """Logits (…, V) of hidden vectors (…, C)."""
        return F.linear(hidden, self.token_embedding.weight) if self.output is None else self.output(hidden)

    def make_tables(self) -> None:
        """Compute the fixed position tables, which are never stored; a model gets its own once it has weights."""
        config = self.config
        if self.token_embedding.weight.is_meta:
            return
        assert config.head_dim
        if config.position == "sinusoidal":
            self.register_buffer("sinusoids", sinusoids(config.context, config.n_embd), persistent=False)
        elif config.position == "rotary":
            cos, sin = rotary_tables(config.context, config.head_dim, config.rope_theta)
            self.register_buffer("rotary_cos", cos, persistent=False)
            self.register_buffer("rotary_sin", sin, persistent=False)

    def parameter_count(self) -> int:
        """All trained numbers; a tied head counts once, as published sizes do."""
        return sum(p.numel() for p in self.parameters())

    def flops_per_token(self) -> float:
        """Floating-point operations to train on a token: 6 a weight, and attention (Chowdhery et al. 2022, app. B)."""
        config = self.config
        assert config.head_dim
        looked_up = self.position_embedding.weight.numel() if config.position == "learned" else 0
        looked_up += 0 if config.tied else self.token_embedding.weight.numel()
        attention = 12 * config.n_layer * config.n_head * config.head_dim * config.context
        return 6 * (self.parameter_count() - looked_up) + attention

    def _initialise(self) -> None:
        """N(0, 0.02), residual projections scaled by 1/√(2·layers) as GPT-2, or zero: each block starts idle.

        `copying`: attention begins by copying what it looks at (Attention.begin_copying), feed-forward networks idle.
        """
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        for block in self.blocks:
            assert isinstance(block, Block)
            for projection in (block.attention.out, block.mlp.out):
                if self.config.init == "gpt2":
                    nn.init.normal_(projection.weight, std=0.02 / math.sqrt(2 * self.config.n_layer))
                else:
                    nn.init.zeros_(projection.weight)
            if self.config.init == "copying":
                block.attention.begin_copying()


def apart(segments: Tensor) -> tuple[Tensor, Tensor]:
    """For texts side by side in a row, segments (B, T): each token's place in its own text, and whom it may see.

    Places (B, T) count from 0; the mask (B, 1, T, T) is causal within a text.
    """
    t = segments.size(1)
    index = torch.arange(t, device=segments.device)
    first = F.pad(segments[:, 1:] != segments[:, :-1], (1, 0), value=True)  # (B, T)
    start = torch.where(first, index, 0).cummax(dim=1).values  # (B, T)
    same = segments[:, None, :, None] == segments[:, None, None, :]  # (B, 1, T, T)
    return index - start, same & causal_mask(t, t, segments.device)


class _Unfilled(TorchFunctionMode):
    """Lets torch.nn.init's functions leave their tensor as it is."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(function, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"] if kwargs and "tensor" in kwargs else args[0]
        return function(*args, **(kwargs or {}))


@contextmanager
def weightless() -> Iterator[None]:
    """Build models without memory for their weights, and without the time to fill them: to count, or to load into."""
    with torch.device("meta"), _Unfilled():
        yield


def meta_gpt(config: GPTConfig) -> GPT:
    """Build a GPT without weights."""
    with weightless():
        return GPT(config)
