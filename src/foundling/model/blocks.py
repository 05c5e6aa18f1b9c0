"""A GPT's blocks: what mixes tokens, attention or a gated convolution, then a feed-forward network.

Shapes: B batch, T time, C width.
"""

from torch import Tensor, nn

from foundling.model.attention import Attention
from foundling.model.config import GPTConfig
from foundling.model.kv_cache import LayerCache
from foundling.model.layers import MLP, GatedConvolution, ShortConvolution, make_norm


class Block(nn.Module):
    """Attention, then a feed-forward network, each added to its input.

    Each reads the normed input (pre-norm), or its output is normed (`norm_place`).
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        width, bias = config.n_embd, config.bias is True
        self.convolution = ShortConvolution(width, config.convolution) if config.convolution else None
        self.attention_norm = make_norm(config.norm, width, config.norm_eps, bias)
        self.attention = Attention(
            width,
            config.n_head,
            config.n_kv_head,
            config.head_dim,
            bias=config.bias,
            qk_norm=config.qk_norm,
            norm_eps=config.norm_eps,
            dropout=config.dropout,
            kernel=config.attention,
            lookup_heads=config.lookup_heads,
            reach=config.convolution,
        )
        self.mlp_norm = make_norm(config.norm, width, config.norm_eps, bias)
        self.mlp = MLP(config.mlp, width, config.n_ffn, bias)
        self.dropout = nn.Dropout(config.dropout) if config.dropout else nn.Identity()
        self.norms_output = config.norm_place == "output"

    def forward(
        self,
        x: Tensor,
        rotary: tuple[Tensor, Tensor] | None,
        cache: LayerCache | None,
        mask: Tensor | None,
        segments: Tensor | None = None,
    ) -> Tensor:
        """Transform x (B, T, C); the other arguments are those of `Attention.forward`."""
        if self.convolution is not None:
            x = self.convolution(x, cache.convolution if cache is not None else None, segments)
        if self.norms_output:
            attended = self.attention(x, rotary, cache, mask, segments=segments)
            x = x + self.dropout(self.attention_norm(attended))
            return x + self.dropout(self.mlp_norm(self.mlp(x)))
        x = x + self.dropout(self.attention(self.attention_norm(x), rotary, cache, mask, segments=segments))
        return x + self.dropout(self.mlp(self.mlp_norm(x)))


class ConvolutionBlock(nn.Module):
    """A gated convolution, then a feed-forward network, each on the normed input and added to it."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        width = config.n_embd
        self.convolution_norm = make_norm(config.norm, width, config.norm_eps, bias=False)
        self.convolution = GatedConvolution(width, config.conv_kernel)
        self.mlp_norm = make_norm(config.norm, width, config.norm_eps, bias=False)
        self.mlp = MLP(config.mlp, width, config.n_ffn, bias=False)
        self.dropout = nn.Dropout(config.dropout) if config.dropout else nn.Identity()

    def forward(
        self,
        x: Tensor,
        rotary: tuple[Tensor, Tensor] | None,
        cache: LayerCache | None,
        mask: Tensor | None,
        segments: Tensor | None = None,
    ) -> Tensor:
        """Transform x (B, T, C), as `Block.forward`; positions and mask are attention's alone."""
        state = None
        if cache is not None:
            state = cache.convolution
            cache.length += x.size(1)
        x = x + self.dropout(self.convolution(self.convolution_norm(x), state, segments))
        return x + self.dropout(self.mlp(self.mlp_norm(x)))


BLOCKS = {"attention": Block, "conv": ConvolutionBlock}
