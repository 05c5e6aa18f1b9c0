"""The GPT: token ids (B, T) in, logits of the next token (B, T, V) out.

With conf/model/gpt2_*.yaml it is GPT-2 (Radford et al. 2019); each other setting is one of the changes that
the field has made since. Shapes: B batch, T time, C width, V vocabulary, D head size.
"""

from dataclasses import replace

from torch import Tensor, nn
from torch.nn import functional as F

from foundling.model.attention import windowed
from foundling.model.blocks import BLOCKS
from foundling.model.config import GPTConfig
from foundling.model.initialisation import initialise_gpt
from foundling.model.interface import LanguageModel
from foundling.model.kv_cache import KVCache
from foundling.model.layers import make_norm, sinusoids
from foundling.model.packing import packed_positions_and_mask
from foundling.model.rotary import rotary_tables
from foundling.settings.rope import LongropeScaling


class GPT(LanguageModel):
    """A decoder-only Transformer: its `forward`, in model/interface.py, is `head(hidden(ids))`."""

    config: GPTConfig
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
        self.dropout = nn.Dropout(config.dropout) if config.dropout else nn.Identity()
        layers = config.layers or ("attention",) * config.n_layer
        self.blocks = nn.ModuleList(BLOCKS[kind](config) for kind in layers)
        self.norm = make_norm(config.norm, config.n_embd, config.norm_eps, config.bias is True)
        self.output = None if config.tied else nn.Linear(config.n_embd, config.vocab_size, bias=False)
        initialise_gpt(self)

    def hidden(self, ids: Tensor, cache: KVCache | None = None, *, segments: Tensor | None = None) -> Tensor:
        """The final hidden states (B, T, C), after the last norm.

        Args:
            ids: (B, T). With a cache, only the tokens that it does not hold.
            cache: the state of the previous tokens, extended in place.
            segments: (B, T), the number of the text that each token belongs to, where several are packed into
                a row; each is read as if it were alone. Not with a cache.

        Raises:
            ValueError: for more than `context` tokens.
        """
        t = ids.size(1)
        total = t if cache is None else cache.length + t
        if total > self.config.context:
            raise ValueError(
                f"{total} tokens exceed the model's context of {self.config.context}; "
                "shorten the text, or pretrain with a longer model.context"
            )
        positions: slice | Tensor = slice(0, t)
        mask = None
        if segments is not None:
            assert cache is None
            positions, mask = packed_positions_and_mask(segments)
        elif cache is not None:
            positions, mask = cache.place(t, ids.device)
        x, rotary = self._embed(ids, positions)
        return self.norm(self._apply_blocks(range(len(self.blocks)), x, rotary, cache, mask, segments))

    def hidden_after(self, ids: Tensor, blocks: int) -> Tensor:
        """The hidden states (B, T, C) of ids (B, T) after `blocks` blocks, without the last norm."""
        x, rotary = self._embed(ids, slice(0, ids.size(1)))
        return self._apply_blocks(range(blocks), x, rotary)

    def hidden_from(self, states: Tensor, blocks: int) -> Tensor:
        """The final hidden states (B, T, C), from those after the first `blocks` blocks."""
        rotary = self._rotary(slice(0, states.size(1)))
        return self.norm(self._apply_blocks(range(blocks, len(self.blocks)), states, rotary))

    def keep_first_blocks(self, blocks: int) -> None:
        """Remove all but the first `blocks` blocks, in place."""
        layers = self.config.layers and self.config.layers[:blocks]
        kernel = self.config.conv_kernel if layers and "conv" in layers else 0
        self.blocks = self.blocks[:blocks]
        numbers = self.config.window_blocks
        windows = None if numbers is None else tuple(number for number in numbers if number < blocks)
        self.config = replace(
            self.config, n_layer=blocks, layers=layers, conv_kernel=kernel, window_blocks=windows
        )

    def head(self, hidden: Tensor) -> Tensor:
        """Logits (…, V) of hidden states (…, C)."""
        return F.linear(hidden, self.token_embedding.weight) if self.output is None else self.output(hidden)

    def head_weight(self) -> Tensor | None:
        """The output's or the embedding's matrix; None if LoRA wraps the output."""
        if self.output is None:
            return self.token_embedding.weight
        return self.output.weight if isinstance(self.output, nn.Linear) else None

    def make_tables(self) -> None:
        """Compute the fixed position tables, which are not part of the state dict.

        A model on the meta device has none; call this after its weights are loaded.
        """
        config, dtype = self.config, self.token_embedding.weight.dtype
        if self.token_embedding.weight.is_meta:
            return
        if config.position == "sinusoidal":
            table = sinusoids(config.context, config.n_embd).to(dtype)
            self.register_buffer("sinusoids", table, persistent=False)
        elif config.position == "rotary":
            width = config.rotary_dim or config.head_dim
            cos, sin = rotary_tables(config.context, width, config.rope_theta, config.rope_scaling)
            self.register_buffer("rotary_cos", cos.to(dtype), persistent=False)
            self.register_buffer("rotary_sin", sin.to(dtype), persistent=False)

    def extend_context(self, context: int) -> bool:
        """Read up to `context` tokens; False if that takes more positions than the model has learned."""
        if context > self.config.context:
            if self.config.position == "learned":
                return False
            self.config = replace(self.config, context=context)
            self.make_tables()
        return True

    @property
    def width(self) -> int:
        """C, the size of the hidden states."""
        return self.config.n_embd

    def new_cache(self) -> KVCache:
        """An empty cache of keys, values and convolution inputs."""
        return KVCache(self.config.n_layer)

    def flops_per_token(self) -> float:
        """Training FLOPs per token: 6 per weight, plus attention (Chowdhery et al. 2022, app. B)."""
        config = self.config
        embedded = self.position_embedding.weight.numel() if config.position == "learned" else 0
        embedded += 0 if config.tied else self.token_embedding.weight.numel()  # looked up, not multiplied
        attention = 12 * config.n_attention * config.n_head * config.head_dim * config.context
        return 6 * (self.parameter_count() - embedded) + attention

    @property
    def frozen_blocks(self) -> int:
        """The number of blocks below all trained weights: what they compute for a text is always the same."""
        trained = [name for name, p in self.named_parameters() if p.requires_grad]
        if any("_embedding." in name for name in trained):
            return 0
        numbers = [int(name.split(".")[1]) for name in trained if name.startswith("blocks.")]
        return min(numbers, default=len(self.blocks))

    def _apply_blocks(
        self,
        layers: range,
        x: Tensor,
        rotary: tuple[Tensor, Tensor] | None,
        cache: KVCache | None = None,
        mask: Tensor | None = None,
        segments: Tensor | None = None,
    ) -> Tensor:
        """Transform x (B, T, C) by the blocks of these numbers."""
        t, window = x.size(1), self.config.window
        near = windowed(mask, window, t, t + (cache.length if cache is not None else 0), x.device)
        for i in layers:
            positioned = rotary if self._is_rotated(i) else None
            seen = near if self._has_window(i) else mask
            x = self.blocks[i](x, positioned, cache.layers[i] if cache is not None else None, seen, segments)
        return x

    def _has_window(self, layer: int) -> bool:
        """Whether a block attends to the last `window` tokens alone."""
        numbers = self.config.window_blocks
        return self.config.window > 0 and (numbers is None or layer in numbers)

    def _is_rotated(self, layer: int) -> bool:
        """Whether a block sees positions; with `rope_skip`, every n-th does not (Yang et al. 2025)."""
        return self.config.rope_skip == 0 or (layer + 1) % self.config.rope_skip > 0

    def _embed(self, ids: Tensor, positions: slice | Tensor) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        """Embeddings (B, T, C) of ids (B, T), and the cosines and sines of rotary positions."""
        x = self.token_embedding(ids)  # (B, T, C)
        if self.config.position == "learned":
            x = x + self.position_embedding.weight[positions]
        elif self.config.position == "sinusoidal":
            x = x + self.sinusoids[positions]
        return self.dropout(x), self._rotary(positions)

    def _rows(self, positions: slice | Tensor) -> slice | Tensor:
        """The rows of the rotary tables for these positions; LongRoPE has others for short texts."""
        scaling, context = self.config.rope_scaling, self.config.context
        if not isinstance(scaling, LongropeScaling):
            return positions
        end = positions.stop if isinstance(positions, slice) else int(positions.max()) + 1
        if end > scaling.original_context:
            return positions
        if isinstance(positions, slice):
            return slice(context + positions.start, context + end)
        return context + positions

    def _rotary(self, positions: slice | Tensor) -> tuple[Tensor, Tensor] | None:
        """The cosines and sines of rotary positions; None with other positions."""
        if self.config.position != "rotary":
            return None
        positions = self._rows(positions)
        cos, sin = self.rotary_cos[positions], self.rotary_sin[positions]  # (T, D), or packed (B, T, D)
        return (cos, sin) if isinstance(positions, slice) else (cos.unsqueeze(1), sin.unsqueeze(1))
