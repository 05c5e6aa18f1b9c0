"""The shape of a GPT that was trained with Foundling, with the field names of its own config.json."""

from transformers import PreTrainedConfig
from transformers.utils.versions import require_version

# the layers of transformers' cache hold several convolution states, and are passed as `cache`, since 5.24
require_version("transformers>=5.24", "Update it with `pip install -U transformers`.")


class FoundlingConfig(PreTrainedConfig):
    """The shape of a GPT. The defaults are those of Foundling's default model."""

    model_type = "foundling"
    keys_to_ignore_at_inference = ["cache"]
    attribute_map = {
        "hidden_size": "n_embd",
        "intermediate_size": "n_ffn",
        "max_position_embeddings": "context",
        "num_attention_heads": "n_head",
        "num_hidden_layers": "n_layer",
        "num_key_value_heads": "n_kv_head",
        "tie_word_embeddings": "tied",
    }

    vocab_size: int = 4096
    context: int = 128  # maximum sequence length in tokens that the model was trained for
    n_layer: int = 4
    n_head: int = 4
    n_embd: int = 128
    n_kv_head: int = 4  # fewer than n_head: grouped-query attention
    head_dim: int = 32
    n_ffn: int = 512  # hidden width of the feed-forward network
    position: str = "rotary"  # or "learned", "sinusoidal"
    rope_theta: float = 10000.0
    rope_scaling: dict | None = None  # how positions were stretched: linear, llama3, yarn, longrope
    rope_skip: int = 0  # every n-th block attends without positions; 0: none
    rotary_dim: int = 0  # how many of head_dim channels are rotated, the first ones; 0: all
    window: int = 0  # how many tokens a token attends to, itself included; 0: all
    window_blocks: list[int] | None = None  # the numbers of the blocks with this window; None: all
    norm: str = "rmsnorm"  # or "layernorm"
    norm_place: str = "input"  # of attention and feed-forward network, or "output"
    norm_eps: float = 1e-6
    mlp: str = "relu2"  # or "relu", "gelu", "swiglu"
    bias: bool | str = False  # of all linear layers, or "qkv": of queries, keys and values only
    qk_norm: bool | str = True  # of each head's queries and keys, or "all": of all heads' at once
    tied: bool = True  # the output head shares the token embedding's matrix
    convolution: int = 4  # how many previous tokens the short convolution before each block reads; 0: none
    lookup_heads: int = 2  # how many of n_head are lookup heads; 0: none
    layers: list[str] | None = None  # of each block: "attention", or "conv", a gated one; None: attention
    conv_kernel: int = 0  # how many tokens a gated convolution reads, its own included
    dropout: float = 0.0
    init: str = "copying"  # how Foundling initialised the weights; not read here
    attention: str = "fused"  # Foundling's implementation; here, choose `attn_implementation`
    keep: str | None = None  # of a classifier: which part of a text that exceeds the context is read
    pooling: str = "last"  # what a classifier's head reads: that position, or the "mean" of all but the first

    bos_token_id: int | None = None
    eos_token_id: int | None = None
    pad_token_id: int | None = None
    initializer_range: float = 0.02
    use_cache: bool = True

    @property
    def layer_types(self) -> list[str]:
        """What transformers' caches store per layer: keys and values, and in "hybrid" convolution states.

        A window needs no other: the mask hides the tokens before it.
        """
        if self.layers is None:
            return ["hybrid" if self.convolution else "full_attention"] * self.n_layer
        return ["conv" if kind == "conv" else "full_attention" for kind in self.layers]

    def has_window(self, layer: int) -> bool:
        """Whether a layer attends to the last `window` tokens alone."""
        return self.window > 0 and (self.window_blocks is None or layer in self.window_blocks)

    @property
    def number_of_conv_states(self) -> int:
        """How many convolution states a layer has: of the short convolution and of the lookup heads."""
        return 2 if self.lookup_heads else 1


__all__ = ["FoundlingConfig"]
