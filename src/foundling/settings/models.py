"""Settings of the shapes of models.

The vocabulary size is the tokenizer's; model/config.py adds it.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from annotated_types import Ge, Lt
from pydantic import Discriminator, Tag, ValidationInfo, field_validator, model_validator
from pydantic.dataclasses import dataclass

from foundling.settings.rope import LongropeScaling, PositiveFloat, RopeScaling
from foundling.settings.types import CustomComponent, Size
from foundling.validation import STRICT

LARGEST_TABLE = 2**28  # elements of a fixed position table: 1 GiB in float32

Count = Annotated[int, Ge(0), Lt(2**31)]
Dropout = Annotated[float, Ge(0), Lt(1)]
Norm = Literal["layernorm", "rmsnorm"]
Mlp = Literal["relu", "gelu", "relu2", "swiglu"]
LayerKind = Literal["attention", "conv"]
AttentionKernel = Literal["fused", "reference"]
QKNorm: TypeAlias = bool | Literal["all"]  # of each head's queries and keys, or of all heads' at once
Bias: TypeAlias = bool | Literal["qkv"]  # of all linear layers, of none, or of queries, keys and values only


@dataclass(frozen=True, config=STRICT, kw_only=True)
class GPTSettings:
    """The shape of a GPT, conf/model; null fields are derived from the others."""

    context: Size  # maximum sequence length in tokens
    n_layer: Size
    n_head: Size
    n_embd: Size  # C
    n_kv_head: Size  # fewer than n_head: grouped-query attention; null: n_head
    head_dim: Size  # null: n_embd / n_head
    n_ffn: Size  # hidden width of the feed-forward network; null: 4 · n_embd
    position: Literal["learned", "sinusoidal", "rotary"]
    rope_theta: PositiveFloat
    # of a context extended after training
    rope_scaling: Annotated[RopeScaling, Discriminator("kind")] | None = None
    rope_skip: Count = 0  # every n-th block attends without positions, as in SmolLM3; 0: none
    rotary_dim: Count = 0  # how many of head_dim channels are rotated, the first ones, as in Phi-4; 0: all
    window: Count = 0  # how many tokens a token attends to, itself included, as in Mistral; 0: all
    window_blocks: tuple[Count, ...] | None = None  # the numbers of the blocks with this window; null: all
    norm: Norm
    norm_place: Literal["input", "output"] = "input"  # of attention and feed-forward network; OLMo 2: output
    norm_eps: PositiveFloat
    mlp: Mlp
    bias: Bias
    qk_norm: QKNorm
    tied: bool  # the output head shares the token embedding's matrix
    convolution: Count  # how many previous tokens the short convolution before each block reads; 0: none
    lookup_heads: Count  # how many of n_head are lookup heads (model/lookup_heads.py); 0: none
    # what mixes tokens in each block, attention or a gated convolution, as in LFM2; null: attention in all
    layers: tuple[LayerKind, ...] | None = None
    conv_kernel: Count = 0  # how many tokens a gated convolution reads, its own included
    dropout: Dropout
    init: Literal["gpt2", "zero_residual", "copying"]
    attention: AttentionKernel

    @field_validator("n_kv_head", "head_dim", "n_ffn", mode="before")
    @classmethod
    def _derive_null(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None:
            return value
        n_head, n_embd = info.data.get("n_head"), info.data.get("n_embd")
        if n_head is None or n_embd is None:
            return 1  # n_head or n_embd is invalid, and only that is reported
        if info.field_name == "head_dim" and n_embd % n_head:
            nearest = max(1, round(n_embd / n_head)) * n_head
            raise ValueError(
                f"needs n_embd={n_embd} to be divisible by n_head={n_head}; try n_embd={nearest}, or set "
                f"head_dim"
            )
        return {"n_kv_head": n_head, "head_dim": n_embd // n_head, "n_ffn": 4 * n_embd}[str(info.field_name)]

    @property
    def n_attention(self) -> int:
        """How many blocks have attention; the others have a gated convolution."""
        return self.n_layer if self.layers is None else self.layers.count("attention")

    @model_validator(mode="after")
    def _query_heads_share_kv_heads_evenly(self) -> Self:
        if self.n_head % self.n_kv_head:
            raise ValueError(
                f"n_kv_head={self.n_kv_head}: must divide n_head={self.n_head}, "
                "since each key/value head serves the same number of query heads"
            )
        return self

    @model_validator(mode="after")
    def _position_channels_pair_up(self) -> Self:
        if self.position == "rotary" and self.head_dim % 2:
            raise ValueError(
                f"head_dim={self.head_dim}: must be even for rotary positions, which rotate pairs"
            )
        if self.position == "sinusoidal" and self.n_embd % 2:
            raise ValueError(f"n_embd={self.n_embd}: must be even for sinusoidal positions")
        return self

    @model_validator(mode="after")
    def _rope_settings_have_rotary_positions(self) -> Self:
        if self.position != "rotary" and (self.rope_scaling or self.rope_skip or self.rotary_dim):
            raise ValueError(
                f"position={self.position!r}: must be rotary with rope_scaling, rope_skip or rotary_dim"
            )
        if self.rotary_dim % 2 or self.rotary_dim > self.head_dim:
            raise ValueError(
                f"rotary_dim={self.rotary_dim}: must be even and at most head_dim={self.head_dim}; 0: all"
            )
        return self

    @model_validator(mode="after")
    def _longrope_has_a_factor_for_each_frequency(self) -> Self:
        if isinstance(scaling := self.rope_scaling, LongropeScaling):
            count = (self.rotary_dim or self.head_dim) // 2
            for name in ("short_factors", "long_factors"):
                if len(getattr(scaling, name)) != count:
                    raise ValueError(f"rope_scaling.{name}: must be {count} numbers, one a frequency")
        return self

    @model_validator(mode="after")
    def _window_blocks_have_a_window(self) -> Self:
        numbers = self.window_blocks
        if numbers is not None and not (self.window and all(number < self.n_layer for number in numbers)):
            raise ValueError(
                f"window_blocks={list(numbers)[:8]}: must be below n_layer={self.n_layer}, and need a window"
            )
        return self

    @model_validator(mode="after")
    def _position_table_fits_memory(self) -> Self:
        width = {"learned": 0, "sinusoidal": self.n_embd, "rotary": self.head_dim}[self.position]
        _require_small_table(self.context, width)
        return self

    @model_validator(mode="after")
    def _convolution_reads_within_context(self) -> Self:
        if self.convolution > self.context:
            raise ValueError(
                f"convolution={self.convolution}: must be at most context={self.context}; 3 or 4 is usual"
            )
        return self

    @model_validator(mode="after")
    def _lookup_heads_have_a_convolution_and_own_keys(self) -> Self:
        if self.lookup_heads > self.n_head:
            raise ValueError(f"lookup_heads={self.lookup_heads}: must be at most n_head={self.n_head}")
        if self.lookup_heads and not (self.convolution and self.n_kv_head == self.n_head):
            raise ValueError(
                f"lookup_heads={self.lookup_heads}: needs a convolution, which sets how many tokens they "
                "blend, and one key/value head per query head; set model.convolution=4 and "
                "model.n_kv_head=null"
            )
        return self

    @model_validator(mode="after")
    def _each_block_has_a_layer_and_convolutions_a_kernel(self) -> Self:
        if self.layers is not None and len(self.layers) != self.n_layer:
            raise ValueError(f"layers: must name n_layer={self.n_layer:,} layers, not {len(self.layers):,}")
        if self.n_attention == self.n_layer:
            if self.conv_kernel:
                raise ValueError(f"conv_kernel={self.conv_kernel}: must be 0 without conv in layers")
            return self
        if not 2 <= self.conv_kernel <= self.context:
            raise ValueError(
                f"conv_kernel={self.conv_kernel}: must be from 2 to context={self.context} with conv layers; "
                "3 is usual"
            )
        if self.convolution or self.bias:
            raise ValueError(
                f"convolution={self.convolution}, bias={self.bias}: must be 0 and false with conv layers"
            )
        if self.norm_place == "output":
            raise ValueError("norm_place=output: must be input with conv layers")
        return self


@dataclass(frozen=True, config=STRICT, kw_only=True)
class TranslatorSettings:
    """The shape of a translator, conf/transformer; a null n_ffn is 4 · n_embd."""

    context: Size  # maximum sentence length in tokens
    n_encoder: Size  # blocks
    n_decoder: Size
    n_head: Size
    n_embd: Size  # C
    n_ffn: Size
    # on each sublayer's input (Xiong et al. 2020), or on each sum as in 2017
    norm_place: Literal["pre", "post"]
    norm: Norm
    norm_eps: PositiveFloat
    mlp: Mlp
    bias: bool
    qk_norm: bool
    # one matrix for all embeddings, for target and output, or for none
    shared: Literal["all", "output", "none"]
    dropout: Dropout
    init: Literal["xavier", "zero_residual"]
    attention: AttentionKernel

    @field_validator("n_ffn", mode="before")
    @classmethod
    def _derive_null(cls, value: Any, info: ValidationInfo) -> Any:
        return 4 * info.data.get("n_embd", 1) if value is None else value

    @model_validator(mode="after")
    def _heads_and_positions_divide_width(self) -> Self:
        step = math.lcm(self.n_head, 2)
        if self.n_embd % step:
            nearest = max(1, round(self.n_embd / step)) * step
            raise ValueError(
                f"n_embd={self.n_embd}: must be divisible by n_head={self.n_head}, and by 2 for sinusoidal "
                f"positions; try {nearest}"
            )
        return self

    @model_validator(mode="after")
    def _position_table_fits_memory(self) -> Self:
        _require_small_table(self.context, self.n_embd)
        return self


def _require_small_table(context: int, width: int) -> None:
    if context * width > LARGEST_TABLE:
        raise ValueError(
            f"context={context}: must be at most {LARGEST_TABLE // width:,}, since its position table would "
            f"have {context * width:,} elements; choose a shorter context"
        )


def _architecture(values: Any) -> str:
    is_custom = "_target_" in values if isinstance(values, Mapping) else isinstance(values, CustomComponent)
    return "custom" if is_custom else "gpt"


Model: TypeAlias = Annotated[
    Annotated[GPTSettings, Tag("gpt")] | Annotated[CustomComponent, Tag("custom")],
    Discriminator(_architecture),
]
